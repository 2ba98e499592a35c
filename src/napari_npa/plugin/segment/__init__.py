"""The panel that segments."""
