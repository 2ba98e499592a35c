from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_npa.errors import RetinaError
from napari_npa.imaging.field import field_of_view, instrument_field
from napari_npa.imaging.raster import reduced
from napari_npa.io.angiogram import read_angiogram
from napari_npa.segmentation.retina import find_retina, gradable_retina
from napari_npa.simulation import simulate

DATA = Path(__file__).parents[3] / "shared" / "data"
LABELLED = sorted((DATA / "ffa55" / "labelled").glob("*.jpg"))
needs_real_images = pytest.mark.skipif(
    not LABELLED, reason="the development images (../shared/data) are not here"
)


def grid(size):
    """Pixel centres of a square image, from -1 to 1: y, x, distance and angle."""
    places = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1
    y, x = np.meshgrid(places, places, indexing="ij")
    return y, x, np.hypot(y, x), np.arctan2(y, x)


def grainy(level, shape):
    """Even retina with the noise of a camera: nothing that it takes is of one gray level."""
    return np.random.default_rng(0).normal(level, 0.008, shape).astype(np.float32)


def camera_frame(size=512, radius=0.97, dark_degrees=0.0):
    """Round, mildly vignetted field with a black sector from the right of the image."""
    _, _, distance, angle = grid(size)
    pixels = np.where(distance <= radius, 0.3 - 0.1 * distance**2, 0)
    sector = (np.abs(angle) < np.radians(dark_degrees / 2)) & (distance > 0.3)
    pixels[sector] = 0
    return pixels.astype(np.float32), distance <= radius


def widefield(size=500, lid=0.0, hole=False, vessels=True, lashes=False):
    """Irregular field, concave below, whose vessels fork outwards as far as 0.6.

    ``lid`` is the gray of an eyelid over y < -0.45; ``hole`` darkens a place of radius 0.12
    between the vessels on the right; ``lashes`` lie beyond the vessels at the top.
    """
    y, x, distance, angle = grid(size)
    field = np.hypot(y / 0.75, x / 0.9) < 1
    field &= np.hypot(y - 1.1, x) > 0.5
    pixels = (6 + 24 * np.exp(-((distance / 0.4) ** 2))) / 255
    for forks, start, end in ((8, 0.02, 0.6), (16, 0.2, 0.55), (32, 0.35, 0.58)):
        turn = angle - 0.25 * np.sin(9 * distance + forks)
        off = np.abs((turn * forks / (2 * np.pi)) % 1 - 0.5) * 2 * np.pi / forks * distance
        line = np.exp(-((off / 0.004) ** 2)) * ((distance > start) & (distance < end))
        pixels = pixels * (1 + (1.2 * line if vessels else 0))
    if hole:
        pixels = np.where(np.hypot(y, x - 0.4) < 0.12, 3 / 255, pixels)
    if lid:
        pixels = np.where(y < -0.45, lid, pixels)
    for left in (-0.3, -0.2, -0.1) if lashes else ():
        lash = (np.abs(x - left - 0.15 * (y + 0.7)) < 0.005) & (y < -0.58)
        pixels = np.where(lash, 1.5 / 255, pixels)
    return np.where(field, pixels, 0).astype(np.float32), field


def overlap(a, b):
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_a_dark_sector_at_the_rim_of_a_round_frame_stays_gradable():
    pixels, frame = camera_frame(dark_degrees=80)
    field = instrument_field(pixels)
    gradable = gradable_retina(pixels)
    assert field_of_view(field).name == "55"
    assert overlap(field, frame) > 0.99
    assert not (gradable & ~frame).any()
    # The edge margin takes 1 % of the radius, that is 2 % of the area.
    assert np.count_nonzero(gradable) / np.count_nonzero(frame) == pytest.approx(0.98, abs=0.01)


def test_noise_and_lettering_in_the_corners_are_not_field():
    pixels, frame = camera_frame()
    noise = np.random.default_rng(1).integers(0, 3, pixels.shape) / 255
    pixels = np.where(frame, pixels, noise.astype(np.float32))
    pixels[-12:-6, 8:40] = 0.8
    assert overlap(instrument_field(pixels), frame) > 0.99


def test_a_round_frame_cut_by_the_sides_of_the_image_is_still_round():
    pixels, frame = camera_frame(radius=1.1)
    field = instrument_field(pixels)
    assert field_of_view(field).name == "55"
    assert overlap(field, frame) > 0.99
    assert gradable_retina(pixels)[256, 0], "the side of the image is no edge of the instrument"


def test_a_dark_sector_at_a_side_of_the_image_does_not_hide_the_round_frame():
    pixels, frame = camera_frame(radius=1.1, dark_degrees=40)
    assert overlap(instrument_field(pixels), frame) > 0.99


