"""The command line, ``napari-npa``: thin doors to the rooms below."""
