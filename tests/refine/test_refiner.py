"""Two verbs: set an image, correct it."""

import threading

import numpy as np
import pytest

from drawing import draw_round_angiogram
from napari_npa.annotation.session import Session
from napari_npa.errors import Cancelled, NpaError, WeightsError
from napari_npa.io.angiogram import angiogram_from_array
from napari_npa.refine import TOOLS, CloseUp, Refiner, TileNetwork, grow, polygon_region
from napari_npa.results.result import Provenance, Result
from napari_npa.segmentation.segmenter import Segmenter

BOX = (40, 60, 59, 99)
SQUARE = [(39.5, 59.5), (39.5, 99.5), (59.5, 99.5), (59.5, 59.5)]
"""The same as a polygon."""

PROVENANCE = Provenance("tiny", "0" * 64, 0.4, "cpu", 1.5)

WITHOUT_NETWORK = [tool.id for tool in TOOLS.values() if not tool.needs_network]


@pytest.fixture(scope="module")
def angiogram():
    return angiogram_from_array(draw_round_angiogram(160))


@pytest.fixture
def result(angiogram):
    """Masks as a folder holds them, without the automatic result: upper half non-perfused."""
    rows, columns = np.indices((160, 160)) - 79.5
    retina = np.hypot(rows, columns) < 75
    return Result(angiogram, retina & (rows < 0), retina, PROVENANCE)


@pytest.fixture
def refiner(tiny_model, result):
    made = Refiner("cpu", tiny_model)
    made.set_image(result)
    return made


@pytest.fixture
def nothing_is_loaded(monkeypatch):
    def refuse(*arguments, **more):
        raise AssertionError("this was not needed")

    monkeypatch.setattr("napari_npa.refine.tile.as_model", refuse)
    return refuse


@pytest.fixture
def searches(monkeypatch):
    """How often the retina was searched for, and a close-up made."""
    counted = {"retina": 0, "close-up": 0}
    from napari_npa.segmentation import retina

    find, make = retina.find_retina, CloseUp.of.__func__

    def watched_find(*arguments, **more):
        counted["retina"] += 1
        return find(*arguments, **more)

    def watched_make(cls, *arguments, **more):
        counted["close-up"] += 1
        return make(cls, *arguments, **more)

    monkeypatch.setattr("napari_npa.segmentation.retina.find_retina", watched_find)
    monkeypatch.setattr("napari_npa.refine.close_up.find_retina", watched_find)
    monkeypatch.setattr(CloseUp, "of", classmethod(watched_make))
    return counted


def test_a_box_holds_its_first_and_its_last_pixels(refiner, result):
    after = refiner.correct(box=BOX, action="remove")
    expected = result.npa.copy()
    expected[40:60, 60:100] = False
    np.testing.assert_array_equal(after.npa, expected)
    np.testing.assert_array_equal(after.retina, result.retina)


def test_a_box_a_polygon_and_a_region_of_the_same_pixels_give_the_same(refiner, result):
    masks = []
    region = polygon_region(SQUARE, (160, 160))
    for place in ({"box": BOX}, {"polygon": SQUARE}, {"regions": [region]}):
        refiner.set_image(result)
        masks.append(refiner.correct(**place, action="replace", sensitivity=0.6).npa)
    np.testing.assert_array_equal(masks[0], masks[1])
    np.testing.assert_array_equal(masks[0], masks[2])


def test_the_network_finds_what_it_finds_by_itself(refiner, result, tiny_model):
    after = refiner.correct(polygon=SQUARE, action="replace", sensitivity=0.6)
    network = TileNetwork("cpu", tiny_model)
    region = polygon_region(SQUARE, (160, 160))
    [proposal] = network.propose(network.look(result.angiogram), [region])
    expected = proposal.within(result.retina).applied(result.npa, "replace", 0.6)
    np.testing.assert_array_equal(after.npa, expected)


def test_several_regions_are_one_correction(refiner, result):
    other = polygon_region(np.add(SQUARE, (50, 0)), (160, 160))
    after = refiner.correct(
        regions=[polygon_region(SQUARE, (160, 160)), other], tool="shape", action="add"
    )
    assert after.npa[95:105, 60:100].all()
    assert after.npa.sum() > result.npa.sum()
    assert len(after.notes) == 1


def test_a_correction_goes_on_from_the_one_before(refiner):
    first = refiner.correct(box=(100, 70, 104, 74), tool="shape", action="add")
    second = refiner.correct(box=(110, 70, 114, 74), tool="shape", action="add")
    assert second.npa[100:105, 70:75].all()
    assert second.npa[110:115, 70:75].all()
    assert refiner.result is second
    assert not first.npa[110:115, 70:75].any()
    assert len(second.notes) == 2


