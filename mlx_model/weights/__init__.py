"""Weights on disk and in memory: a model folder's config, strict loading, layouts, quantized layers, adapters."""
