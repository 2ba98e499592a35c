"""Whatever an export shows around the angiogram, the same retina is found, and nothing else."""

import csv

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from clinic.surroundings import AROUND, on_gray, two_eyes
from napari_npa.cli.main import app
from napari_npa.errors import RetinaError
from napari_npa.imaging.field import instrument_field
from napari_npa.io.angiogram import angiogram_from_array, read_angiogram
from napari_npa.segmentation.retina import find_retina
from napari_npa.simulation import simulate

EYES = {"55": ("55", 400), "uwfa": ("uwfa", 600)}


@pytest.fixture(scope="module", params=EYES)
def eye(request):
    """An angiogram, and the retina that is found in it."""
    kind, size = EYES[request.param]
    pixels = simulate(seed=1, kind=kind, size=size).pixels
    return pixels, find_retina(gray(pixels))


def gray(samples):
    return angiogram_from_array(samples).pixels


def dice(one, other):
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


@pytest.mark.parametrize("around", AROUND)
def test_the_retina_is_found_whatever_is_around_it(eye, around):
    pixels, plain = eye
    export, place = AROUND[around](pixels)
    found = find_retina(gray(export))
    assert found.view == plain.view
    assert dice(found.gradable[place], plain.gradable) > 0.99
    assert np.count_nonzero(found.gradable) == np.count_nonzero(found.gradable[place])
    height, width = (
        (span.stop - span.start) / (known.stop - known.start)
        for span, known in zip(found.window, plain.window, strict=True)
    )
    assert height == pytest.approx(1, abs=0.03)
    assert width == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("level", [40, 128, 255])
def test_a_round_field_on_a_page_is_found_and_the_page_is_blackened(level):
    pixels = simulate(seed=1, kind="55", size=400).pixels
    plain = find_retina(gray(pixels))
    field = instrument_field(gray(pixels))
    export = gray(on_gray(pixels, field, level))
    found = find_retina(export)
    assert found.view.name == "55"
    assert dice(found.gradable, plain.gradable) > 0.98
    # In the wedges between field and sides, single pixels stay.
    assert np.mean(found.cleaned(export)[~field] < 0.02) > 0.995
    assert np.array_equal(found.cleaned(export)[found.gradable], export[found.gradable])


@pytest.mark.parametrize("around", ["bar_below", "white_page", "line_around"])
def test_what_was_left_out_is_told(eye, around):
    pixels, _ = eye
    export, _ = AROUND[around](pixels)
    (note,) = find_retina(gray(export)).notes
    assert note.startswith("only the picture of ")


def test_a_plain_export_is_taken_whole_and_says_nothing(eye):
    pixels, plain = eye
    assert plain.notes == ()
    assert plain.page is None
    assert plain.cleaned(pixels) is pixels


@pytest.mark.parametrize("gap", [0, 40])
@pytest.mark.parametrize("on_page", [False, True])
def test_two_eyes_in_one_picture_are_refused_with_the_remedy(eye, gap, on_page):
    pixels, _ = eye
    export = two_eyes(pixels, gap)
    if on_page:
        export = np.pad(export, 80, constant_values=255)
    with pytest.raises(RetinaError) as caught:
        find_retina(gray(export), name="both.png")
    assert caught.value.reason == "shows two pictures side by side"
    assert caught.value.remedy == "Cut it into one image for each eye."


def test_two_pictures_apart_on_a_page_are_refused_as_well(eye):
    pixels, _ = eye
    between = np.full((len(pixels), 60), 255, np.uint8)
    export = np.pad(np.hstack([pixels, between, pixels[:, ::-1]]), 80, constant_values=255)
    with pytest.raises(RetinaError) as caught:
        find_retina(gray(export), name="both.png")
    assert caught.value.reason == "shows two pictures side by side"


@pytest.fixture(scope="module")
def healthy(data):
    """Ten real frames of a camera, as 8-bit samples, and the retina that is found in them."""
    frames = [read_angiogram(path).pixels for path in (data / "ffa55" / "normal").glob("*.jpg")]
    return [(np.round(255 * pixels).astype(np.uint8), find_retina(pixels)) for pixels in frames]


@pytest.mark.parametrize("around", AROUND)
def test_healthy_frames_of_a_camera_stay_camera_frames(healthy, around):
    for pixels, plain in healthy:
        export, place = AROUND[around](pixels)
        found = find_retina(gray(export))
        assert found.view.name == "55"
        assert dice(found.gradable[place], plain.gradable) > 0.99


@pytest.mark.parametrize("level", [0, 60, 255])
def test_a_box_in_the_field_is_not_gradable_and_that_is_told(eye, level):
    pixels, plain = eye
    rows, columns = (slice(len(pixels) // 2, len(pixels) // 2 + 40), slice(150, 260))
    boxed = pixels.copy()
    boxed[rows, columns] = level
    found = find_retina(gray(boxed))
    assert not found.gradable[rows, columns].any()
    beyond = np.ones(pixels.shape, bool)
    beyond[rows.start - 6 : rows.stop + 6, columns.start - 6 : columns.stop + 6] = False
    assert dice(found.gradable[beyond], plain.gradable[beyond]) > 0.97
    assert found.notes == ("a box of one gray level in the field is not gradable",)


@pytest.mark.parametrize(("chosen", "kind"), [("55", "uwfa"), ("uwfa", "55"), ("55", "55")])
def test_the_field_of_view_can_be_chosen(chosen, kind):
    pixels = simulate(seed=1, kind=kind, size=400).pixels
    found = find_retina(gray(pixels), field_of_view=chosen)
    assert found.view.name == chosen
    assert found.gradable.any()


def test_the_shell_chooses_the_field_of_view_and_tells_it(tmp_path, tiny_model):
    Image.fromarray(simulate(seed=1, kind="55", size=200).pixels).save(tmp_path / "eye.png")
    for name, options in (("auto", []), ("uwfa", ["--field-of-view", "uwfa"])):
        output = tmp_path / name
        how = ["--output", output, "--model", tiny_model, "--device", "cpu", *options]
        arguments = map(str, ["segment", tmp_path / "eye.png", *how])
        assert CliRunner().invoke(app, arguments).exit_code == 0
        with (output / "ischemia.csv").open(encoding="utf-8") as table:
            (row,) = csv.DictReader(table)
        assert row["field_of_view"] == {"auto": "55", "uwfa": "uwfa"}[name]