def test_a_click_grows_and_is_guided_by_the_probability_if_there_is_one(tiny_model, angiogram):
    automatic = Segmenter("cpu", tiny_model).segment(angiogram)
    result = Result.of(automatic)
    refiner = Refiner("cpu", tiny_model)
    refiner.set_image(result)
    after = refiner.correct(click=(110, 80))
    close_up = CloseUp.of(angiogram, {"55": 512, "uwfa": 2048})
    grown = grow(close_up, (110, 80), retina=result.retina, probability=automatic.probability)
    np.testing.assert_array_equal(after.npa, grown.applied(result.npa, "add"))
    assert after.notes[-1] == "corrected by grow: add, sensitivity 0.5"


def test_the_retina_is_a_target_too(refiner, result):
    after = refiner.correct(box=BOX, tool="shape", action="remove", target="retina")
    np.testing.assert_array_equal(after.npa, result.npa)
    assert result.retina.sum() - after.retina.sum() == 20 * 40


def test_non_perfusion_is_found_in_the_retina_only(refiner, result):
    after = refiner.correct(box=(0, 0, 159, 159), tool="shape", action="replace")
    np.testing.assert_array_equal(after.npa, result.retina)


def test_provenance_stays_that_of_the_network_and_the_note_says_what_was_done(refiner):
    after = refiner.correct(box=BOX, action="replace", sensitivity=0.25)
    assert after.provenance is PROVENANCE
    assert after.notes[-1] == "corrected by network: replace, sensitivity 0.25"
    assert after.edited


# What is not needed is not done


@pytest.mark.parametrize("tool", WITHOUT_NETWORK)
def test_a_tool_without_a_network_loads_none(result, nothing_is_loaded, tool):
    refiner = Refiner("no such device", "no such weights")
    refiner.set_image(result)
    place = {"click": (110, 80)} if tool == "grow" else {"box": BOX}
    assert refiner.correct(**place, tool=tool).edited in (True, False)


def test_the_network_is_refused_only_when_it_is_needed(result):
    refiner = Refiner(model="no such weights")
    refiner.set_image(result)
    with pytest.raises(WeightsError, match="no such weights"):
        refiner.correct(box=BOX)


def test_the_shape_itself_needs_no_look_at_the_image(result, nothing_is_loaded, searches):
    refiner = Refiner(model="no such weights")
    refiner.set_image(result)
    refiner.correct(box=BOX, tool="shape")
    refiner.correct(box=BOX, tool="network", action="remove")
    refiner.correct(box=BOX, tool="walker", action="remove")
    assert searches == {"retina": 0, "close-up": 0}


def test_an_image_is_looked_at_once_whatever_its_masks(refiner, result, searches):
    refiner.correct(box=BOX, action="replace")
    refiner.correct(click=(110, 80))
    refiner.set_image(result.with_masks(~result.npa & result.retina, result.retina))
    refiner.correct(box=BOX, action="replace")
    refiner.correct(box=BOX, tool="threshold")
    # The tiny network has a canvas of its own; the tools without a network share another.
    assert searches == {"retina": 1, "close-up": 2}


def test_the_retina_of_an_automatic_result_is_not_searched_for_again(
    tiny_model, angiogram, searches
):
    result = Result.of(Segmenter("cpu", tiny_model).segment(angiogram))
    searches["retina"] = 0
    refiner = Refiner("cpu", tiny_model)
    refiner.set_image(result)
    refiner.correct(box=BOX)
    refiner.correct(box=BOX, tool="threshold")
    assert searches["retina"] == 0


def test_another_image_is_looked_at_too(refiner, result, searches):
    refiner.correct(box=BOX, tool="threshold")
    other = angiogram_from_array(np.ascontiguousarray(draw_round_angiogram(160)[::-1]))
    refiner.set_image(Result(other, result.npa, result.retina, PROVENANCE))
    refiner.correct(box=BOX, tool="threshold")
    assert searches == {"retina": 2, "close-up": 2}


def test_a_correction_waits_for_the_image_that_is_being_prepared(tiny_model, result, monkeypatch):
    go, loading, loads, load = threading.Event(), threading.Event(), [], TileNetwork.__init__

    def slow(self, *arguments):
        loads.append(arguments)
        loading.set()
        assert go.wait(20)
        load(self, *arguments)

    monkeypatch.setattr(TileNetwork, "__init__", slow)
    refiner = Refiner("cpu", tiny_model)
    refiner.set_image(result)
    after = []
    first = threading.Thread(target=refiner.prepare, args=(result,))
    second = threading.Thread(target=lambda: after.append(refiner.correct(box=BOX)))
    first.start()
    assert loading.wait(20)
    second.start()
    second.join(0.2)
    assert not after
    go.set()
    first.join(20)
    second.join(20)
    assert len(after) == 1
    assert len(loads) == 1


