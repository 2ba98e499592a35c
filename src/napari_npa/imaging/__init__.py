"""Gray levels, the camera's field, canvases and morphology."""
