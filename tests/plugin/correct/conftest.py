"""Shared by the tests of the panel that corrects."""

import pytest

from gestures import open_tab


@pytest.fixture
def corrector(shown, viewer, panel, image, qtbot, tiny_model):
    """The panel that corrects, after the image was segmented."""
    panel.start_run()
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    corrector = open_tab(viewer, "Correct non-perfusion")
    corrector.models.choose_file(tiny_model)
    viewer.window._qt_window.resize(1400, 1000)
    qtbot.waitUntil(lambda: not corrector.jobs, timeout=20_000)
    viewer.reset_view()
    qtbot.wait(50)
    yield corrector
    qtbot.waitUntil(lambda: not corrector.jobs, timeout=20_000)
