"""The panel that goes through a folder."""
