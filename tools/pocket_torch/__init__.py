"""The long training of the built-in model, in torch; see docs/training.md."""
