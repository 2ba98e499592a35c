"""Plots are drawn of any cohort, and the same cohort gives the same file."""

import pytest
from PIL import Image

from napari_npa.analysis.cohort import Cohort, CohortImage
from napari_npa.analysis.plots import write_plots


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [100.0] * 3, [20.0], [0.1, 99.9]])
@pytest.mark.filterwarnings("error")
def test_extreme_indices_are_drawn_without_a_warning(tmp_path, values):
    images = tuple(CohortImage(f"{n}", f"{n}", isi) for n, isi in enumerate(values))
    write_plots(tmp_path, Cohort(images))
    grouped = tuple(CohortImage(i.image, i.base, i.isi_percent, "x") for i in images)
    write_plots(tmp_path, Cohort(grouped, "arm"))


def test_names_that_look_like_formulas_are_drawn(tmp_path):
    names = ["a|b", "$x$ and $\\frac$", "long " * 20, "one\\two"]
    images = [CohortImage(f"{n}", f"{n}", 10.0, name) for n, name in enumerate(names)]
    (plot,) = write_plots(tmp_path, Cohort(tuple(images), "arm | $"))
    assert plot.stat().st_size > 0


def test_a_plot_grows_with_the_number_of_groups(tmp_path):
    heights = []
    for count in (10, 20):
        images = tuple(CohortImage(f"{n}", f"{n}", n, f"centre {n}") for n in range(count))
        (plot,) = write_plots(tmp_path, Cohort(images, "centre"))
        with Image.open(plot) as picture:
            heights.append(picture.height)
    assert heights[1] - heights[0] == pytest.approx(10 * 110, abs=2)  # 0.55 inch at 200 dpi


def test_a_cohort_without_an_index_has_no_plot(tmp_path):
    assert write_plots(tmp_path, Cohort((CohortImage("a.tif", "a", None),))) == []


def test_the_same_data_give_the_same_plot(tmp_path):
    cohort = Cohort(tuple(CohortImage(f"{n}", f"{n}", 10.0 * n) for n in range(5)))
    (plot,) = write_plots(tmp_path, cohort, "svg")
    first = plot.read_bytes()
    assert write_plots(tmp_path, cohort, "svg")[0].read_bytes() == first