def test_an_irregular_field_is_widefield():
    pixels, field = widefield()
    assert field_of_view(field).name == "uwfa"
    assert field_of_view(instrument_field(pixels)).name == "uwfa"
    assert overlap(instrument_field(pixels), field) > 0.99


def test_a_well_rounded_widefield_outline_is_no_circle():
    y, x, _, _ = grid(500)
    field = np.abs(y / 0.82) ** 2.3 + np.abs(x / 0.84) ** 2.3 < 1
    field &= np.hypot(y - 1.45, x) > 0.7
    assert field_of_view(field).name == "uwfa"


# Seeds whose outline follows a circle all round (8013) or along one side.
@pytest.mark.parametrize("seed", [8013, 60002, 61037])
def test_a_simulated_widefield_eye_is_widefield(seed):
    eye = simulate("uwfa", 512, seed)
    assert find_retina(eye.pixels.astype(np.float32) / 255).view.name == "uwfa"


@pytest.mark.parametrize("seed", [60000, 60001, 60002])
def test_a_simulated_camera_frame_is_round(seed):
    eye = simulate("55", 512, seed)
    found = find_retina(eye.pixels.astype(np.float32) / 255)
    assert found.view.name == "55"
    assert overlap(found.gradable, eye.field) > 0.97  # the edge margin takes 2 %


@needs_real_images
def test_every_real_image_has_the_kind_of_its_folder():
    files = {
        "55": sorted((DATA / "ffa55").rglob("*.jpg")),
        "uwfa": sorted((DATA / "uwfa").glob("*.png")),
    }
    wrong = [
        path.name
        for kind, paths in files.items()
        for path in paths
        if field_of_view(instrument_field(read_angiogram(path).pixels)).name != kind
    ]
    assert wrong == []


def test_an_image_without_surround_is_all_field_and_all_gradable():
    pixels = grainy(0.2, (300, 400))
    pixels[100:150, 100:200] = grainy(0.03, (50, 100))
    assert instrument_field(pixels).all()
    assert field_of_view(instrument_field(pixels)).name == "55"
    assert gradable_retina(pixels).all()


def test_a_rectangular_frame_beside_a_black_bar_is_gradable():
    pixels = grainy(0.2, (400, 300))
    pixels[300:] = 0
    gradable = gradable_retina(pixels)
    assert gradable[:295].all()
    assert not gradable[300:].any()


def test_widefield_retina_is_gradable_as_far_as_vessels_can_be_seen():
    pixels, field = widefield()
    _, _, distance, _ = grid(len(pixels))
    gradable = gradable_retina(pixels)
    assert gradable[field & (distance < 0.55)].mean() > 0.99
    assert not gradable[distance > 0.72].any()
    assert not (gradable & ~field).any()


def test_a_dark_place_between_vessels_stays_gradable():
    pixels, _ = widefield(hole=True)
    y, x, _, _ = grid(len(pixels))
    assert gradable_retina(pixels)[np.hypot(y, x - 0.4) < 0.12].all()


def test_ground_of_two_gray_levels_is_not_gradable_whatever_its_relative_contrast():
    pixels, field = widefield()
    y, _, distance, _ = grid(len(pixels))
    shaded = pixels * (0.12 + 0.88 / (1 + np.exp((y - 0.2) / 0.03)))
    gradable = gradable_retina(shaded.astype(np.float32))
    assert gradable[(y < 0.15) & (distance < 0.5)].all()
    assert gradable[field & (y > 0.4) & (distance < 0.6)].mean() < 0.2


@pytest.mark.parametrize("gray", [50, 250])
def test_a_bright_lid_is_not_gradable(gray):
    pixels, field = widefield(lid=gray / 255)
    y, _, distance, _ = grid(len(pixels))
    gradable = gradable_retina(pixels)
    assert not gradable[y < -0.45].any()
    assert gradable[field & (distance < 0.5) & (y > -0.4)].mean() > 0.98


def test_lashes_are_no_vessels():
    without, with_lashes = (
        gradable_retina(widefield(lashes=lashes)[0]) for lashes in (False, True)
    )
    assert overlap(without, with_lashes) > 0.995


def test_a_bright_posterior_pole_is_not_taken_for_a_lid():
    pixels, _ = widefield()
    y, x, _, _ = grid(len(pixels))
    pole = np.hypot(y, x) < 0.15
    pixels[pole] = 0.9
    assert gradable_retina(pixels)[pole].all()


def test_an_overexposed_pole_to_which_a_bright_way_leads_is_gradable():
    eye = simulate("uwfa", 512, seed=1021)
    gradable = gradable_retina(eye.pixels.astype(np.float32) / 255)
    assert overlap(gradable, eye.retina) > 0.9  # without the pole .60


