"""From opening a file to the first correction, nothing is found out twice."""

import pytest
import tifffile
from qtpy.QtWidgets import QFileDialog

from gestures import click, open_tab
from napari_npa.imaging.field import imaged


@pytest.fixture
def searches(monkeypatch):
    """Images in which the retina was looked for, in turn."""
    names = []

    def counted(pixels, name):
        names.append(name)
        return imaged(pixels, name)

    monkeypatch.setattr("napari_npa.segmentation.retina.imaged", counted)
    return names


def test_a_file_is_decoded_and_its_retina_found_once_from_opening_to_the_first_correction(
    viewer, panel, qtbot, tmp_path, round_angiogram, monkeypatch, tiny_model, decodings, searches
):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, round_angiogram)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    click(qtbot, panel.open)
    qtbot.waitUntil(lambda: panel.image is not None and not panel.jobs, timeout=20_000)
    click(qtbot, panel.run)
    qtbot.waitUntil(lambda: panel.result is not None and not panel.jobs, timeout=20_000)
    corrector = open_tab(viewer, "Correct non-perfusion")
    corrector.models.choose_file(tiny_model)
    corrector.grow_at(80, 80)
    qtbot.waitUntil(lambda: corrector.correction is not None, timeout=20_000)
    qtbot.waitUntil(lambda: not corrector.jobs, timeout=20_000)
    assert panel.result.segmentation.angiogram.path == path
    assert decodings == [path]
    assert searches == ["eye.tif"]
