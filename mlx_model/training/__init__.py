"""Training of the built-in model: scenes, autoencoder, rectified flow, adapters, and judging the result."""
