"""Carries edit requests out in a process of their own, in which MLX lives; `engine.Engine` is the window's door."""
