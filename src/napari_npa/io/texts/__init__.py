"""Texts: tables as they are written and as they come back, and small files of others."""
