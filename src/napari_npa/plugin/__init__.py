"""What napari calls: panels, sample data, the reader. Thin doors to the core functions."""
