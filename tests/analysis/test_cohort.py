"""A folder of results is summarised by group, from its table."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graded_folders import write_results
from napari_npa.analysis.cohort import EVERYONE, Cohort, CohortImage, summarise
from napari_npa.analysis.groups import GROUPLESS, Groups
from napari_npa.errors import EvaluationError, SaveError
from napari_npa.io.names import TABLE


def test_groups_are_summarised_in_percent_and_all_images_last(tmp_path):
    indices = {"a.tif": 0.1, "b.tif": 0.2, "c.tif": 0.6, "d.tif": None, "e.tif": 0.3}
    arms = Groups(tmp_path / "groups.csv", "arm", {"a": "2", "b.tif": "2", "c": "10", "d": "10"})
    cohort = summarise(write_results(tmp_path / "results", indices), arms)
    two, ten, none, everyone = cohort.groups
    assert [g.group for g in (two, ten, none, everyone)] == ["2", "10", GROUPLESS, EVERYONE]
    assert (two.images, two.without_index) == (2, 0)
    assert two.isi.mean == two.isi.median == pytest.approx(15)
    assert two.isi.quartiles == pytest.approx((12.5, 17.5))
    assert two.deviation == pytest.approx(50**0.5)
    assert two.extremes == pytest.approx((10, 20))
    assert (ten.images, ten.without_index, ten.deviation) == (2, 1, None)
    assert (none.images, everyone.images, everyone.without_index) == (1, 5, 1)
    assert everyone.isi.mean == pytest.approx(30)
    assert [image.image for image in cohort.groupless] == ["e.tif"]


@given(
    images=st.lists(
        st.tuples(st.none() | st.floats(0, 100), st.sampled_from(["x", "X", "x2", GROUPLESS])),
        min_size=1,
    ),
    seed=st.integers(0, 100),
)
def test_the_order_of_the_rows_changes_nothing(images, seed):
    rows = [CohortImage(f"{n}.tif", f"{n}", isi, group) for n, (isi, group) in enumerate(images)]
    mixed = random.Random(seed).sample(rows, len(rows))
    assert Cohort(tuple(rows), "arm").groups == Cohort(tuple(mixed), "arm").groups


def test_ungradable_images_count_as_without_an_index(tmp_path):
    (tmp_path / TABLE).write_text("image,isi,status\na.tif,0.9,ungradable\n")
    (everyone,) = summarise(tmp_path).groups
    assert (everyone.without_index, everyone.isi) == (1, None)


def test_unknown_columns_are_allowed_and_masks_of_older_tables_have_the_name_of_the_image(tmp_path):
    (tmp_path / TABLE).write_text("status,new,isi,image\nok,1,0.25,north/a.tif\n")
    (image,) = summarise(tmp_path).images
    assert (image.image, image.base, image.isi_percent) == ("north/a.tif", "north/a", 25)


@pytest.mark.parametrize("isi", ["12.5", "nan", "-0.1"])
def test_an_impossible_index_is_refused(tmp_path, isi):
    (tmp_path / TABLE).write_text(f"image,isi,status\na.tif,{isi},ok\n")
    with pytest.raises(SaveError, match=f"it has '{isi}' in column 'isi' of line 2"):
        summarise(tmp_path)


@pytest.mark.parametrize("content", [None, "", "image,isi,status\n"])
def test_a_folder_without_results_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / TABLE).write_text(content)
    with pytest.raises(EvaluationError, match=f"holds no {TABLE} that lists an image"):
        summarise(tmp_path)


def test_a_table_that_a_european_excel_saved_is_read(tmp_path):
    (tmp_path / TABLE).write_text("status;new;isi;image\nok;1;0,25;a.tif\n")
    (image,) = summarise(tmp_path).images
    assert (image.image, image.isi_percent) == ("a.tif", 25)


@pytest.mark.parametrize("row", ["a.tif,much,ok", "a.tif,0.1,well", ",0.1,ok"])
def test_a_row_that_cannot_be_read_is_refused_rather_than_left_out(tmp_path, row):
    (tmp_path / TABLE).write_text(f"image,isi,status\nb.tif,0.1,ok\n{row}\n")
    with pytest.raises(SaveError, match="line 3"):
        summarise(tmp_path)


def test_another_table_under_the_name_is_refused(tmp_path):
    (tmp_path / TABLE).write_text("patient,arm\na,b\n")
    with pytest.raises(SaveError):
        summarise(tmp_path)
