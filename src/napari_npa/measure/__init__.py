"""Measures of masks: the ischemic index, and the agreement of two masks."""
