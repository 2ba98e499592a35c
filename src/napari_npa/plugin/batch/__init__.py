"""The panel for a folder at a time."""
