import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import binary_erosion, gaussian_filter, label

import napari_npa
from drawing import draw_round_angiogram
from napari_npa import Segmenter
from napari_npa.errors import AngiogramError, Cancelled, DeviceError, RetinaError, WeightsError
from napari_npa.imaging.field_of_view import ULTRA_WIDEFIELD
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.models.inference import (
    Inference,
    Steps,
    _pieces,
    _weight,
    _with_margin,
    target_probability,
)
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.models.weights import load_model
from napari_npa.segmentation.segmenter import non_perfusion, without_uncalled_areas
from napari_npa.simulation import simulate


class Dark(torch.nn.Module):
    """Stands where the network stands: calls dark pixels non-perfused, so results are known."""

    def __init__(self, network):
        super().__init__()
        self.config, self.stages, self.decoder = network.config, network.stages, network.decoder

    def forward(self, images):
        return 20 * (0.5 - images[:, :1])


@pytest.fixture
def segmenter(tiny_model):
    return Segmenter("cpu", tiny_model)


@pytest.fixture
def dark(tiny_model):
    """Segmenter whose network flags what is darker than half of white."""
    segmenter = Segmenter("cpu", tiny_model)
    segmenter.whole.network = Dark(segmenter.whole.network)
    return segmenter


def test_result_is_on_the_images_own_grid(segmenter):
    image = np.pad(draw_round_angiogram(150), ((0, 31), (3, 0)))
    result = segmenter.segment(image)
    for array, dtype in (
        (result.npa, bool),
        (result.retina, bool),
        (result.probability, np.float32),
    ):
        assert array.shape == image.shape
        assert array.dtype == dtype
    assert 0 <= result.probability.min() <= result.probability.max() <= 1
    assert 0 <= result.isi <= 1


def test_dark_sector_is_found_where_it_is(dark):
    image = draw_round_angiogram(256)
    # As dark as it may be, the retina has grain: an area of one gray level is a burned-in box.
    image[100:160, 40:110] = np.random.default_rng(0).integers(2, 7, (60, 70))
    npa = dark.segment(image).npa
    inner = np.zeros_like(npa)
    inner[108:152, 48:102] = True
    assert npa[inner].mean() > 0.95
    assert npa[180:230, 100:160].mean() < 0.1


def test_nothing_is_flagged_outside_the_gradable_retina(dark):
    image = draw_round_angiogram(200) // 4  # dim: the network would flag nearly everything
    result = dark.segment(image, threshold=0.01)
    assert result.npa.any()
    assert not (result.npa & ~result.retina).any()


def test_threshold_moves_the_area_one_way_only(segmenter, round_angiogram):
    result = segmenter.segment(round_angiogram)
    middle = float(np.median(result.probability[result.retina]))
    low, high = result.at_threshold(middle * 0.9).npa, result.at_threshold(middle * 1.1).npa
    assert not (high & ~low).any()
    assert low.sum() > high.sum()


def test_small_areas_stay_below_the_threshold_and_a_lower_one_brings_them_back():
    probability = np.full((40, 40), 0.1, np.float32)
    probability[2:5, 2:5] = 0.9  # 9 pixels
    probability[10:20, 10:20] = 0.7  # 100 pixels, of which 50 are gradable
    gradable = np.ones((40, 40), bool)
    gradable[15:] = False
    kept = without_uncalled_areas(probability, gradable, 0.5, least_pixels=10)
    expected = np.zeros((40, 40), bool)
    expected[10:15, 10:20] = True
    np.testing.assert_array_equal(non_perfusion(kept, gradable, 0.5), expected)
    np.testing.assert_array_equal(
        non_perfusion(kept, gradable, 0.45), non_perfusion(probability, gradable, 0.45)
    )
    assert not non_perfusion(
        without_uncalled_areas(probability, gradable, 0.5, least_pixels=51), gradable, 0.5
    ).any()
    np.testing.assert_array_equal(
        without_uncalled_areas(probability, gradable, 0.5, least_pixels=0), probability
    )


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.integers(0, 60))
def test_leaving_out_small_areas_adds_nothing_and_leaves_only_large_ones(seed, threshold, least):
    rng = np.random.default_rng(seed)
    probability = gaussian_filter(rng.random((48, 48)), 1.5).astype(np.float32)
    probability = (probability - probability.min()) / np.ptp(probability)
    gradable = np.ones((48, 48), bool)
    before = non_perfusion(probability, gradable, threshold)
    kept = without_uncalled_areas(probability, gradable, threshold, least_pixels=least)
    after = non_perfusion(kept, gradable, threshold)
    assert not (after & ~before).any()
    areas, count = label(after)
    assert all((areas == area).sum() >= least for area in range(1, count + 1))


