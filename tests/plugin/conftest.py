"""Shared by the panel tests: a shown viewer with the panel docked."""

import gc
import os
import threading

import numpy as np
import pytest
import tifffile
import torch
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QMessageBox

from gestures import bar_of, open_tab
from napari_npa.io.decoding import decoded
from napari_npa.models.networks import VGGUNet

# A widget left behind by a test is an error.
os.environ["NAPARI_STRICT_QT"] = "raise"

PANEL = "Segment non-perfusion"


@pytest.fixture(scope="session", autouse=True)
def _imports_are_not_garbage():
    """Let the garbage collector pass over what was imported.

    napari collects all garbage after each removal of a layer: half a second each time, for the
    objects of torch, napari and Qt that never become garbage.
    """
    import napari.qt

    import napari_npa.review.queue  # torch and the networks

    assert napari_npa.review.queue
    assert napari.qt
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _no_garbage_is_left():
    """What a test leaves is collected on this thread: a worker's might find it in the next."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _no_work_of_other_tests(monkeypatch, tmp_path_factory):
    """Nothing is offered that another test kept of the same image."""
    monkeypatch.setenv("NAPARI_NPA_DATA", str(tmp_path_factory.mktemp("data")))


@pytest.fixture(autouse=True)
def answers(monkeypatch):
    """What the user will answer to the questions that come, in turn; no question waits."""
    answers = []

    def question(panel, title, text, *buttons):
        assert answers, f"nobody expects the question {text!r}"
        return answers.pop(0)

    monkeypatch.setattr(QMessageBox, "question", question)
    yield answers
    assert not answers, "a question was expected and did not come"


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch, tmp_path_factory):
    """A test finds nothing that another let the panels remember."""
    monkeypatch.setenv("NAPARI_NPA_DATA", str(tmp_path_factory.mktemp("data")))


@pytest.fixture(autouse=True)
def _no_notifications_yet():
    notification_manager.records.clear()


@pytest.fixture
def viewer(make_napari_viewer, request):
    """napari, on screen in the tests marked so."""
    torch.set_num_threads(1)
    return make_napari_viewer(show="shown" in request.fixturenames)


@pytest.fixture
def shown():
    """Ask for a viewer on screen: slower, and what a user has."""


@pytest.fixture
def panel(viewer, qtbot, tiny_model):
    """The panel, its lists filled, the tiny model chosen."""
    panel = open_tab(viewer, PANEL)
    qtbot.waitUntil(lambda: not panel.jobs, timeout=20_000)
    panel.models.choose_file(tiny_model)
    yield panel
    qtbot.waitUntil(lambda: not panel.jobs, timeout=20_000)


@pytest.fixture
def bar(viewer, panel):
    """The bar below the tabs, with the index and Save…."""
    return bar_of(viewer)


@pytest.fixture
def image(viewer, panel, round_angiogram):
    """A scaled and rotated angiogram in the viewer, chosen in the panel."""
    return viewer.add_image(
        round_angiogram, name="eye", scale=(0.5, 0.5), translate=(3, 4), rotate=30, units="mm"
    )


@pytest.fixture
def samples(tmp_path, monkeypatch, round_angiogram):
    """A folder of sample angiograms with masks beside them."""
    for seed in (1, 2):
        tifffile.imwrite(tmp_path / f"sim_{seed}.tif", np.roll(round_angiogram, seed, axis=0))
        tifffile.imwrite(tmp_path / f"sim_{seed}_npa.tif", np.zeros_like(round_angiogram))
    monkeypatch.setattr("napari_npa.plugin.layers.samples.FOLDERS", (tmp_path,))
    return tmp_path


@pytest.fixture
def output(tmp_path):
    """Folder of results, which is not there yet."""
    return tmp_path / "results"


@pytest.fixture
def decodings(monkeypatch):
    """Files that were decoded, in turn."""
    paths = []

    def counted(path, content, **options):
        paths.append(path)
        return decoded(path, content, **options)

    monkeypatch.setattr("napari_npa.io.angiogram.decoded", counted)
    return paths


@pytest.fixture
def runs(monkeypatch):
    """How often the network has run; `go` is set, cleared it makes the network wait."""

    class Runs:
        count, go, waiting = 0, threading.Event(), threading.Event()

    forward = VGGUNet.forward

    def counted(self, images):
        Runs.count += 1
        Runs.waiting.set()
        assert Runs.go.wait(20)
        return forward(self, images)

    Runs.go.set()
    monkeypatch.setattr(VGGUNet, "forward", counted)
    yield Runs
    Runs.go.set()
