"""The document without a screen: layers, masks, selection, undo and files. Imports neither widgets nor MLX."""
