"""A folder of angiograms to be looked through."""
