"""Folders of results compared: with annotations, between graders, by group."""
