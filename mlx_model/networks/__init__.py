"""The networks of FLUX.1 and ACE++, and the tiny autoencoder; parameters carry the released names."""
