"""Random views: drawn by number, rendered in batches on any device."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from drawing import TINY_CANVASES, draw_round_angiogram
from napari_npa.training import reading
from napari_npa.training.augmentation import Augmentation
from napari_npa.training.examples import Example, gather_files
from napari_npa.training.reading import read_examples
from napari_npa.training.recipe import TrainingConfig
from napari_npa.training.views import RandomViews, Sampling, Stock

CPU = torch.device("cpu")
SHARES = TrainingConfig().shares


def example(side, name="eye", source="simulated"):
    rng = np.random.default_rng(side)
    npa = np.zeros((side, side), bool)
    npa[side // 4 : side // 2, side // 4 : side // 2] = True
    image = rng.integers(1, 256, (side, side), np.uint8)
    return Example(Path(f"{name}.tif"), name, source, image, npa, np.ones_like(npa))


def views_of(examples, device=CPU, augmentation=None, first=0):
    augmentation = augmentation or Augmentation()
    return RandomViews(
        Stock(examples, device), Sampling(64, SHARES), augmentation, seed=5, first=first, count=100
    )


def test_a_view_is_the_same_alone_and_in_any_batch():
    views = views_of([example(96), example(192)])
    batch = views.rendered([views[i] for i in range(6)])
    for i in range(6):
        alone = views.rendered([views[i]])
        for one, many in zip(alone, batch, strict=True):
            torch.testing.assert_close(one[0], many[i], atol=1e-5, rtol=0)


def test_views_are_numbered_through_so_that_a_resumed_run_draws_the_same():
    examples = [example(96), example(192)]
    early, late = views_of(examples), views_of(examples, first=40)
    one, other = early.rendered([early[41]]), late.rendered([late[1]])
    assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    assert not torch.equal(one[0], early.rendered([early[42]])[0])


def test_large_canvases_and_sources_come_up_by_their_share():
    examples = [example(64), example(192), example(64, source="labelled")]
    stock, rng = Stock(examples, CPU), np.random.default_rng(0)
    shares = {**SHARES, "simulated": 0.8, "labelled": 0.2}
    counts = np.bincount([stock.draw(shares, rng) for _ in range(2000)], minlength=3) / 2000
    np.testing.assert_allclose(counts, [0.2, 0.6, 0.2], atol=0.04)


def test_an_unknown_retina_is_marked_as_such():
    views = views_of([replace(example(96), retina=None)])
    channels, targets, known = views.rendered([views[0], views[1]])
    assert channels.shape == (2, 3, 64, 64)
    assert targets.shape == (2, 2, 64, 64)
    assert known.tolist() == [[1, 0], [1, 0]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_renders_what_the_processor_renders():
    quiet = Augmentation(noise=0.0)  # each device has random numbers of its own
    seen = []
    for device in (CPU, torch.device("cuda")):
        views = views_of([example(96), example(192)], device, quiet)
        seen.append([part.cpu() for part in views.rendered([views[i] for i in range(16)])])
    torch.testing.assert_close(seen[0][0], seen[1][0], atol=1e-3, rtol=0)
    # A mask's border may fall on either side of a half.
    assert (seen[0][1] != seen[1][1]).float().mean() < 1e-4


@pytest.fixture
def files(tmp_path):
    """Two perfused frames, and one simulated eye."""
    for seed, name in enumerate(["normal1", "normal2"]):
        (tmp_path / "perfused").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "perfused" / f"{name}.tif", draw_round_angiogram(128, seed))
    (tmp_path / "simulated").mkdir()
    for ending in ("", "_npa", "_retina"):
        tifffile.imwrite(
            tmp_path / "simulated" / f"sim_1{ending}.tif", draw_round_angiogram(128, 3)
        )
    return gather_files(None, None, [tmp_path / "perfused"], [tmp_path / "simulated"], "")


def test_perfused_eyes_are_read_with_their_variants_and_several_processes_read_the_same(
    files, monkeypatch
):
    config = TrainingConfig(view=64, canvases=TINY_CANVASES, painted=2)
    alone = read_examples(files, config)
    sources = [[example.source for example in alone[file]] for file in files]
    assert sources == [["perfused", "painted", "painted"]] * 2 + [["simulated"]]
    monkeypatch.setattr(reading, "FILES_PER_WORKER", 1)
    monkeypatch.setattr(reading.os, "cpu_count", lambda: 2)
    shared = read_examples(files, config)
    for file in files:
        for one, other in zip(alone[file], shared[file], strict=True):
            np.testing.assert_array_equal(one.stretched, other.stretched)
            np.testing.assert_array_equal(one.npa, other.npa)


def test_an_eye_has_the_same_variants_whatever_it_is_read_with(files):
    config = TrainingConfig(view=64, canvases=TINY_CANVASES, painted=1)
    both, second = read_examples(files, config), read_examples(files[1:2], config)
    painted = both[files[1]][1].stretched
    np.testing.assert_array_equal(painted, second[files[1]][1].stretched)
    assert not np.array_equal(painted, both[files[0]][1].stretched)
