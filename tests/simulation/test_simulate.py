"""The simulator: every picture comes with masks that are exactly right."""

import json

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_npa.errors import Cancelled
from napari_npa.simulation import capillaries, many, simulate, simulate_many, write_simulated
from napari_npa.simulation.fields import enlarge, noise
from napari_npa.simulation.scene import EYE_RADIUS_MM, Scene

SMALL = 128

quickly = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
kinds = st.sampled_from(["uwfa", "55"])
seeds = st.integers(0, 10_000)


@pytest.fixture(
    scope="module",
    params=[range(37, 47), pytest.param(range(60), marks=pytest.mark.slow)],
    ids=["ten", "sixty"],
)
def eyes(request):
    return [simulate("uwfa", SMALL, seed) for seed in request.param]


@quickly
@given(kinds, seeds)
def test_the_same_seed_gives_the_same_bytes(kind, seed):
    one, two = simulate(kind, SMALL, seed), simulate(kind, SMALL, seed)
    for name in ("pixels", "npa", "retina", "vessels", "field"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


def test_another_seed_gives_another_eye():
    one, two = simulate("uwfa", SMALL, 1), simulate("uwfa", SMALL, 2)
    assert (one.pixels != two.pixels).mean() > 0.3


@quickly
@given(kinds, seeds)
def test_masks_are_nested_and_outside_the_field_is_black(kind, seed):
    eye = simulate(kind, SMALL, seed)
    assert eye.pixels.dtype == np.uint8
    assert eye.pixels.shape == (SMALL, SMALL)
    assert not (eye.npa & ~eye.retina).any()
    assert not (eye.retina & ~eye.field).any()
    assert not (eye.vessels & ~eye.field).any()
    assert not eye.pixels[~eye.field].any()
    assert eye.pixels[eye.field].min() > 0


@quickly
@given(kinds, seeds)
def test_the_fovea_is_never_non_perfusion(kind, seed):
    eye = simulate(kind, SMALL, seed)
    rows, columns = np.ogrid[:SMALL, :SMALL]
    away = np.hypot(rows - eye.fovea[0], columns - eye.fovea[1])
    assert not eye.npa[away * eye.mm_per_pixel < 0.5].any()


def test_about_a_third_of_the_eyes_are_healthy_and_some_are_badly_diseased(eyes):
    shares = np.array([eye.npa.sum() / eye.retina.sum() for eye in eyes])
    assert 0.13 < (shares == 0).mean() < 0.57
    assert (shares > 0.1).mean() >= 0.1
    assert shares.max() < 0.8


def test_most_of_the_field_is_gradable_but_not_always_all_of_it(eyes):
    shares = np.array([eye.retina.sum() / eye.field.sum() for eye in eyes])
    assert np.median(shares) > 0.7
    assert (shares < 0.9).any()


def test_gray_levels_fall_off_from_the_posterior_pole(eyes):
    """Median gray of real images is 28 to 47 near the pole and 5 to 21 far from it."""
    rows, columns = np.ogrid[:SMALL, :SMALL]
    away = np.hypot(rows - SMALL / 2, columns - SMALL / 2) / SMALL
    near = [np.median(eye.pixels[away < 0.1]) for eye in eyes]
    far = [np.median(eye.pixels[eye.retina & (away > 0.25)]) for eye in eyes]
    assert 20 < np.median(near) < 55
    assert 5 < np.median(far) < 21


def test_non_perfusion_is_often_but_not_always_darker_than_its_surroundings(eyes):
    ratios = []
    for eye in eyes:
        ground = eye.retina & ~eye.vessels
        if (eye.npa & ground).sum() > 50:
            rows, columns = np.nonzero(eye.npa & ground)
            box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
            beside = (ground & ~eye.npa)[box]
            ratios.append(
                np.median(eye.pixels[eye.npa & ground]) / np.median(eye.pixels[box][beside])
            )
    assert min(ratios) < 0.75
    assert max(ratios) > 0.9


def test_a_55_degree_field_is_round_and_touches_the_edges():
    eye = simulate("55", SMALL, 3)
    assert eye.field[SMALL // 2, [0, -1]].all()
    assert eye.field[[0, -1], SMALL // 2].all()
    assert not eye.field[[0, 0, -1, -1], [0, -1, 0, -1]].any()


@pytest.mark.parametrize("seed", [4, 5])
def test_graders_of_55_degree_images_leave_wide_vessels_out(seed):
    eye = simulate("55", 256, seed)
    crevices = ndimage.binary_closing(eye.npa, iterations=3) & ~eye.npa
    assert eye.vessels[crevices].mean() > 4 * eye.vessels[eye.retina].mean()


def test_a_point_in_the_far_periphery_is_projected_stereographically():
    """A quarter of the way round the eye is 2 R from the centre of the projection."""
    scene = Scene(1000, 0.1, (499.5, 499.5), (0.0, 4.75), wide=True)
    quarter = np.pi / 2 * EYE_RADIUS_MM
    row, column = scene.to_pixels(np.array([[0.0, quarter]]))[0]
    assert row == pytest.approx(499.5)
    assert column == pytest.approx(499.5 + 2 * EYE_RADIUS_MM / 0.1)


@given(st.floats(-20, 20), st.floats(-20, 20))
def test_millimetres_to_pixels_and_back(down, right):
    scene = Scene(700, 0.1, (350.0, 350.0), (0.0, 4.75), wide=True)
    row, column = scene.to_pixels(np.array([[down, right]]))[0]
    back_down, back_right = scene.retina_mm()
    nearest = (int(np.clip(np.rint(row), 0, 699)), int(np.clip(np.rint(column), 0, 699)))
    if 0 <= row <= 699 and 0 <= column <= 699:
        assert back_down[nearest] == pytest.approx(down, abs=0.1)
        assert back_right[nearest] == pytest.approx(right, abs=0.1)


@pytest.mark.parametrize("scale", [3.0, 10.0, 25.0])
def test_noise_has_mean_zero_and_deviation_one(scale):
    field = noise((400, 400), scale, np.random.default_rng(0))
    assert abs(field.mean()) < 0.25
    assert field.std() == pytest.approx(1, abs=0.2)


def test_a_wider_mesh_gives_a_coarser_texture():
    fine, coarse = (
        capillaries.texture((256, 256), 0.04, np.random.default_rng(1), mesh)
        for mesh in (0.11, 0.35)
    )
    roughness = [np.abs(np.diff(texture, axis=0)).mean() for texture in (fine, coarse)]
    assert roughness[1] < 0.8 * roughness[0]


def test_enlarging_keeps_a_ramp_straight():
    ramp = np.arange(8, dtype=np.float32)[None].repeat(2, 0)
    large = enlarge(ramp, (4, 32))
    assert np.allclose(np.diff(large[0, 2:-2]), 0.25, atol=1e-5)


def test_an_unknown_kind_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="uwfa, 55"):
        simulate("oct", SMALL)


@pytest.mark.parametrize("size", [0, 127, 4097])
def test_a_size_that_cannot_be_drawn_is_refused_with_the_limits(size):
    with pytest.raises(ValueError, match="128 to 4096"):
        simulate("uwfa", size)


def test_a_negative_seed_and_an_empty_set_are_refused(tmp_path):
    with pytest.raises(ValueError, match="0 and above"):
        simulate("uwfa", SMALL, -1)
    with pytest.raises(ValueError, match="1 and above"):
        simulate_many(0, "uwfa", SMALL, 0, tmp_path)


def test_what_is_written_is_read_back(tmp_path):
    eye = simulate("55", SMALL, 7)
    path = write_simulated(eye, tmp_path)
    assert path == tmp_path / "sim_7.tif"
    assert (tifffile.imread(path) == eye.pixels).all()
    for name in ("npa", "retina"):
        mask = tifffile.imread(tmp_path / f"sim_7_{name}.tif")
        assert mask.dtype == np.uint8
        assert (mask == getattr(eye, name)).all()
    facts = json.loads((tmp_path / "sim_7.json").read_text(encoding="utf-8"))
    assert facts["simulated"] is True
    assert (facts["kind"], facts["seed"], facts["size"]) == ("55", 7, SMALL)


def test_many_are_written_with_consecutive_seeds_and_progress(tmp_path):
    heard = []
    output = tmp_path / "new" / "set"
    paths = simulate_many(
        2, "55", SMALL, 40, output, progress=lambda done, total: heard.append((done, total))
    )
    assert [path.name for path in paths] == ["sim_40.tif", "sim_41.tif"]
    assert heard == [(1, 2), (2, 2)]
    assert len(list(output.iterdir())) == 8


@pytest.fixture
def few_eyes_a_worker(monkeypatch):
    """Let two processes share a few eyes, which would not be worth it otherwise."""
    monkeypatch.setattr(many, "EYES_PER_WORKER", 1)


@pytest.mark.usefixtures("few_eyes_a_worker")
def test_several_processes_write_the_same(tmp_path):
    heard = []
    paths = simulate_many(
        3, "55", SMALL, 40, tmp_path, lambda done, total: heard.append(done), workers=2
    )
    assert [path.name for path in paths] == [f"sim_{seed}.tif" for seed in range(40, 43)]
    assert heard == [1, 2, 3]
    for seed in (40, 42):
        eye = simulate("55", SMALL, seed)
        assert (tifffile.imread(tmp_path / f"sim_{seed}.tif") == eye.pixels).all()
        assert (tifffile.imread(tmp_path / f"sim_{seed}_npa.tif") == eye.npa).all()


@pytest.mark.usefixtures("few_eyes_a_worker")
def test_several_processes_stop_when_cancelled(tmp_path):
    def cancel(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        simulate_many(12, "55", SMALL, 40, tmp_path, cancel, workers=2)
    assert len(list(tmp_path.glob("sim_??.tif"))) < 12


def test_a_size_that_is_no_multiple_of_anything_is_drawn():
    assert simulate("55", 131, seed=3).npa.shape == (131, 131)


@pytest.mark.parametrize("kind", ["uwfa", "55"])
def test_a_given_non_perfusion_is_drawn_as_given(kind):
    condition = np.zeros((SMALL, SMALL), bool)
    condition[30:55, 60:100] = True
    eye = simulate(kind, SMALL, 4, condition=condition)
    np.testing.assert_array_equal(eye.npa, condition & eye.retina)
    assert eye.npa.any()
    assert not simulate(kind, SMALL, 4, condition=np.zeros_like(condition)).npa.any()


def test_a_condition_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="condition"):
        simulate("55", SMALL, 0, condition=np.zeros((64, SMALL), bool))
