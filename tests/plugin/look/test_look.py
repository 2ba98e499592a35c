"""Fill or outline at one click, opacity at hand; both are remembered, and so is the annotator."""

import numpy as np
import pytest

from gestures import bar_of, click, close_dock, open_tab
from napari_npa.results.colours import NPA_COLOUR, RETINA_COLOUR


@pytest.fixture
def npa(viewer, panel, image, qtbot):
    """The layer of non-perfusion after a run."""
    panel.start_run()
    qtbot.waitUntil(lambda: panel.run_job is None, timeout=20_000)
    return viewer.layers["NPA"]


def test_one_click_shows_outlines_and_another_fills_again(shown, npa, bar, qtbot):
    assert npa.contour == 0
    click(qtbot, bar.look.outlined)
    assert npa.contour >= 2
    click(qtbot, bar.look.outlined)
    assert npa.contour == 0


def test_the_controls_show_what_napari_s_own_controls_did(npa, bar):
    npa.opacity, npa.contour = 0.75, 3
    assert bar.look.opacity.value() == 75
    assert bar.look.outlined.isChecked()


def test_the_look_is_remembered_for_the_next_session(
    viewer, panel, image, npa, bar, qtbot, tiny_model
):
    bar.look.opacity.setValue(85)
    click(qtbot, bar.look.outlined)
    close_dock(qtbot, viewer)
    viewer.layers.remove("NPA")
    viewer.layers.remove("Retina")
    again = open_tab(viewer, "Segment non-perfusion")
    again.models.choose_file(tiny_model)
    qtbot.waitUntil(lambda: not again.jobs, timeout=20_000)
    again.start_run()
    qtbot.waitUntil(lambda: again.run_job is None, timeout=20_000)
    assert viewer.layers["NPA"].opacity == 0.85
    assert viewer.layers["NPA"].contour >= 2
    assert bar_of(viewer).look.opacity.value() == 85


def test_the_annotator_is_remembered_for_the_next_session(viewer, bar, qtbot):
    assert bar.who.text() == ""
    qtbot.keyClicks(bar.who, "grader 2")
    bar.who.editingFinished.emit()
    close_dock(qtbot, viewer)
    open_tab(viewer, "Review queue")
    assert bar_of(viewer).who.text() == "grader 2"
    assert bar_of(viewer).annotations.who == "grader 2"
    qtbot.waitUntil(lambda: not open_tab(viewer, "Review queue").jobs, timeout=20_000)


def test_the_layers_have_the_colours_of_saved_overlays(viewer, npa):
    for name, colour in (("NPA", NPA_COLOUR), ("Retina", RETINA_COLOUR)):
        shown = viewer.layers[name].colormap.map(np.uint8([1]))[0]
        np.testing.assert_allclose(shown[:3], np.array(colour) / 255, atol=0.01)
