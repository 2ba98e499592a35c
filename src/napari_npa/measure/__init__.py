"""Measures of masks: the ischemic index, and how well two masks agree."""
