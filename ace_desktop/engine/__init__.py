"""Carries edit requests out in a process of its own, in which MLX lives; the window talks to :class:`engine.Engine`."""
