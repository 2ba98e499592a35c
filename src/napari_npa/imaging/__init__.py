"""Gray levels, the camera's field, canvases, resampling and morphology."""
