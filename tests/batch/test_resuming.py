"""What a second run keeps, what it makes again, and what no run may touch."""

import json

import numpy as np
import pytest
import tifffile
import torch

from batch_folders import THRESHOLD, line_of, results, table, write_eye
from drawing import TINY_CANVASES
from napari_npa.batch import BatchOptions, run_batch
from napari_npa.io.angiogram import read_angiogram
from napari_npa.models.networks import UNetConfig, VGGUNet
from napari_npa.models.weights import save_model
from napari_npa.results.folder import ResultFolder
from napari_npa.review.queue import ReviewQueue
from napari_npa.segmentation.segmenter import Segmenter
from saving import save_corrected


@pytest.fixture(autouse=True)
def first_run(batch, source, output):
    """All was done before."""
    assert batch(source, output, "--recursive").exit_code == 0


@pytest.fixture
def made(batch, source, output):
    """Run again; the images that were made anew."""

    def run(*options):
        before = {path: path.stat().st_mtime_ns for path in output.rglob("*_npa.json")}
        result = batch(source, output, "--recursive", *options)
        assert "Traceback" not in result.output
        return {
            str(path.relative_to(output)).removesuffix("_npa.json")
            for path in output.rglob("*_npa.json")
            if path.stat().st_mtime_ns != before.get(path)
        }

    return run


ALL = {"a", "visit 1/b", "visit 1/眼底 造影"}


def correct(source, output, model, image="a.tif"):
    """Have a person draw over the mask of an image, as the panel saves it."""
    segmentation = Segmenter("cpu", model).segment(source / image)
    npa = np.zeros_like(segmentation.retina)
    npa[60:90, 60:90] = True
    folder = (output / image).parent
    stem = (source / image).stem
    return save_corrected(folder, stem, segmentation, npa).row


def test_a_correction_takes_the_place_of_the_result_that_shares_its_stem(
    batch, source, output, tiny_model
):
    write_eye(source / "a.png.tif", 5).rename(source / "a.tiff")
    assert batch(source, output).exit_code == 0
    row = correct(source, output, tiny_model, "a.tiff")
    assert row.result == f"a_{row.sha256[:8]}"
    assert json.loads((output / f"{row.result}_npa.json").read_text())["edited"]
    assert not json.loads((output / "a_npa.json").read_text())["edited"]


def test_what_is_whole_and_same_is_kept(made, output):
    before = results(output)
    assert made() == set()
    assert results(output) == before


def test_overwrite_makes_all_again(made, output):
    before = results(output)
    assert made("--overwrite") == ALL
    assert results(output) == before


def test_another_threshold_makes_all_again(made):
    assert made("--threshold", "0.44") == ALL


def test_other_weights_make_all_again(made, tmp_path):
    torch.manual_seed(1)
    network = VGGUNet(UNetConfig(decoder=(8, 8, 8, 8))).eval()
    save_model(tmp_path / "other.safetensors", network, canvases=TINY_CANVASES, threshold=0.5)
    assert made("--model", tmp_path / "other.safetensors") == ALL


def test_the_same_weights_under_another_name_are_the_same(made, tmp_path, tiny_model):
    (tmp_path / "copy.safetensors").write_bytes(tiny_model.read_bytes())
    assert made("--model", tmp_path / "copy.safetensors") == set()


def test_the_automatic_choice_under_its_old_name_is_the_same(made):
    assert made("--model", "whole") == ALL
    assert made("--model", "auto") == set()


def test_the_mode_by_default_is_the_same_as_if_it_were_asked_for(made):
    assert made("--mode", "whole") == set()


def test_another_version_makes_all_again(made, monkeypatch):
    monkeypatch.setattr("napari_npa.batch.one_image.__version__", "99")
    assert made() == ALL


def test_a_missing_probability_map_is_made_when_asked_for(made, output):
    assert made("--probability") == ALL
    (output / "a_probability.tif").unlink()
    assert made("--probability") == {"a"}


@pytest.mark.parametrize("damage", ["missing", "truncated"])
@pytest.mark.parametrize("name", ["a_npa.tif", "a_retina.tif", "a_overlay.png"])
def test_what_is_damaged_is_made_again(made, output, name, damage):
    before = results(output)
    path = output / name
    path.write_bytes(path.read_bytes()[:100])
    if damage == "missing":
        path.unlink()
    assert made() == {"a"}
    assert results(output) == before


def test_a_result_without_its_record_is_made_again(made, output):
    before = results(output)
    (output / "a_npa.json").unlink()
    assert made() == {"a"}
    assert results(output) == before


