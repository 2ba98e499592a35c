"""Make the pictures of the documentation: a real napari, a sample, a run.

    xvfb-run -a -s "-screen 0 1920x1200x24" python docs/make_screenshots.py

Give a weights file as argument to use another model than the embedded one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
SIZE = (1440, 900)


def main(weights: Path | None) -> None:
    """Open a sample, run, and save what is on screen."""
    import napari
    from napari.settings import get_settings
    from qtpy.QtCore import QEventLoop, QTimer

    def wait(milliseconds: int = 50) -> None:
        loop = QEventLoop()
        QTimer.singleShot(milliseconds, loop.quit)
        loop.exec()

    get_settings(Path(tempfile.mkdtemp()) / "settings.yaml")
    viewer = napari.Viewer()
    viewer.window.resize(*SIZE)
    _, panel = viewer.window.add_plugin_dock_widget("napari-npa", "Segment non-perfusion")
    viewer.open_sample("napari-npa", "simulated_1")
    while panel.jobs:
        wait()
    if weights is not None:
        panel.models.choose_file(weights)
    panel.run.click()
    while panel.run_job is not None:
        wait()
    viewer.reset_view()
    wait(1000)
    IMAGES.mkdir(exist_ok=True)
    viewer.screenshot(str(IMAGES / "panel.png"), canvas_only=False, flash=False)
    print(panel.status.text())
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