def test_areas_in_the_rim_stay_below_the_threshold_and_those_that_reach_inwards_do_not():
    probability = np.full((200, 200), 0.1, np.float32)
    probability[10:30, 60:100] = 0.9  # in the rim
    probability[10:60, 120:160] = 0.9  # from the rim inwards
    probability[100:120, 100:120] = 0.9  # far inside
    gradable = np.zeros((200, 200), bool)
    gradable[10:190, 10:190] = True
    probability[189:, 20:100] = 0.9  # a line along the outline
    np.testing.assert_array_equal(without_uncalled_areas(probability, gradable, 0.5), probability)
    expected = non_perfusion(probability, gradable, 0.5)
    expected[10:30, 60:100] = expected[189] = False
    kept = without_uncalled_areas(probability, gradable, 0.5, rim_pixels=32)
    np.testing.assert_array_equal(non_perfusion(kept, gradable, 0.5), expected)
    np.testing.assert_array_equal(
        non_perfusion(kept, gradable, 0.45), non_perfusion(probability, gradable, 0.45)
    )


def test_threshold_may_differ_by_field_of_view(tiny_model, round_angiogram):
    model = replace(load_model(tiny_model), thresholds={"55": 0.3, "uwfa": 0.6})
    assert Segmenter("cpu", model).segment(round_angiogram).threshold == 0.3
    assert Segmenter("cpu", model).segment(round_angiogram, threshold=0.7).threshold == 0.7


def test_file_and_array_give_the_same_result(segmenter, round_angiogram, tmp_path):
    from PIL import Image

    Image.fromarray(round_angiogram).save(tmp_path / "eye.png")
    from_file = segmenter.segment(tmp_path / "eye.png")
    from_array = segmenter.segment(round_angiogram)
    np.testing.assert_array_equal(from_file.probability, from_array.probability)
    assert from_file.angiogram.name == "eye.png"


def test_same_image_twice_gives_the_same_bytes(segmenter, round_angiogram):
    once, twice = (segmenter.segment(round_angiogram) for _ in range(2))
    assert once.probability.tobytes() == twice.probability.tobytes()


def test_progress_counts_up_to_its_total(segmenter, round_angiogram):
    seen = []
    segmenter.segment(round_angiogram, progress=lambda done, total: seen.append((done, total)))
    done = [step for step, _ in seen]
    assert done == sorted(done)
    assert seen[-1][0] == seen[-1][1]
    assert len(seen) > 5


def test_cancelling_inside_the_network_stops_there(segmenter, round_angiogram):
    def cancel(done, total):
        if done == 6:
            raise Cancelled

    with pytest.raises(Cancelled):
        segmenter.segment(round_angiogram, progress=cancel)
    assert segmenter.segment(round_angiogram).isi >= 0  # and it can be used again


def test_out_of_memory_falls_back_to_smaller_pieces_and_says_so(
    tiny_model, round_angiogram, monkeypatch
):
    whole = Segmenter("cpu", tiny_model)
    expected = whole.segment(round_angiogram)
    scarce = Segmenter("cpu", tiny_model)
    run = scarce.whole.run_in_pieces

    def run_in_little_memory(channels, device, pieces, *rest):
        if pieces == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run(channels, device, pieces, *rest)

    monkeypatch.setattr(scarce.whole, "run_in_pieces", run_in_little_memory)
    result = scarce.segment(round_angiogram)
    assert result.notes == ("out of memory on cpu with 1 piece(s)",)
    # The margin is wider than the 64-pixel canvas here, so pieces see all that the whole saw.
    np.testing.assert_allclose(result.probability, expected.probability, atol=1e-4)