def test_what_a_damaged_record_tells_of_is_left_alone(made, output):
    """It may have told of corrected masks."""
    before = (output / "a_npa.tif").read_bytes()
    (output / "a_npa.json").write_text("{")
    (new,) = made()
    assert new.startswith("a_")
    assert (output / f"{new}_npa.tif").read_bytes() == before
    assert (output / "a_npa.json").read_text() == "{"


@pytest.mark.parametrize("lacks", ["isi", "npa_pixels", "retina_pixels"])
def test_a_record_that_lacks_something_is_made_again(made, output, lacks):
    before = results(output)
    path = output / "visit 1" / "b_npa.json"
    record = json.loads(path.read_text("utf-8"))
    del record[lacks]
    path.write_text(json.dumps(record))
    assert made() == {"visit 1/b"}
    assert results(output) == before


def test_a_changed_image_gets_a_result_of_its_own(made, source, output):
    old = (output / "a_npa.tif").read_bytes()
    write_eye(source / "a.tif", 77)
    (new,) = made()
    assert new.startswith("a_")
    assert table(output)[0]["result"] == new
    assert (output / "a_npa.tif").read_bytes() == old
    assert made() == set()


def test_corrected_masks_are_never_overwritten(made, source, output, tiny_model):
    row = correct(source, output, tiny_model, "visit 1/b.tif")
    mask = (output / "visit 1" / "b_npa.tif").read_bytes()
    for options in ([], ["--overwrite"], ["--overwrite", "--threshold", "0.44"]):
        assert "visit 1/b" not in made(*options)
        assert (output / "visit 1" / "b_npa.tif").read_bytes() == mask
        told = table(output)[1]
        assert told["image"] == "visit 1/b.tif"
        assert told["edited"] == "True"
        assert int(told["npa_pixels"]) == row.npa_pixels


@pytest.mark.parametrize("reviewed", ["visit 1", ""])
def test_approved_masks_are_never_overwritten(made, source, output, reviewed):
    """The folder was reviewed alone, or as one of a tree, where the approvals are kept then."""
    queue = ReviewQueue(source / reviewed, output / reviewed, recursive=True)
    queue.approve(
        queue.images.index(source / "visit 1" / "b.tif"),
        read_angiogram(source / "visit 1" / "b.tif").sha256,
    )
    queue.store()
    assert made("--overwrite", "--threshold", "0.44") == ALL - {"visit 1/b"}


def test_while_approvals_cannot_be_read_nothing_is_overwritten(made, output):
    (output / "review.json").write_text("{")  # which may tell of subfolders too
    before = (output / "a_npa.tif").read_bytes()
    assert made("--overwrite", "--threshold", "0.44") == set()
    assert (output / "a_npa.tif").read_bytes() == before
    assert "review.json" in table(output)[0]["message"]


def test_corrected_masks_that_were_damaged_are_told_and_left(made, source, output, tiny_model):
    correct(source, output, tiny_model)
    (output / "a_npa.tif").write_bytes(b"damaged")
    assert made("--overwrite") == ALL - {"a"}
    assert (output / "a_npa.tif").read_bytes() == b"damaged"
    failed = [row for row in table(output) if row["status"] == "failed"]
    assert ["corrected" in row["message"] for row in failed] == [True]


def test_when_corrections_are_removed_the_table_tells_the_new_result(
    made, source, output, tiny_model
):
    correct(source, output, tiny_model)
    made()
    assert table(output)[0]["edited"] == "True"
    for path in output.glob("a_*"):
        path.unlink()
    assert made() == {"a"}
    assert table(output)[0]["edited"] == "False"
    assert len(table(output)) == 3


def test_a_correction_saved_while_the_image_is_segmented_is_kept(
    source, output, tiny_model, monkeypatch
):
    saved = []
    segment = Segmenter.segment

    def slow(self, image, **options):
        found = segment(self, image, **options)
        if image.name == "a.tif" and not saved:
            saved.append(None)
            saved[0] = correct(source, output, tiny_model)
        return found

    monkeypatch.setattr(Segmenter, "segment", slow)
    options = BatchOptions(model=str(tiny_model), threshold=float(THRESHOLD))
    report = run_batch(source, output, options, device="cpu", resume=False)
    assert report.rows[0].edited
    assert report.rows[0].npa_pixels == saved[0].npa_pixels
    assert tifffile.imread(output / "a_npa.tif").sum() == saved[0].npa_pixels


def test_what_a_person_called_ungradable_stays_so(made, source, output):
    ResultFolder(output).save_ungradable(read_angiogram(source / "a.tif"))
    assert "a" not in made("--overwrite")
    assert (table(output)[0]["status"], table(output)[0]["edited"]) == ("ungradable", "True")


def test_counts_tell_what_was_done_before(batch, source, output):
    write_eye(source / "new.tif", 50)
    said = line_of(batch(source, output, "--recursive"))
    assert "4 images, 4 ok, 3 done before" in said
