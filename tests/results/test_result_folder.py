"""The one door to results: what is replaced, what is kept, what the table tells."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from napari_npa.annotation.session import AnnotationError, Session
from napari_npa.errors import AngiogramError, NpaError, ReplaceError, RetinaError
from napari_npa.imaging.field_of_view import ULTRA_WIDEFIELD
from napari_npa.io.angiogram import Angiogram
from napari_npa.io.masks import read_mask
from napari_npa.results.folder import ResultFolder
from napari_npa.results.record import Record, as_json, record_schema
from napari_npa.results.result import Result
from napari_npa.results.saved import SavedResult
from napari_npa.results.table import Row, read_table
from napari_npa.review.queue import ReviewQueue
from napari_npa.segmentation.retina import Retina
from napari_npa.segmentation.segmenter import Segmentation
from saving import visible

SHA, OTHER_SHA = "ab" * 32, "cd" * 32
SHAPE = (12, 10)


def segmentation_of(sha256=SHA, name="eye.tif", threshold=0.5, seed=0):
    pixels = np.random.default_rng(seed).random(SHAPE, np.float32)
    everywhere = (slice(0, SHAPE[0]), slice(0, SHAPE[1]))
    return Segmentation(
        probability=pixels,
        imaged=Retina(ULTRA_WIDEFIELD, np.ones(SHAPE, np.bool_), everywhere),
        threshold=threshold,
        angiogram=Angiogram(pixels, name, sha256, notes=("first of 3 pages",)),
        model="whole",
        model_sha256="ef" * 32,
        device="cpu",
        notes=("first of 3 pages",),
    )


@pytest.fixture
def automatic():
    return Result.of(segmentation_of(), seconds=2.0)


@pytest.fixture
def folder(tmp_path):
    return ResultFolder(tmp_path / "results")


def corrected(result):
    """The result with its non-perfusion turned inside out."""
    return result.corrected("npa", ~result.npa, "corrected by test")


def approve(folder, image, sha256):
    """Approve an image as the review does."""
    images = folder.path.parent / "images"
    images.mkdir(exist_ok=True)
    (images / image).touch()
    queue = ReviewQueue(images, folder.path)
    queue.approve(queue.names.index(image), sha256)
    queue.store()


def files(folder):
    return {path.name: path.read_bytes() for path in visible(folder.path)}


# Save and load


def test_what_is_saved_is_loaded(folder, automatic):
    saved = folder.save(automatic, "eye")
    assert [path.name for path in saved.files] == [
        "eye_npa.tif", "eye_retina.tif", "eye_overlay.png", "eye_npa.json",
    ]  # fmt: skip
    assert all(path.exists() for path in saved.files)
    loaded = folder.load(automatic.angiogram, "eye")
    np.testing.assert_array_equal(loaded.npa, automatic.npa)
    np.testing.assert_array_equal(loaded.retina, automatic.retina)
    assert loaded.provenance == automatic.provenance
    assert loaded.notes == automatic.notes
    assert not loaded.edited
    assert loaded.isi == automatic.isi


def test_the_record_has_a_format_and_the_hashes_of_its_files(folder, automatic):
    saved = folder.save(automatic, "eye")
    record = json.loads((folder.path / "eye_npa.json").read_text("utf-8"))
    assert record["format"] == 1
    assert record["image"] == {"name": "eye.tif", "sha256": SHA}
    assert set(record["files"]) == {"eye_npa.tif", "eye_retina.tif", "eye_overlay.png"}
    assert "replaces" not in record
    assert saved.is_whole


def test_a_correction_keeps_the_provenance_of_the_network(folder, automatic):
    folder.save(automatic, "eye")
    loaded = folder.load(automatic.angiogram, "eye")
    saved = folder.save(corrected(loaded), "eye")
    assert saved.edited
    assert saved.record.provenance == automatic.provenance
    assert saved.record.notes == ("first of 3 pages", "corrected by test")


def test_masks_without_a_record_are_loaded_as_a_persons(folder, automatic):
    folder.path.mkdir()
    for kind in ("npa", "retina"):
        tifffile.imwrite(folder.path / f"eye_{kind}.tif", np.ones(SHAPE, np.uint8))
    loaded = folder.load(automatic.angiogram, "eye")
    assert loaded.npa.all()
    assert loaded.edited
    assert loaded.provenance.model == ""


def test_absent_masks_and_those_of_another_size_are_told(folder, automatic):
    with pytest.raises(AngiogramError, match=r"'eye_npa\.tif'"):
        folder.load(automatic.angiogram, "eye")
    folder.path.mkdir()
    tifffile.imwrite(folder.path / "eye_npa.tif", np.ones((3, 3), np.uint8))
    with pytest.raises(AngiogramError, match="pixels"):
        folder.load(automatic.angiogram, "eye")


def test_an_image_called_ungradable_has_no_masks_to_load(folder, automatic):
    folder.save(automatic, "eye", probability=True)
    folder.save_ungradable(automatic.angiogram, "eye")
    assert list(files(folder)) == ["eye_npa.json"]
    with pytest.raises(AngiogramError, match="no part of the image can be judged"):
        folder.load(automatic.angiogram, "eye")


def test_without_gradable_retina_nothing_is_written(folder, automatic):
    nothing = automatic.corrected("retina", np.zeros(SHAPE, np.bool_))
    with pytest.raises(RetinaError):
        folder.save(nothing, "eye")
    assert not folder.path.exists()


def test_a_folder_of_today_without_format_is_read_and_written_over(folder, automatic):
    """Records before there was a format number name no format; the oldest name no files."""
    saved = folder.save(automatic, "eye")
    path = folder.path / "eye_npa.json"
    old = json.loads(path.read_text("utf-8"))
    del old["format"], old["files"]
    path.write_text(json.dumps(old))
    assert folder.load(automatic.angiogram, "eye").provenance == automatic.provenance
    again = folder.save(Result.of(segmentation_of(threshold=0.9), seconds=1.0), "eye")
    assert again.base == saved.base
    assert again.is_whole


# What is replaced, and what is not


def test_an_automatic_result_replaces_an_automatic_one(folder, automatic):
    folder.save(automatic, "eye")
    saved = folder.save(Result.of(segmentation_of(threshold=0.9)), "eye")
    assert saved.record.threshold == 0.9
    assert saved.base.name == "eye"


def test_a_corrected_result_is_replaced_only_when_asked(folder, automatic):
    folder.save(corrected(automatic), "eye")
    before = files(folder)
    with pytest.raises(
        ReplaceError, match=r"'eye_npa\.tif' is of a result that a person corrected"
    ):
        folder.save(automatic, "eye")
    assert files(folder) == before
    assert not folder.save(automatic, "eye", replace=True).edited


def test_an_approved_result_is_replaced_only_when_asked(folder, automatic):
    folder.save(automatic, "eye")
    approve(folder, "eye.tif", SHA)
    before = files(folder)
    with pytest.raises(ReplaceError, match="approved"):
        folder.save(Result.of(segmentation_of(threshold=0.9)), "eye")
    assert files(folder) == before


def test_a_result_called_ungradable_is_replaced_only_when_asked(folder, automatic):
    folder.save_ungradable(automatic.angiogram, "eye")
    with pytest.raises(ReplaceError, match="called ungradable"):
        folder.save(automatic, "eye")
    assert folder.save(automatic, "eye", replace=True).record.status == "ok"


def test_a_correction_that_nobody_has_seen_is_not_called_ungradable_unasked(folder, automatic):
    folder.save(corrected(automatic), "eye")
    before = files(folder)
    with pytest.raises(ReplaceError, match="corrected"):
        folder.save_ungradable(automatic.angiogram, "eye")
    assert files(folder) == before
    seen = folder.load(automatic.angiogram, "eye").basis
    assert folder.save_ungradable(automatic.angiogram, "eye", basis=seen).ungradable


def test_a_correction_goes_on_from_what_was_loaded(folder, automatic):
    folder.save(corrected(automatic), "eye")
    loaded = folder.load(automatic.angiogram, "eye")
    again = folder.save(corrected(loaded), "eye")
    np.testing.assert_array_equal(read_mask(again.npa), automatic.npa)


def test_of_two_graders_the_second_does_not_replace_the_first_unasked(folder, automatic):
    folder.save(automatic, "eye")
    first, second = (folder.load(automatic.angiogram, "eye") for _ in range(2))
    folder.save(corrected(first), "eye")
    other = second.corrected("npa", np.zeros(SHAPE, np.bool_))
    with pytest.raises(ReplaceError, match="corrected"):
        folder.save(other, "eye")


def test_a_correction_ends_the_approval_here_and_above(folder, automatic, tmp_path):
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "eye.tif").touch()
    below = ResultFolder(folder.path / "sub")
    below.save(automatic, "eye")
    queue = ReviewQueue(tree, folder.path, recursive=True)
    queue.approve(0, SHA)
    queue.store()
    assert ReviewQueue(tree, folder.path, recursive=True).state(0) == "approved"
    below.save(corrected(below.load(automatic.angiogram, "eye")), "eye")
    assert ReviewQueue(tree, folder.path, recursive=True).state(0) == "edited"
    queue.store()  # the review that is still open does not bring it back
    assert ReviewQueue(tree, folder.path, recursive=True).state(0) == "edited"


def test_the_same_masks_saved_again_stay_approved(folder, automatic):
    folder.save(automatic, "eye")
    approve(folder, "eye.tif", SHA)
    folder.save(folder.load(automatic.angiogram, "eye"), "eye")
    assert folder.is_approved(folder.find("eye", SHA))


@pytest.mark.parametrize(
    "name", ["eye_npa.tif", "eye_retina.tif", "eye_overlay.png", "eye_npa.json"]
)
def test_a_file_that_is_not_ours_is_replaced_only_when_asked(folder, automatic, name):
    folder.path.mkdir()
    theirs = b'{"grader": 2}' if name.endswith("json") else b"a grader's own"
    (folder.path / name).write_bytes(theirs)
    with pytest.raises(ReplaceError, match=name):
        folder.save(automatic, "eye")
    with pytest.raises(ReplaceError, match=name):
        folder.save_ungradable(automatic.angiogram, "eye")
    assert files(folder) == {name: theirs}
    assert folder.save(automatic, "eye", replace=True).is_whole


def test_a_link_is_not_ours_and_what_it_points_to_is_never_written(folder, automatic, tmp_path):
    folder.path.mkdir()
    outside = tmp_path / "elsewhere.tif"
    outside.write_bytes(b"elsewhere")
    (folder.path / "eye_npa.tif").symlink_to(outside)
    with pytest.raises(ReplaceError):
        folder.save(automatic, "eye")
    folder.save(automatic, "eye", replace=True)
    assert outside.read_bytes() == b"elsewhere"
    assert not (folder.path / "eye_npa.tif").is_symlink()


def test_a_mask_that_another_program_changed_is_a_persons(folder, automatic):
    folder.save(automatic, "eye")
    tifffile.imwrite(folder.path / "eye_npa.tif", np.ones(SHAPE, np.uint8))
    with pytest.raises(ReplaceError, match=r"eye_npa\.tif"):
        folder.save(automatic, "eye")
    loaded = folder.load(automatic.angiogram, "eye")
    assert loaded.npa.all()
    assert loaded.edited
    assert "another program" in loaded.notes[-1]


@pytest.mark.parametrize("damage", [b"", b"II*\0 and then nothing"])
def test_a_damaged_mask_of_an_automatic_result_is_made_again(folder, automatic, damage):
    folder.save(automatic, "eye")
    (folder.path / "eye_npa.tif").write_bytes(damage)
    assert folder.save(automatic, "eye").is_whole


def test_masks_left_by_a_save_that_was_killed_are_ours(folder, automatic):
    """The record is put in its place first, and names what it replaces."""
    folder.save(automatic, "eye")
    old = (folder.path / "eye_npa.tif").read_bytes()
    second = folder.save(Result.of(segmentation_of(threshold=0.9)), "eye")
    content = as_json(second.record)
    content["replaces"] = {"eye_npa.tif": hashlib.sha256(old).hexdigest()}
    (folder.path / "eye_npa.json").write_text(json.dumps(content))
    (folder.path / "eye_npa.tif").write_bytes(old)
    assert not folder.find("eye", SHA).is_whole
    with pytest.raises(AngiogramError, match="not saved completely"):
        folder.load(automatic.angiogram, "eye")
    assert folder.save(automatic, "eye").is_whole


def test_another_image_of_the_stem_gets_names_of_its_own(folder, automatic):
    folder.save(automatic, "eye")
    other = Result.of(segmentation_of(OTHER_SHA, seed=1))
    saved = folder.save(other, "eye")
    assert saved.base.name == f"eye_{OTHER_SHA[:8]}"
    assert folder.save(other, "eye").base == saved.base
    assert folder.find("eye", SHA).base.name == "eye"


def test_names_in_a_record_do_not_lead_out_of_the_folder(folder, automatic, tmp_path):
    saved = folder.save(automatic, "eye")
    content = as_json(saved.record)
    content["files"] |= {"../outside.tif": "00", "/etc/passwd": "00"}
    (folder.path / "eye_npa.json").write_text(json.dumps(content))
    names = {path.name for path in SavedResult.at(folder.path / "eye").files}
    assert names == {"eye_npa.tif", "eye_retina.tif", "eye_overlay.png", "eye_npa.json"}


@pytest.mark.parametrize(
    "content",
    [
        "{", "[" * 100_000, "[]", '{"image": {"name": "eye.tif", "sha256": 3}, "edited": true}',
        '{"image": {"name": "eye.tif", "sha256": "ab"}, "edited": true, "isi": -5}',
        '{"image": {"name": "eye.tif", "sha256": "ab"}, "edited": true, "format": 2}',
    ],
)  # fmt: skip
def test_what_is_not_a_record_is_not_ours(folder, automatic, content):
    folder.path.mkdir()
    (folder.path / "eye_npa.json").write_text(content)
    assert folder.find("eye", SHA) is None
    with pytest.raises(ReplaceError, match=r"eye_npa\.json"):
        folder.save(automatic, "eye")
    assert (folder.path / "eye_npa.json").read_text() == content


def test_a_file_of_another_program_above_the_results_does_not_matter(folder, automatic):
    folder.save(automatic, "eye")
    (folder.path.parent / "review.json").write_text('{"stars": 5}')
    folder.save(Result.of(segmentation_of(threshold=0.9)), "eye")
    (folder.path / "review.json").write_text("{")
    with pytest.raises(NpaError, match=r"'review\.json' cannot be read"):
        folder.save(automatic, "eye")


# Table and session


def test_rows_of_other_images_stay_and_a_correction_updates_its_own(folder, automatic):
    folder.put_row(folder.save(automatic, "eye").row)
    folder.put_row(Row("other.tif", isi=0.25, result="other"))
    folder.save(corrected(folder.load(automatic.angiogram, "eye")), "eye")
    first, second = read_table(folder.path)
    assert (first.image, first.edited) == ("eye.tif", True)
    assert first.isi == round(1 - automatic.isi, 6)
    assert second == Row("other.tif", isi=0.25, result="other")


def test_the_session_of_another_image_is_not_saved(folder, automatic):
    masks = np.zeros(SHAPE, np.bool_), np.ones(SHAPE, np.bool_)
    session = Session("other", OTHER_SHA, "whole", "ef" * 32, *masks).as_record()
    with pytest.raises(AnnotationError, match="is not the image that was annotated"):
        folder.save(replace(automatic, session=session), "eye")
    assert not folder.path.exists()


def session_of(result, tool):
    session = Session("eye", SHA, "whole", "ef" * 32, result.npa, result.retina)
    session.record(tool, ~result.npa, result.retina, 0.0)
    return session


def test_the_session_comes_back_from_the_record(folder, automatic):
    session = session_of(automatic, "brush")
    after = replace(corrected(automatic), session=session.as_record())
    folder.save(after, "eye")
    loaded = folder.load(automatic.angiogram, "eye")
    again = Session.from_record(loaded.session, loaded.npa, loaded.retina)
    assert again.edits == session.edits
    assert again.npa == session.npa


def test_the_annotation_of_another_day_joins_the_earlier_ones(folder, automatic):
    for tool in ("brush", "eraser", "fill"):
        before = folder.load(automatic.angiogram, "eye") if folder.path.exists() else automatic
        session = session_of(before, tool).as_record()
        folder.save(replace(corrected(before), session=session), "eye")
    session = folder.load(automatic.angiogram, "eye").session
    told = [*session["earlier"], session]
    assert [one["edits"][0]["tool"] for one in told] == ["brush", "eraser", "fill"]
    folder.save(replace(corrected(folder.load(automatic.angiogram, "eye")), session=None), "eye")
    assert folder.load(automatic.angiogram, "eye").session == session


def test_the_schema_in_the_docs_is_that_of_the_record():
    docs = Path(__file__).parents[2] / "docs" / "record.schema.json"
    assert json.loads(docs.read_text("utf-8")) == json.loads(json.dumps(record_schema()))


@given(st.binary(max_size=200))
def test_no_bytes_in_place_of_a_record_raise(tmp_path_factory, content):
    base = tmp_path_factory.mktemp("records") / "eye"
    base.with_name("eye_npa.json").write_bytes(content)
    saved = SavedResult.at(base)
    assert saved is None or isinstance(saved.record, Record)