def test_a_mirrored_frame_has_the_mirrored_result(segmenter, round_angiogram):
    expected = segmenter.segment(round_angiogram).probability
    for axes in (0, 1, (0, 1)):
        mirrored = segmenter.segment(np.flip(round_angiogram, axes)).probability
        np.testing.assert_allclose(np.flip(mirrored, axes), expected, atol=0.02)


@pytest.mark.parametrize("pieces", [1, 2, 4])
@pytest.mark.parametrize("shape", [(96, 256), (32, 32), (224, 160)])
def test_every_pixel_is_in_one_piece_and_every_piece_fits_the_network(shape, pieces):
    covered, weights = np.zeros(shape, int), np.zeros(shape)
    for piece in _pieces(shape, pieces, 32):
        around = _with_margin(piece, shape)
        weight = _weight(piece, around, shape).numpy()
        assert (weight >= 0).all()
        weights[around] += weight
        covered[piece] += 1
        inner = np.zeros(shape, bool)
        inner[piece] = True
        assert inner[around].sum() == inner.sum()  # a piece lies within its margin
        assert all(length % 32 == 0 for length in weight.shape)
    assert (covered == 1).all()
    assert (weights > 0).all()
    if min(shape) / pieces >= 2 * 32:  # pieces as wide as their two seams
        np.testing.assert_allclose(weights, 1, atol=1e-6)


def test_only_the_part_of_the_canvas_with_retina_goes_through_the_network(tiny_model, monkeypatch):
    # A network from elsewhere gets the image as it is: ours would first cut the wide margins off.
    model = replace(load_model(tiny_model), input="rgb", canvases={"55": 512, "uwfa": 512})
    segmenter = Segmenter("cpu", model)
    seen = []
    run = segmenter.whole.run_in_pieces

    def watched(channels, *rest):
        seen.append(channels.shape)
        return run(channels, *rest)

    monkeypatch.setattr(segmenter.whole, "run_in_pieces", watched)
    image = np.zeros((512, 512), np.uint8)
    image[200:328, 40:168] = draw_round_angiogram(128)
    result = segmenter.segment(image)
    # Rows 200 to 328, columns 40 to 168, 64 of context, outwards to multiples of 32.
    assert seen == [(1, 3, 288, 256)]
    assert result.probability.shape == (512, 512)
    rows, columns = np.nonzero(result.probability)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (128, 415, 0, 255)


def test_a_camera_frame_goes_through_the_network_mirrored_four_ways(tiny_model, monkeypatch):
    segmenter = Segmenter("cpu", tiny_model)
    seen = []
    run = segmenter.whole.run_in_pieces
    monkeypatch.setattr(
        segmenter.whole,
        "run_in_pieces",
        lambda channels, *rest: (seen.append(channels.shape), run(channels, *rest))[1],
    )
    segmenter.segment(draw_round_angiogram(128))
    assert seen == [(4, 3, 64, 64)]


@pytest.mark.parametrize("place", [(200, 40), (0, 0), (384, 300)])
def test_margins_of_the_export_do_not_matter(segmenter, place):
    frame = draw_round_angiogram(128)
    exported = np.zeros((512, 640), np.uint8)
    window = (slice(place[0], place[0] + 128), slice(place[1], place[1] + 128))
    exported[window] = frame
    found = segmenter.segment(exported)
    alone = segmenter.segment(frame)
    assert found.probability.shape == exported.shape
    assert not np.delete(found.probability, np.s_[window[0]], axis=0)[:, window[1]].any()
    inner = binary_erosion(alone.retina, iterations=8)
    difference = np.abs(found.probability[window] - alone.probability)[inner]
    assert np.mean(difference) < 0.02


