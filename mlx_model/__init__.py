"""ACE++ in MLX: edit pictures by instruction, from Python or from the ``ace`` command.

Importing this package loads no MLX; :class:`mlx_model.editor.Editor` is the door that does.
"""

__version__ = "0.1.0"
