"""The ``ace`` command: each command in a module of its own, :mod:`mlx_model.cli.main` is the entry."""