def test_pieces_are_blended_without_a_seam():
    class Constant(torch.nn.Module):
        """Gives every piece a level of its own, the worst case for a seam."""

        def __init__(self, network):
            super().__init__()
            self.config, self.stages, self.decoder = network.config, network.stages, network.decoder
            self.calls = 0

        def forward(self, images):
            self.calls += 1
            return torch.full_like(images[:, :1], 3.0 if self.calls % 2 else -3.0)

    model = load_model_like(VGGUNet(UNetConfig(decoder=(8, 8, 8, 8))).eval())
    inference = Inference(replace(model, output="npa"), torch.device("cpu"))
    inference.network = Constant(inference.network)
    steps = Steps(None, 1)
    found = inference.run_in_pieces(
        torch.zeros(1, 3, 256, 512), torch.device("cpu"), 2, steps, "npa"
    )
    jumps = np.abs(np.diff(found[0].numpy(), axis=1)).max()
    assert 0 < jumps < 1.5 * 0.91 / 64  # of 0.05 to 0.95 over a seam of 64 pixels


def test_two_scale_mode_needs_and_uses_both_networks(tiny_model, tmp_path):
    coarse = replace(load_model(tiny_model), canvases={"55": 64, "uwfa": 64})
    finer = replace(coarse, canvases={"55": 128, "uwfa": 128}, name="finer")
    image = draw_round_angiogram(256)
    alone = Segmenter("cpu", coarse).segment(image)
    both = Segmenter("cpu", coarse, mode="two-scale", tile=finer).segment(image)
    assert both.model == f"{alone.model}+finer"
    tile = Segmenter("cpu", finer).segment(image).probability
    low, high = np.minimum(alone.probability, tile), np.maximum(alone.probability, tile)
    inner = binary_erosion(alone.retina, iterations=12)
    assert (both.probability[inner] > low[inner] - 0.05).all()
    assert (both.probability[inner] < high[inner] + 0.05).all()
    same = Segmenter("cpu", coarse, mode="two-scale", tile=coarse).segment(image)
    np.testing.assert_array_equal(same.probability, alone.probability)  # nothing finer to see


@pytest.mark.slow
def test_the_embedded_tile_network_looks_at_both_scales_of_ultra_widefield_images(tmp_path):
    eye = simulate("uwfa", 512, seed=4).pixels
    one, two = (Segmenter("cpu", mode=mode).segment(eye) for mode in ("whole", "two-scale"))
    assert one.model == two.model == "tile"
    assert one.threshold == two.threshold == load_model("tile").threshold_for(ULTRA_WIDEFIELD)
    assert not np.array_equal(one.probability, two.probability)
    assert Segmenter("cpu").segment(draw_round_angiogram(256)).model == "whole"


@pytest.mark.slow
def test_a_network_of_ones_own_is_part_of_both_scales(tiny_model):
    eye = simulate("uwfa", 512, seed=4).pixels
    own = replace(load_model(tiny_model), name="own")
    assert Segmenter("cpu", own).segment(eye).model == "own"
    assert Segmenter("cpu", own, mode="two-scale").segment(eye).model == "own+tile"


def test_the_automatic_choice_may_be_asked_for_by_its_old_name(round_angiogram):
    auto, old = Segmenter("cpu"), Segmenter("cpu", "whole")
    assert (auto.weights, auto.mode) == (old.weights, old.mode)
    np.testing.assert_array_equal(
        auto.segment(round_angiogram).probability, old.segment(round_angiogram).probability
    )


def test_two_scales_are_the_default_of_the_weights_made_for_it_alone(tiny_model):
    tile = load_model("tile").sha256
    assert Segmenter("cpu").mode == "two-scale"
    assert Segmenter("cpu", tiny_model).mode == "whole"
    assert tile in Segmenter("cpu").weights
    assert tile in Segmenter("cpu", mode="whole").weights
    assert tile not in Segmenter("cpu", tiny_model).weights
    assert tile in Segmenter("cpu", tiny_model, mode="two-scale").weights


