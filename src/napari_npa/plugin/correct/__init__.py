"""The panel that corrects."""
