"""How masks look: filled or outlined, how opaque, and how to choose that."""
