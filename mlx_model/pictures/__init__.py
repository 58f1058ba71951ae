"""Picture files: read as they are, written whole, and the recipe that every result carries."""
