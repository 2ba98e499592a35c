import pytest

from napari_npa.errors import TrainingError
from napari_npa.training.dataset import gather_files, patient_of, split_by_patient


def test_images_of_one_patient_are_in_one_part(files):
    train, test = split_by_patient(files, ["patient01"])
    assert {file.patient for file in train} == {"patient02", "patient03"}
    assert [file.image.stem for file in test] == ["patient01_1", "patient01_2"]


def test_patient_is_found_in_the_name_or_is_the_name(tmp_path):
    assert patient_of(tmp_path / "patient11_11-3.jpg", r"patient\d+") == "patient11"
    assert patient_of(tmp_path / "normal0036.jpg", r"patient\d+") == "normal0036"


def test_holding_out_an_unknown_patient_or_everybody_is_an_error(files):
    with pytest.raises(TrainingError, match="no patient of the training set"):
        split_by_patient(files, ["patient99"])
    with pytest.raises(TrainingError, match="no image with a mask left"):
        split_by_patient(files, ["patient*"])


def test_empty_and_absent_folders_are_errors(tmp_path):
    with pytest.raises(TrainingError, match="holds no angiogram"):
        gather_files(None, None, [tmp_path], (), "")
    with pytest.raises(TrainingError, match="cannot be read"):
        gather_files(None, None, [tmp_path / "absent"], (), "")