def test_preparing_does_the_slow_part_and_can_be_stopped(refiner, result, searches):
    told = []
    refiner.prepare(result, lambda *step: told.append(step))
    assert told == [(1, 2), (2, 2)]
    assert searches == {"retina": 1, "close-up": 1}
    refiner.correct(box=BOX)
    assert searches == {"retina": 1, "close-up": 1}

    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        refiner.correct(box=BOX, progress=stop)


# Adjusting


def test_the_last_correction_is_adjusted_without_looking_again(refiner, result, monkeypatch):
    refiner.correct(box=BOX, tool="threshold", action="replace", sensitivity=0.3)
    again = Refiner("cpu")
    again.set_image(result)
    expected = again.correct(box=BOX, tool="threshold", action="replace", sensitivity=0.7)
    monkeypatch.setattr(refiner, "find", None)
    adjusted = refiner.adjust(0.7)
    np.testing.assert_array_equal(adjusted.npa, expected.npa)
    assert adjusted.notes == expected.notes
    assert refiner.result is adjusted


def test_there_must_be_an_image_and_a_correction_before_it_is_adjusted(refiner, result):
    with pytest.raises(RuntimeError, match="set_image"):
        Refiner().correct(box=BOX)
    with pytest.raises(RuntimeError, match="correct first"):
        refiner.adjust(0.4)
    refiner.correct(box=BOX, tool="shape")
    refiner.set_image(result)
    with pytest.raises(RuntimeError, match="correct first"):
        refiner.adjust(0.4)


# The log


def test_the_session_gains_an_edit_and_keeps_those_before(refiner, result):
    angiogram = result.angiogram
    session = Session(
        "eye", angiogram.sha256, "tiny", "0" * 64, ~result.npa, result.retina, who="A"
    )
    session.record("brush", result.npa, result.retina, 0.0)
    begun = Result(angiogram, result.npa, result.retina, PROVENANCE, session=session.as_record())
    refiner.set_image(begun)
    after = refiner.correct(box=BOX, action="remove")
    assert [edit["tool"] for edit in after.session["edits"]] == ["brush", "network: remove"]
    assert after.session["edits"][-1]["removed"] == np.count_nonzero(result.npa[40:60, 60:100])
    assert after.session["who"] == "A"
    assert [edit["tool"] for edit in begun.session["edits"]] == ["brush"]


def test_a_log_begins_with_the_first_edit_and_holds_none_that_changed_nothing(refiner, result):
    unchanged = refiner.correct(box=(45, 70, 50, 90), tool="shape", action="add")
    assert unchanged.session is None
    assert not unchanged.edited
    after = refiner.correct(box=(100, 70, 109, 79), tool="shape", action="add")
    [edit] = after.session["edits"]
    assert (edit["tool"], edit["added"]) == ("shape: add", 100)
    assert after.session["model"] == {"name": "tiny", "sha256": "0" * 64}
    [edit] = refiner.adjust(0.4).session["edits"]
    assert edit["added"] == 100


# What is refused


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ({}, "exactly one place: box, polygon, regions or click"),
        ({"box": BOX, "click": (80, 80)}, "exactly one place"),
        ({"box": BOX, "tool": "magic"}, "allowed with a shape are network, shape, threshold"),
        ({"click": (80, 80), "tool": "network"}, "allowed with a click are grow"),
        ({"box": BOX, "action": "paint"}, "allowed are add, replace, remove, certain, subtract"),
        ({"box": BOX, "target": "disc"}, "allowed are npa, retina"),
        ({"box": BOX, "sensitivity": 60}, "from 0 to 1"),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_allowed(refiner, asked, line):
    with pytest.raises(ValueError, match=line):
        refiner.correct(**asked)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ({"box": (500, 500, 600, 600)}, "no pixel inside the shape; it is 160 x 160"),
        ({"polygon": [(1, 1)]}, "no pixel inside the shape"),
        ({"regions": []}, "no pixel inside the shape"),
        ({"click": (-1, 80)}, "cannot be grown into from row -1, column 80; it is 160 x 160"),
        ({"click": (80, 160)}, "cannot be grown into"),
    ],
)
def test_a_place_outside_the_image_is_an_error_that_says_so(refiner, result, place, line):
    with pytest.raises(NpaError, match=line):
        refiner.correct(**place)
    assert refiner.result is result
