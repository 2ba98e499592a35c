"""Corrections of an image by a person: edit log, active time, recovery files."""
