import numpy as np
import pytest
import tifffile

from graded_folders import read_table
from napari_npa.analysis.evaluate import evaluate, write_evaluation
from napari_npa.errors import AngiogramError, EvaluationError
from napari_npa.io.names import NPA_FILE, RETINA_FILE


@pytest.fixture
def folders(tmp_path):
    """Predictions of two images, and annotations of both in another format and order."""
    predictions, masks = tmp_path / "predictions", tmp_path / "masks"
    predictions.mkdir()
    masks.mkdir()
    square = np.zeros((20, 20), np.uint8)
    square[5:15, 5:15] = 1
    for stem, shift in (("b", 0), ("a", 5)):
        tifffile.imwrite(predictions / f"{stem}{NPA_FILE}", np.roll(square, shift, 1))
        tifffile.imwrite(predictions / f"{stem}{RETINA_FILE}", np.ones((20, 20), np.uint8))
        tifffile.imwrite(masks / f"{stem}.tif", 255 * square)
    return predictions, masks


def test_masks_are_matched_by_stem_and_compared(folders):
    a, b = evaluate(*folders)
    assert (a.image, b.image) == ("a", "b")
    assert a.agreement.dice == pytest.approx(0.5)  # half of the square, shifted by half its side
    assert a.hausdorff95 == 5
    assert b.agreement.dice == 1
    assert a.isi_error == b.isi_error == 0


def test_comparison_is_inside_the_annotators_retina(folders):
    predictions, masks = folders
    left = np.zeros((20, 20), np.uint8)
    left[:, :10] = 1
    tifffile.imwrite(masks / f"a{RETINA_FILE}", left)
    a, _ = evaluate(predictions, masks)
    assert a.agreement.pixels == 200
    assert a.agreement.flagged == 0
    assert a.isi_error == pytest.approx(-25)


def test_a_missing_prediction_is_named_rather_than_left_out(folders):
    predictions, masks = folders
    (predictions / f"b{NPA_FILE}").unlink()
    with pytest.raises(EvaluationError, match="has no prediction for b"):
        evaluate(predictions, masks)


def test_masks_of_different_sizes_are_refused(folders):
    predictions, masks = folders
    tifffile.imwrite(masks / "a.tif", np.ones((10, 10), np.uint8))
    with pytest.raises(AngiogramError, match=r"20 x 20 .* 10 x 10"):
        evaluate(predictions, masks)


def test_empty_and_absent_folders_are_refused(folders, tmp_path):
    (tmp_path / "nothing").mkdir()
    with pytest.raises(EvaluationError, match="holds no mask"):
        evaluate(folders[0], tmp_path / "nothing")
    with pytest.raises(AngiogramError, match="'absent' cannot be read"):
        evaluate(folders[0], tmp_path / "absent")


def test_tables_hold_a_row_an_image_and_a_summary(folders, tmp_path):
    rows = evaluate(*folders)
    summary = write_evaluation(tmp_path / "scores.csv", rows).read_text()
    table = read_table(tmp_path / "scores.csv")
    assert [row["image"] for row in table] == ["a", "b"]
    assert float(table[0]["dice"]) == pytest.approx(0.5)
    assert "| dice | 0.750 |" in summary
    assert "Dice 0.750" in summary  # pooled: two areas of the same size
    assert "limits of agreement +0.00 to +0.00" in summary
