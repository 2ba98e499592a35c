"""The tile network on parts of an angiogram."""

import numpy as np
import pytest
import torch

from napari_npa.errors import Cancelled, WeightsError
from napari_npa.imaging.raster import bounding_box
from napari_npa.io.angiogram import angiogram_from_array
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.models.weights import save_model
from napari_npa.refine import Proposal, Region, TileNetwork, calibrated, polygon_region
from napari_npa.segmentation.segmenter import Segmenter

SIDE = 600


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Untrained network whose canvas is finer than what it sees at once."""
    torch.manual_seed(0)
    weights = tmp_path_factory.mktemp("weights") / "tile.safetensors"
    net = VGGUNet(UNetConfig(decoder=(8, 8, 8, 8))).eval()
    save_model(weights, net, canvases={"55": 576, "uwfa": 576}, threshold=0.5)
    return TileNetwork("cpu", weights)


@pytest.fixture(scope="module")
def angiogram():
    """A round field with vessels and noise."""
    from drawing import draw_round_angiogram

    return angiogram_from_array(draw_round_angiogram(SIDE))


@pytest.fixture(scope="module")
def seen(network, angiogram):
    """The angiogram as the network sees it."""
    return network.look(angiogram)


def square(top, left, side) -> Region:
    corners = [(top, left), (top, left + side), (top + side, left + side), (top + side, left)]
    return polygon_region(corners, (SIDE, SIDE))


def whole(proposal: Proposal) -> np.ndarray:
    values = np.full((SIDE, SIDE), np.nan)
    values[proposal.region.window] = proposal.evidence
    return values


def test_a_region_sees_what_the_whole_image_sees(network, seen):
    everything, part = network.propose(seen, [square(0, 0, 599), square(200, 180, 150)])
    both = ~np.isnan(whole(part))
    np.testing.assert_allclose(whole(part)[both], whole(everything)[both], atol=0.02)


def test_the_result_does_not_depend_on_where_the_pieces_fall(network, seen, monkeypatch):
    region = square(0, 0, 599)
    [one_piece] = network.propose(seen, [region])
    monkeypatch.setattr("napari_npa.models.inference.LARGEST_PIECE", 256)
    [pieces] = network.propose(seen, [region])
    monkeypatch.setattr("napari_npa.models.inference.LARGEST_PIECE", 192)
    [smaller] = network.propose(seen, [region])
    assert np.ptp(one_piece.evidence) > 0.1
    np.testing.assert_allclose(pieces.evidence, one_piece.evidence, atol=0.02)
    np.testing.assert_allclose(smaller.evidence, one_piece.evidence, atol=0.02)


def test_the_whole_region_is_what_the_segmenter_finds(network, angiogram, seen):
    segmentation = Segmenter("cpu", network.model).segment(angiogram)
    [proposal] = network.propose(seen, [square(0, 0, 599)])
    inner = segmentation.retina[proposal.region.window]
    expected = segmentation.probability[proposal.region.window]
    np.testing.assert_allclose(proposal.evidence[inner], expected[inner], atol=0.02)


def test_regions_in_one_batch_are_those_alone(network, seen):
    first, second = square(100, 100, 80), square(300, 250, 120)
    together = network.propose(seen, [first, second])
    for region, proposal in zip((first, second), together, strict=True):
        [alone] = network.propose(seen, [region])
        np.testing.assert_array_equal(alone.evidence, proposal.evidence)


def test_the_gradable_retina_is_another_question(network, seen):
    region = square(200, 200, 100)
    [npa] = network.propose(seen, [region])
    [retina] = network.propose(seen, [region], target="retina")
    assert (npa.evidence != retina.evidence).any()


def test_a_network_of_one_output_cannot_find_the_retina(tmp_path, angiogram):
    net = VGGUNet(UNetConfig(decoder=(8, 8, 8, 8), outputs=1)).eval()
    path = tmp_path / "one.safetensors"
    save_model(path, net, canvases={"55": 64, "uwfa": 64}, threshold=0.5)
    network = TileNetwork("cpu", path)
    with pytest.raises(WeightsError, match="has not learned the gradable retina"):
        network.propose(network.look(angiogram), [square(0, 0, 99)], target="retina")


def test_progress_is_told_and_can_stop_the_work(network, seen):
    told = []
    network.propose(seen, [square(0, 0, 99)], progress=lambda *step: told.append(step))
    assert told[-1][0] == told[-1][1]
    assert len(told) > 3

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        network.propose(seen, [square(0, 0, 99)], progress=stop)


def test_calibrating_puts_the_threshold_in_the_middle():
    probability = np.array([0, 0.2, 0.3, 0.7, 1], np.float32)
    found = calibrated(probability, 0.3)
    assert found.dtype == np.float32
    assert found[[0, 2, 4]] == pytest.approx([0, 0.5, 1])
    assert (np.diff(found) > 0).all()
    # By hand: odds of 0.7 are 7/3, of 0.3 they are 3/7; 49/9 to 1 is 49/58.
    assert found[3] == pytest.approx(49 / 58)


def test_a_place_in_the_image_and_on_the_canvas_are_the_same(seen):
    mask = np.zeros((SIDE, SIDE), bool)
    mask[210:330, 150:400] = True
    window = (slice(200, 340), slice(140, 410))
    part = seen.canvas_window(window)
    on_canvas = seen.canvas_mask(mask[window], window, part)
    scale = seen.place(1, 0)[0] - seen.place(0, 0)[0]
    assert on_canvas.sum() == pytest.approx(mask.sum() * scale**2, rel=0.02)
    back = seen.image_values(on_canvas.astype(np.float32), part, window) > 0.5
    assert np.count_nonzero(back != mask[window]) < 0.02 * mask.sum()
    rows, columns = bounding_box(back)
    assert (rows.start + 200, rows.stop + 200) == pytest.approx((210, 330), abs=1)
    assert (columns.start + 140, columns.stop + 140) == pytest.approx((150, 400), abs=1)