def test_the_gradable_share_does_not_depend_on_resolution():
    shares = [gradable_retina(widefield(size)[0]).mean() for size in (500, 1000, 2000)]
    assert max(shares) - min(shares) < 0.01 * shares[-1]


@pytest.mark.parametrize("quarter_turns", [1, 2])
def test_a_turned_image_has_the_turned_mask(quarter_turns):
    pixels, _ = widefield(lid=0.4)
    turned = gradable_retina(np.rot90(pixels, quarter_turns))
    assert overlap(turned, np.rot90(gradable_retina(pixels), quarter_turns)) > 0.97


def test_a_tall_image_gets_a_mask_of_its_own_shape():
    pixels, field = (whole[:, 15:-25] for whole in widefield())
    gradable = gradable_retina(pixels)
    assert gradable.shape == pixels.shape
    assert gradable.dtype == np.bool_
    assert not (gradable & ~field).any()


def test_a_tiny_image_works():
    pixels, frame = camera_frame(64)
    assert overlap(instrument_field(pixels), frame) > 0.95
    assert overlap(gradable_retina(pixels), frame) > 0.9


@pytest.mark.parametrize("find", [instrument_field, gradable_retina])
def test_a_black_image_is_refused_by_name(find):
    with pytest.raises(RetinaError, match=r"'black\.tif' is black"):
        find(np.zeros((200, 300), np.float32), name="black.tif")


def test_a_widefield_image_without_vessels_is_refused():
    pixels, _ = widefield(vessels=False)
    with pytest.raises(RetinaError, match="shows no retinal vessels"):
        gradable_retina(pixels)


@needs_real_images
@pytest.mark.parametrize("path", LABELLED, ids=lambda path: path.stem)
def test_real_round_frames_keep_the_outlined_areas_and_lose_the_corners(path):
    pixels = iio.imread(path)[..., 0].astype(np.float32) / 255
    outlined = iio.imread(path.with_name(f"{path.stem}_npa.png")) > 0
    gradable = gradable_retina(pixels)
    assert gradable[outlined].mean() > 0.98
    corners = gradable[:: len(gradable) - 1, :: len(gradable) - 1]
    assert not corners.any()
    # The frame's radius is 262.8 pixels, of which the margin takes 1 %: 80.7 % of the image.
    assert gradable.mean() == pytest.approx(0.807, abs=0.003)


@needs_real_images
def test_a_real_widefield_image_loses_lids_and_dark_wedges():
    pixels = tifffile.imread(DATA / "uwfa" / "uwfa_04.png")
    pixels = (pixels if pixels.ndim == 2 else pixels[..., 0])[::2, ::2].astype(np.float32) / 255
    gradable = gradable_retina(pixels)
    retina = {"disc": (955, 1125), "fovea": (1000, 1005), "last vessels": (760, 1790)}
    beyond = {
        "upper lid": (130, 900),
        "reflection with lashes": (450, 1500),
        "lower lid": (1250, 1780),
        "dark wedge": (1500, 420),
        "surround": (100, 100),
    }
    assert [place for place, at in retina.items() if not gradable[at]] == []
    assert [place for place, at in beyond.items() if gradable[at]] == []


def test_the_scale_is_the_frames_and_not_the_files():
    frame, _ = camera_frame(400, radius=1.0)
    file = np.zeros((600, 900), np.float32)
    file[100:500, 300:700] = frame
    rows, columns = find_retina(file).window
    assert abs(rows.start - 100) <= 2
    assert abs(rows.stop - 500) <= 2
    assert abs(columns.start - 300) <= 2
    assert abs(columns.stop - 700) <= 2
    assert find_retina(frame).window == (slice(0, 400), slice(0, 400))


def test_usual_margins_of_a_widefield_export_are_kept_and_wider_ones_cut():
    pixels, _ = widefield(500)
    whole = (slice(0, 500), slice(0, 500))
    assert find_retina(pixels).window == whole
    padded = np.pad(pixels, 250)
    rows, columns = find_retina(padded).window
    sides = [span.stop - span.start for span in (rows, columns)]
    assert 440 <= max(sides) <= 560  # pixels: those of the export without its margins


@pytest.mark.parametrize("shape", [(300, 209), (209, 300), (257, 256), (1023, 1025), (3001, 2999)])
@pytest.mark.parametrize("side", [192, 256, 650])
def test_a_reduction_keeps_the_mean_for_any_shape(shape, side):
    small = reduced(np.full(shape, 0.25, np.float32), side)
    assert max(small.shape) == min(side, max(shape))
    np.testing.assert_allclose(small, 0.25, rtol=1e-5)
