"""TIFF, PNG and JPEG: headers checked, and samples decoded."""
