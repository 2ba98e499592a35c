"""Read angiograms and masks, write masks and tables, in folders and at URLs."""
