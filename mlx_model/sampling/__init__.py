"""Noise levels, the one denoising loop, and previews."""
