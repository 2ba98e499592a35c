"""Files: angiograms and masks in, masks and tables out, here or at a URL."""
