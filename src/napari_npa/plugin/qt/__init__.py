"""Qt without napari's layers: jobs, the GUI thread, the base of all panels."""
