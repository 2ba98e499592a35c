"""Comparison of folders of results: with annotations, between graders, by group."""
