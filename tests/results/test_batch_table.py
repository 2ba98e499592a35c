"""A corrected result finds the table of its batch."""

import pytest

from napari_npa.errors import SaveError
from napari_npa.io.names import MANIFEST, TABLE
from napari_npa.results.table import Row, read_table, update_batch_table, write_table

OLD = Row(image="sub/a.tif", isi=0.1, result="sub/a", sha256="1", edited=False)
SAVED = Row(image="a.tif", isi=0.4, result="a", sha256="1", edited=True)


@pytest.fixture
def results(tmp_path):
    """Folder of a batch with one subfolder."""
    (tmp_path / "sub").mkdir()
    write_table(tmp_path, [OLD])
    (tmp_path / MANIFEST).write_text("{}")
    return tmp_path


def test_a_result_of_a_subfolder_changes_its_row_above(results):
    update_batch_table(results / "sub", SAVED)
    (row,) = read_table(results)
    assert (row.image, row.result, row.isi, row.edited) == ("sub/a.tif", "sub/a", 0.4, True)
    assert not (results / "sub" / TABLE).exists()


def test_a_result_that_the_batch_does_not_know_is_not_added_above(results):
    update_batch_table(results / "sub", Row(image="z.tif", isi=0.4, result="z", edited=True))
    assert read_table(results) == [OLD]


def test_the_table_of_the_folder_itself_comes_first(results):
    write_table(results / "sub", [Row(image="a.tif", isi=0.1, result="a", sha256="1")])
    update_batch_table(results / "sub", SAVED)
    assert read_table(results / "sub") == [SAVED]
    assert read_table(results) == [OLD]


def test_a_table_above_that_is_not_of_a_batch_is_left_alone(results):
    (results / MANIFEST).unlink()
    (results / TABLE).write_text("name,fee\nX,1\n")
    update_batch_table(results / "sub", SAVED)
    assert (results / TABLE).read_text() == "name,fee\nX,1\n"


def test_without_a_table_nothing_is_written(tmp_path):
    update_batch_table(tmp_path, SAVED)
    assert list(tmp_path.iterdir()) == []


def test_another_program_s_table_is_told(tmp_path):
    (tmp_path / TABLE).write_text("name,fee\nX,1\n")
    with pytest.raises(SaveError, match="not a table of results"):
        update_batch_table(tmp_path, SAVED)
