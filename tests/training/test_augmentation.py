import numpy as np
import pytest
import torch

from napari_npa.training.augmentation import draw_transform, reach, render
from napari_npa.training.config import Augmentation

STILL = {
    "scale_ratio": 1,
    "aspect_ratio": 1,
    "rotation_degrees": 0,
    "flip_vertical": False,
    "gamma_ratio": 1,
    "gain_range": (1, 1),
    "noise": 0,
    "sharpness": (0, 0),
    "shading": 0,
}
"""Augmentation that changes nothing; only the horizontal flip remains."""


def random_view(image, targets, centre, side, augmentation, rng):
    """One view of arrays, as arrays."""
    layers = torch.from_numpy(np.concatenate([image[None], targets]))
    transform = draw_transform(image.shape, centre, side, augmentation, rng)
    images, masks = render([layers], [transform], side)
    return images[0].numpy(), masks[0].numpy()


def test_view_without_variation_is_the_image():
    image = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    target = (image > 0.5).astype(np.float32)
    still, rng = Augmentation(**STILL), np.random.default_rng(1)
    while True:  # horizontal flips remain: take a draw without one
        view, mask = random_view(image, target[None], (31.5, 31.5), 64, still, rng)
        if np.allclose(view, image, atol=1e-5):
            break
        np.testing.assert_allclose(view, image[:, ::-1], atol=1e-5)
    np.testing.assert_array_equal(mask[0], target)


def test_view_moves_image_and_mask_together():
    image = np.zeros((96, 96), np.float32)
    image[30:60, 20:70] = 1
    rng = np.random.default_rng(3)
    plain = Augmentation(gamma_ratio=1, gain_range=(1, 1), noise=0, sharpness=(0, 0), shading=0)
    for _ in range(20):
        view, mask = random_view(image, image[None], (48, 48), 96, plain, rng)
        np.testing.assert_array_equal(mask[0], np.round(view))


@pytest.mark.parametrize(("sharpness", "ratio"), [(-0.7, 0.6), (1.0, 1.5)])
def test_sharpness_removes_detail_or_adds_it(sharpness, ratio):
    image = (0.5 + 0.05 * np.random.default_rng(0).standard_normal((64, 64))).astype(np.float32)
    changed = Augmentation(**{**STILL, "sharpness": (sharpness, sharpness)})
    view, _ = random_view(image, image[None], (31.5, 31.5), 64, changed, np.random.default_rng(1))
    assert view.mean() == pytest.approx(image.mean(), abs=0.01)
    assert (view.std() / image.std() > ratio) == (sharpness > 0)


def test_shading_brightens_one_side_and_dims_the_other():
    image = np.full((64, 64), 0.5, np.float32)
    shaded = Augmentation(**{**STILL, "shading": 0.4})
    view, _ = random_view(image, image[None], (31.5, 31.5), 64, shaded, np.random.default_rng(1))
    assert 0.01 < np.ptp(view) < 0.4 * 0.5 * np.sqrt(2)
    assert view.mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("seed", range(12))
def test_a_view_reaches_no_further_than_it_says(seed):
    rng = np.random.default_rng(seed)
    canvas = rng.random((300, 300), np.float32)
    row, column = (int(place) for place in rng.integers(0, 300, 2))
    far = int(reach(64, Augmentation())) + 2
    top, left = max(0, row - far), max(0, column - far)
    near = canvas[top : row + far, left : column + far]
    views = [
        random_view(image, image[None], centre, 64, Augmentation(), np.random.default_rng(seed))
        for image, centre in ((canvas, (row, column)), (near, (row - top, column - left)))
    ]
    np.testing.assert_allclose(views[0][0], views[1][0], atol=1e-3)
