"""``napari-npa summary`` writes tables and plots, and no name of a patient."""

import sys

import pytest
from PIL import Image
from typer.testing import CliRunner

from graded_folders import read_table, write_masks, write_results
from napari_npa.analysis.groups import GROUPLESS
from napari_npa.cli import summary as cli_summary
from napari_npa.cli.main import app
from napari_npa.errors import NpaError


def command(*arguments):
    return CliRunner().invoke(app, ["summary", *map(str, arguments)])


@pytest.fixture
def results(tmp_path):
    """Five images, one of them failed."""
    indices = {"a.tif": 0.1, "b.tif": 0.2, "c.tif": 0.6, "d.tif": None, "e.tif": 0.3}
    return write_results(tmp_path / "results", indices)


@pytest.fixture
def patients(tmp_path):
    """Groups of four of them, and what nobody may read."""
    path = tmp_path / "patients.csv"
    path.write_text("image,name,arm\na,Ada,2\nb.tif,Bea,2\nc,Cleo,10\nd,Dora,10\n", "utf-8")
    return path


def test_summary_writes_tables_and_plots_and_names_no_patient(results, patients):
    result = command(results, "--groups", patients, "--by", "arm")
    assert result.exit_code == 0, result.output
    out = results / "summary"
    assert sorted(p.name for p in out.iterdir()) == [
        "isi_by_group.png",
        "summary.csv",
        "summary.md",
    ]
    rows = read_table(out / "summary.csv")
    assert [row["group"] for row in rows] == ["2", "10", GROUPLESS, "all"]
    assert rows[0]["isi_mean_percent"] == "15.000"
    assert (rows[1]["images"], rows[1]["without_index"]) == ("2", "1")
    assert rows[1]["isi_sd_percent"] == ""
    text = (out / "summary.md").read_text("utf-8")
    assert "Research use only" in text
    assert "Grouped by arm; 1 image without a group." in text
    assert "| 2 | 2 | 0 | 15.0 | 7.1 | 15.0 | 12.5 to 17.5 | 10.0 to 20.0 |" in text
    assert "No group: e.tif" in result.output
    for written in (text, (out / "summary.csv").read_text("utf-8"), result.output):
        assert not any(name in written for name in ("Ada", "Bea", "Cleo", "Dora"))
    with Image.open(out / "isi_by_group.png") as picture:
        assert min(picture.size) > 400


def test_summary_with_a_second_grader(tmp_path):
    shares = {"a": (0.5, 0.45), "b": (0.2, 0.25), "c": (0.8, 0.8)}
    results = write_results(tmp_path / "results", {f"{s}.tif": x for s, (x, _) in shares.items()})
    for stem, (first, second) in shares.items():
        write_masks(results, stem, first, gradable=1)
        write_masks(tmp_path / "second", stem, second)
    out = tmp_path / "new" / "out"
    options = ["--masks", tmp_path / "second", "--output", out, "--format", "svg"]
    result = command(results, *options)
    assert result.exit_code == 0, result.output
    rows = read_table(out / "agreement.csv")
    assert [row["image"] for row in rows] == ["a", "b", "c"]
    assert [float(row["difference_points"]) for row in rows] == [5, -5, 0]
    assert float(rows[0]["isi_second_percent"]) == 45
    text = (out / "summary.md").read_text("utf-8")
    assert "3 images compared; 0 left out" in text
    assert "ICC(2,1) of the ischemic index: 0.990 (95 % CI 0." in text  # 1650 / 1666.7
    assert "bias +0.00 percentage points, limits of agreement -9.80 to +9.80" in text
    assert all(
        (out / f"{n}.svg").read_text().count("<svg") for n in ("isi_by_group", "bland_altman")
    )


def test_groups_and_their_column_come_together(results, patients):
    for half in (["--groups", patients], ["--by", "arm"]):
        result = command(results, *half)
        assert result.exit_code == 2
        assert "give both or none" in result.output


def test_without_matplotlib_the_tables_are_written_and_the_extra_is_named(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(NpaError, match=r"pip install 'napari-npa\[report\]'"):
        cli_summary.summary(results)
    assert (results / "summary" / "summary.csv").exists()
    assert not list(results.glob("summary/*.png"))
