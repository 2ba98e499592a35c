"""Random views: drawn by number, rendered in batches on any device."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_npa.training.config import Augmentation, TrainingConfig
from napari_npa.training.examples import Example
from napari_npa.training.views import ExampleCache, RandomViews, Sampling, whole_view

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
        ExampleCache(examples, device),
        Sampling(64, SHARES),
        augmentation,
        seed=5,
        first=first,
        count=100,
    )


def test_a_view_is_the_same_alone_and_in_any_batch():
    views = views_of([example(96), example(192)])
    batch = views.render_batch([views[i] for i in range(6)])
    for i in range(6):
        alone = views.render_batch([views[i]])
        for one, many in zip(alone, batch, strict=True):
            torch.testing.assert_close(one[0], many[i], atol=1e-5, rtol=0)


def test_views_are_numbered_through_so_that_a_resumed_run_draws_the_same():
    examples = [example(96), example(192)]
    early, late = views_of(examples), views_of(examples, first=40)
    one, other = early.render_batch([early[41]]), late.render_batch([late[1]])
    assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    assert not torch.equal(one[0], early.render_batch([early[42]])[0])


def test_large_canvases_and_sources_come_up_by_their_share():
    examples = [example(64), example(192), example(64, source="labelled")]
    cache, rng = ExampleCache(examples, CPU), np.random.default_rng(0)
    shares = {**SHARES, "simulated": 0.8, "labelled": 0.2}
    counts = np.bincount([cache.draw(shares, rng) for _ in range(2000)], minlength=3) / 2000
    np.testing.assert_allclose(counts, [0.2, 0.6, 0.2], atol=0.04)


def test_an_unknown_retina_is_marked_as_such():
    views = views_of([replace(example(96), retina=None)])
    channels, targets, known = views.render_batch([views[0], views[1]])
    assert channels.shape == (2, 3, 64, 64)
    assert targets.shape == (2, 2, 64, 64)
    assert known.tolist() == [[1, 0], [1, 0]]


def test_a_whole_view_holds_both_targets_and_whether_they_are_known():
    whole = example(64)
    channels, targets, known = whole_view(whole)
    assert channels.shape == (3, 64, 64)
    np.testing.assert_array_equal(targets[0], whole.npa)
    np.testing.assert_array_equal(targets[1], whole.retina)
    assert known.tolist() == [1, 1]
    assert whole_view(replace(whole, retina=None))[2].tolist() == [1, 0]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_renders_what_the_processor_renders():
    quiet = Augmentation(noise=0.0)  # each device has random numbers of its own
    seen = []
    for device in (CPU, torch.device("cuda")):
        views = views_of([example(96), example(192)], device, quiet)
        seen.append([part.cpu() for part in views.render_batch([views[i] for i in range(16)])])
    torch.testing.assert_close(seen[0][0], seen[1][0], atol=1e-3, rtol=0)
    # A mask's border may fall on either side of a half.
    assert (seen[0][1] != seen[1][1]).float().mean() < 1e-4
