"""The desktop editor: a layered document, a canvas, and ACE++ behind it."""
