"""Opening files, samples, and the panel itself."""

import subprocess
import sys

import numpy as np
import tifffile
from npe2 import PluginManifest
from qtpy.QtCore import Qt

from gestures import notifications
from napari_npa.plugin.layers.open import open_file
from napari_npa.plugin.layers.samples import first_sample, second_sample
from napari_npa.plugin.segment import panel as segment_panel

OPENED_LIKE_A_USER = """
import sys, threading, time
from pathlib import Path
import numpy as np
import napari
from qtpy.QtCore import QEventLoop, QTimer

class Watch:
    threads = []

    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            self.threads.append(threading.current_thread())

sys.meta_path.insert(0, Watch())

def wait(milliseconds):
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


viewer = napari.Viewer(show=True)
viewer.add_image(np.load(sys.argv[2]))
wait(300)
started = time.perf_counter()
_, workspace = viewer.window.add_plugin_dock_widget("napari-npa", "Segment non-perfusion")
panel = workspace.current
assert panel.run.isEnabled() and panel.models.choice == "auto", "the panel is not ready"
assert threading.main_thread() not in Watch.threads, "torch was imported in the GUI thread"
seconds = time.perf_counter() - started
while panel.jobs:
    wait(20)
assert Watch.threads, "torch was imported before it was needed"
assert "pandas" in sys.modules, "it is left to the GUI thread, at the first result"
assert threading.main_thread() not in Watch.threads[:1], "torch was imported in the GUI thread"
panel.models.choose_file(Path(sys.argv[1]))
panel.run.click()
while panel.run_job is not None:
    wait(20)
assert len(viewer.layers) == 3, panel.status.text()
print(f"opened in {seconds:.2f} s")
viewer.close()
"""


def test_the_manifest_is_valid_and_every_command_exists():
    manifest = PluginManifest.from_distribution("napari-npa")
    manifest.validate_imports()
    assert manifest.name == "napari-npa"


def test_the_panel_is_ready_at_once_and_torch_comes_in_a_worker_beside_a_viewer_on_screen(
    tmp_path, tiny_model, round_angiogram, qapp
):
    np.save(tmp_path / "eye.npy", round_angiogram)
    command = [sys.executable, "-c", OPENED_LIKE_A_USER, tiny_model, tmp_path / "eye.npy"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.split("opened in ")[1].split()[0]) < 2


def open_in_panel(panel, qtbot, monkeypatch, path):
    """Press Open… and choose a file."""
    monkeypatch.setattr(
        segment_panel.QFileDialog, "getOpenFileName", lambda *_: (str(path), "Angiograms")
    )
    qtbot.mouseClick(panel.open, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel.jobs, timeout=20_000)


def test_a_tiff_called_png_is_opened_and_chosen(
    viewer, panel, qtbot, monkeypatch, tmp_path, round_angiogram
):
    path = tmp_path / "uwfa.png"
    tifffile.imwrite(path.with_suffix(".tif"), round_angiogram)
    path.with_suffix(".tif").rename(path)
    open_in_panel(panel, qtbot, monkeypatch, path)
    (layer,) = viewer.layers
    np.testing.assert_allclose(layer.data, round_angiogram / 255, atol=1e-6)
    assert (layer.name, panel.image) == ("uwfa", layer)
    assert 0 < layer.contrast_limits[1] <= 1
    assert panel.run.isEnabled()


def test_an_unreadable_file_gives_one_line(viewer, panel, qtbot, monkeypatch, tmp_path):
    path = tmp_path / "broken.tif"
    path.write_bytes(b"II*\0 and then nothing")
    open_in_panel(panel, qtbot, monkeypatch, path)
    (message,) = notifications()
    assert message.startswith("'broken.tif' ")
    assert "Traceback" not in message
    assert panel.status.text() == message
    assert not viewer.layers


def test_the_file_of_a_layer_is_what_a_result_names(tmp_path, round_angiogram):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, round_angiogram)
    _, settings, _ = open_file(path)
    assert settings["metadata"]["path"] == str(path)


def test_samples_are_the_images_without_their_masks(samples):
    for number, sample in enumerate((first_sample, second_sample), start=1):
        ((pixels, settings, _),) = sample()
        assert settings["name"] == f"Simulated angiogram {number}"
        assert pixels.max() > 0.1


def test_the_samples_of_the_package_open():
    assert first_sample()
    assert second_sample()


def test_both_samples_are_in_the_menu():
    contributions = PluginManifest.from_distribution("napari-npa").contributions
    assert [sample.key for sample in contributions.sample_data] == ["simulated_1", "simulated_2"]
