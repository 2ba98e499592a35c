"""Tables of a cohort are whole, whatever the names in them."""

import pytest

from graded_folders import read_table
from napari_npa.analysis.cohort import Cohort, CohortImage
from napari_npa.analysis.graders import ImageAgreement, InterGraderAgreement
from napari_npa.analysis.tables import markdown, write_tables
from napari_npa.errors import SaveError


def test_groups_cannot_break_the_table():
    names = ["a|b", "$x$ and $\\frac$", "long " * 20, "one\\two"]
    images = [CohortImage(f"{n}", f"{n}", 10.0, name) for n, name in enumerate(names)]
    cohort = Cohort((*images, CohortImage("z", "z", None, "failed")), "arm | $")
    rows = [line for line in markdown(cohort).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(names) + 2
    assert all(row.replace("\\\\", "").replace("\\|", "").count("|") == 9 for row in rows)


def test_a_cohort_without_an_index_has_tables(tmp_path):
    write_tables(tmp_path, Cohort((CohortImage("a.tif", "a", None),)))
    assert read_table(tmp_path / "summary.csv")[0]["isi_mean_percent"] == ""
    assert "| all | 1 | 1 | – |" in (tmp_path / "summary.md").read_text("utf-8")


def test_the_agreement_on_one_image_has_no_statistics(tmp_path):
    agreement = InterGraderAgreement((ImageAgreement("a", 2 / 3, 50, 25),), left_out=1)
    cohort = Cohort((CohortImage("a.tif", "a", 50),), agreement=agreement)
    assert "nan" not in markdown(cohort).lower()
    write_tables(tmp_path, cohort)
    (row,) = read_table(tmp_path / "agreement.csv")
    assert [float(row[name]) for name in list(row)[1:]] == [0.6667, 50, 25, 25]


def test_an_output_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError) as caught:
        write_tables(tmp_path / "file" / "out", Cohort((CohortImage("a.tif", "a", None),)))
    assert caught.value.subject == "out"