def test_no_memory_at_all_is_said_plainly(segmenter, round_angiogram, monkeypatch):
    def run(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 10 bytes")

    monkeypatch.setattr(segmenter.whole, "run_in_pieces", run)
    with pytest.raises(DeviceError, match="too little free memory"):
        segmenter.segment(round_angiogram)


def test_other_failures_of_the_network_are_not_taken_for_lack_of_memory(
    segmenter, round_angiogram, monkeypatch
):
    def run(*_):
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(segmenter.whole, "run_in_pieces", run)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        segmenter.segment(round_angiogram)


@pytest.mark.parametrize("bad", [np.zeros((200, 200), np.uint8), np.full((90, 90), np.nan)])
def test_images_without_anything_to_see_are_refused(segmenter, bad):
    with pytest.raises((AngiogramError, RetinaError)):
        segmenter.segment(bad)


def test_absent_device_and_unknown_model_are_refused():
    with pytest.raises(DeviceError, match="Choose one of: auto, cuda, mps, cpu"):
        Segmenter("quantum")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="not present"):
            Segmenter("cuda")
    with pytest.raises(WeightsError):
        Segmenter("cpu", "no-such-model")


def test_two_class_network_gives_the_softmax_of_class_1():
    logits = torch.tensor([[[[0.0]], [[np.log(3.0)]]]])
    assert float(target_probability(logits, "classes")) == pytest.approx(0.75)


def test_the_retina_output_does_not_change_the_probability_of_non_perfusion():
    logits = torch.tensor([[[[np.log(3.0)]], [[-7.0]]]])
    assert float(target_probability(logits, "npa+retina")) == pytest.approx(0.75)
    assert float(target_probability(logits[:, :1], "npa")) == pytest.approx(0.75)


def test_foreign_network_sees_gray_levels_of_255(tmp_path, round_angiogram):
    torch.manual_seed(0)
    network = VGGUNet(replace(UNetConfig.published(), decoder=(8, 8, 8, 8))).eval()
    model = replace(
        load_model_like(network), input="rgb", canvases={"55": 64, "uwfa": 64}, threshold=0.5
    )
    result = Segmenter("cpu", model).segment(round_angiogram)
    box = Letterbox(round_angiogram.shape, 64)
    canvas = torch.from_numpy(box.apply(round_angiogram.astype(np.float32) / 255))
    with torch.inference_mode():
        expected = torch.softmax(network(canvas.expand(1, 3, -1, -1))[0], 0)[1]
    np.testing.assert_allclose(result.probability, box.invert(expected).numpy(), atol=1e-2)


def load_model_like(network):
    from napari_npa.models.weights import Model

    return Model(network, "test", "0" * 64, "contrast", "classes", {"55": 64, "uwfa": 64}, 0.5)


@pytest.mark.slow
def test_a_12000_pixel_image_is_segmented(segmenter):
    small = draw_round_angiogram(1000)
    result = segmenter.segment(np.kron(small, np.ones((12, 12), np.uint8)))
    assert result.npa.shape == (12000, 12000)


def test_one_segmenter_serves_two_threads(segmenter):
    images = [draw_round_angiogram(128, seed) for seed in (1, 2)]
    expected = [segmenter.segment(image).probability for image in images]
    found = [None, None]

    def work(i):
        found[i] = segmenter.segment(images[i]).probability

    threads = [threading.Thread(target=work, args=(i,)) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_importing_the_package_imports_neither_torch_nor_napari():
    code = (
        "import sys, napari_npa; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'napari', 'qtpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_one_line_form_is_the_class(tiny_model, round_angiogram):
    result = napari_npa.segment(round_angiogram, device="cpu", model=tiny_model)
    expected = Segmenter("cpu", load_model(tiny_model)).segment(round_angiogram)
    assert result.isi == expected.isi
    assert callable(napari_npa.segment)  # and not hidden by a module of that name


def test_retina_of_a_round_frame_is_the_frame(segmenter, round_angiogram):
    retina = segmenter.segment(round_angiogram).retina
    rows, columns = np.mgrid[:160, :160] - 79.5
    disc = np.hypot(rows, columns) < 79
    assert (retina & ~disc).sum() == 0
    assert retina[binary_erosion(disc, iterations=6)].all()
