"""The panel that segments a folder at a time."""
