import csv
import random
import sys

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from napari_npa.analysis.cohort import (
    EVERYONE,
    GROUPLESS,
    Cohort,
    CohortImage,
    read_groups,
    summarise,
)
from napari_npa.analysis.plots import write_plots
from napari_npa.analysis.tables import markdown, write_tables
from napari_npa.cli import summary as cli_summary
from napari_npa.cli.main import app
from napari_npa.errors import EvaluationError, NpaError, SaveError

SIDE = 20


def write_results(folder, indices, columns=("image", "isi", "status")):
    """Table of results: index of each image, None where it failed."""
    folder.mkdir(exist_ok=True)
    with (folder / "ischemia.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for image, isi in indices.items():
            row = {"image": image, "isi": "" if isi is None else isi}
            row["status"] = "failed" if isi is None else "ok"
            row["result"] = image.rsplit(".", 1)[0]
            writer.writerow({name: row.get(name, "") for name in columns})
    return folder


def write_masks(folder, stem, share, gradable=None):
    """Masks with the upper share of the rows non-perfused, and of the left columns gradable."""
    path = folder / f"{stem}_npa.tif"
    path.parent.mkdir(parents=True, exist_ok=True)
    npa, retina = np.zeros((2, SIDE, SIDE), np.uint8)
    npa[: round(share * SIDE)] = 1
    tifffile.imwrite(path, npa)
    if gradable is not None:
        retina[:, : round(gradable * SIDE)] = 1
        tifffile.imwrite(folder / f"{stem}_retina.tif", retina)


def command(*arguments):
    return CliRunner().invoke(app, ["summary", *map(str, arguments)])


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


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


# Groups


def test_groups_are_summarised_in_percent_and_all_images_last(results, patients):
    two, ten, none, everyone = summarise(results, read_groups(patients, "arm")).groups
    assert [g.group for g in (two, ten, none, everyone)] == ["2", "10", GROUPLESS, EVERYONE]
    assert (two.images, two.without_index) == (2, 0)
    assert two.isi.mean == two.isi.median == pytest.approx(15)
    assert two.isi.quartiles == pytest.approx((12.5, 17.5))
    assert two.deviation == pytest.approx(50**0.5)
    assert two.extremes == pytest.approx((10, 20))
    assert (ten.images, ten.without_index, ten.deviation) == (2, 1, None)
    assert (none.images, everyone.images, everyone.without_index) == (1, 5, 1)
    assert everyone.isi.mean == pytest.approx(30)


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


@pytest.mark.parametrize(
    "name", ["north/a.tif", "north\\a.tif", "north/a", "a.tif", "a"], ids=lambda name: name
)
def test_an_image_is_found_by_its_path_its_file_name_or_its_stem(tmp_path, name):
    results = write_results(tmp_path / "results", {"north/a.tif": 0.1, "south/b.tif": 0.2})
    groups = tmp_path / "groups.csv"
    groups.write_text(f"image,arm\n{name},x\n")
    cohort = summarise(results, read_groups(groups, "arm"))
    assert [image.group for image in cohort.images] == ["x", GROUPLESS]
    assert [image.image for image in cohort.groupless] == ["south/b.tif"]


def test_the_full_path_goes_before_the_stem(tmp_path):
    results = write_results(tmp_path / "results", {"a.tif": 0.1, "south/a.tif": 0.2})
    groups = tmp_path / "groups.csv"
    groups.write_text("image,arm\nsouth/a.tif,x\na,y\n")
    cohort = summarise(results, read_groups(groups, "arm"))
    assert [image.group for image in cohort.images] == ["y", "x"]


def test_a_name_that_stands_for_two_images_is_refused(tmp_path):
    results = write_results(tmp_path / "results", {"north/1.tif": 0.1, "south/1.tif": 0.2})
    groups = tmp_path / "groups.csv"
    groups.write_text("image,arm\n1,x\n")
    with pytest.raises(EvaluationError, match="has '1', which stands for 2 images"):
        summarise(results, read_groups(groups, "arm"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_excel_are_read(results, tmp_path, encoding, separator):
    path = tmp_path / "excel.csv"
    lines = [["eye", "größe"], ["a", "groß"], ["b", ""], ["c"], []]
    path.write_text("\r\n".join(separator.join(line) for line in lines), encoding)
    groups = read_groups(path, "größe", "eye")
    assert groups.of == {"a": "groß", "b": GROUPLESS, "c": GROUPLESS}


def test_letters_composed_by_macos_are_the_same_letters(tmp_path):
    results = write_results(tmp_path / "results", {"Mu\u0308ller.tif": 0.1})
    groups = tmp_path / "groups.csv"
    groups.write_text("image,arm\nM\u00fcller,x\n", "utf-8")
    assert summarise(results, read_groups(groups, "arm")).images[0].group == "x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
        (b"image;severity\na;x\n", r"has no column 'arm'. Its columns are image, severity"),
        (b"eye,arm\na,x\n", "has no column 'image'"),
        (b"image,arm\na,x\na,y\n", "lists 'a' 2 times. Leave one row"),
        (
            b"image,arm\n" + b"".join(b"%d,Name%d\n" % (n, n) for n in range(101)),
            "has 101 groups in its column 'arm'. Choose a column of at most 100",
        ),
        (b"image,arm\n,x\n", "names no image in its column 'image'"),
        ("image,arm\na,größe\n".encode("cp1252"), "is not in UTF-8. In Excel"),
        ("image,arm\na,x\n".encode("utf-16"), "is not in UTF-8"),
    ],
)
def test_an_unfit_table_of_groups_is_refused_with_the_way_out(tmp_path, content, message):
    path = tmp_path / "groups.csv"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match=message):
        read_groups(path, "arm")


def test_groups_of_other_images_are_refused(results, tmp_path):
    path = tmp_path / "groups.csv"
    path.write_text("image,arm\nz,x\n")
    with pytest.raises(EvaluationError, match=r"names none of the 5 images, such as 'a.tif'"):
        summarise(results, read_groups(path, "arm"))
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_groups(tmp_path / "absent.csv", "arm")


# The table of results


def test_unknown_columns_are_allowed_and_a_european_decimal_comma(tmp_path):
    (tmp_path / "ischemia.csv").write_text("status;new;isi;image\nok;1;0,25;a.tif\n")
    (image,) = summarise(tmp_path).images
    assert (image.image, image.base, image.isi_percent) == ("a.tif", "a", 25)


def test_ungradable_images_count_as_without_an_index(tmp_path):
    (tmp_path / "ischemia.csv").write_text("image,isi,status\na.tif,0.9,ungradable\n")
    (everyone,) = summarise(tmp_path).groups
    assert (everyone.without_index, everyone.isi) == (1, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,isi\na.tif,0.1\n", "has no column 'status'"),
        ("image,isi,status\n", "lists no image"),
        ("image,isi,status\na.tif,12.5,ok\n", "has the index '12.5' for a.tif"),
        ("image,isi,status\na.tif,nan,ok\n", "has the index 'nan' for a.tif"),
        ("image,isi,status\na.tif,much,ok\n", "has the index 'much' for a.tif"),
    ],
)
def test_a_damaged_table_of_results_is_refused(tmp_path, content, message):
    (tmp_path / "ischemia.csv").write_text(content)
    with pytest.raises(EvaluationError, match=message):
        summarise(tmp_path)


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(EvaluationError, match=r"holds no ischemia.csv. Give a folder"):
        summarise(tmp_path)


# Two graders


def test_two_graders_by_hand(tmp_path):
    results = write_results(tmp_path / "results", {"a.tif": 0.5, "b.tif": 0.2, "c.tif": 0.1})
    for stem, first, second in (("a", 0.5, 0.25), ("b", 0.2, 0.2)):
        write_masks(results, stem, first, gradable=1)
        write_masks(tmp_path / "second", stem, second)
    write_masks(results, "c", 0.1)
    two = summarise(results, masks=tmp_path / "second").second
    a, b = two.images
    assert (a.image, a.isi_first, a.isi_second, a.difference) == ("a", 50, 25, 25)
    assert a.dice == pytest.approx(2 * 5 / (10 + 5))
    assert (b.dice, b.difference) == (1, 0)
    assert two.left_out == 1
    assert two.dice.mean == pytest.approx((2 / 3 + 1) / 2)
    assert two.bland_altman.bias == 12.5
    # Mean squares by hand: images 306.25, graders and error 156.25 each.
    icc = (306.25 - 156.25) / (306.25 + 156.25)
    assert two.intraclass_correlation.value == pytest.approx(icc)


def test_each_index_is_of_the_graders_own_retina_and_dice_of_what_both_call_gradable(tmp_path):
    results = write_results(tmp_path / "results", {"a.tif": 0.5})
    write_masks(results, "a", 0.5, gradable=1)
    npa = np.zeros((SIDE, SIDE), np.uint8)
    npa[:, :5] = 1
    left = np.zeros_like(npa)
    left[:, :10] = 1
    second = tmp_path / "second"
    second.mkdir()
    Image.fromarray(255 * npa).save(second / "a_npa.png")
    Image.fromarray(255 * left).save(second / "a_retina.png")
    (a,) = summarise(results, masks=second).second.images
    assert (a.isi_first, a.isi_second) == (50, 50)
    assert a.dice == pytest.approx(2 * 50 / (100 + 100))  # 10 x 10 and 20 x 5, 10 x 5 in common


def test_masks_are_matched_by_path_first_and_by_a_unique_stem_else(tmp_path):
    results = write_results(
        tmp_path / "results",
        {"x/a.tif": 0.5, "y/a.tif": 0.5, "y/b.tif": 0.5, "z/c.tif": 0.5},
        ("image", "isi", "status", "result"),
    )
    second = tmp_path / "second"
    for base in ("x/a", "y/a", "y/b", "z/c"):
        write_masks(results, base, 0.5)
    write_masks(second, "y/a", 0.1)
    write_masks(second, "a", 0.2)  # of which a?
    write_masks(second, "b", 0.3)
    write_masks(second, "1/c", 0.4)
    write_masks(second, "2/c", 0.4)
    two = summarise(results, masks=second).second
    assert {i.image: round(i.isi_second) for i in two.images} == {"y/a": 10, "y/b": 30}
    assert two.left_out == 2


def test_results_of_a_name_taken_twice_are_found_by_the_result_column(tmp_path):
    (tmp_path / "ischemia.csv").write_text(
        "image,isi,status,result\na.tif,0.5,ok,a\na.tif,0.25,ok,a_0123abcd\n"
    )
    write_masks(tmp_path, "a", 0.5)
    write_masks(tmp_path, "a_0123abcd", 0.25)
    write_masks(tmp_path / "second", "a", 0.5)
    two = summarise(tmp_path, masks=tmp_path / "second").second
    assert [(i.image, i.difference) for i in two.images] == [("a", 0)]


def test_masks_that_cannot_be_compared_are_refused(tmp_path):
    results = write_results(tmp_path / "results", {"a.tif": 0.5})
    write_masks(results, "a", 0.5, gradable=0.5)
    second = tmp_path / "second"
    with pytest.raises(EvaluationError, match="'second' is not a folder"):
        summarise(results, masks=second)
    write_masks(second, "z", 0.5)
    with pytest.raises(EvaluationError, match="'second' holds no mask of an image in 'results'"):
        summarise(results, masks=second)
    tifffile.imwrite(second / "a_npa.tif", np.ones((5, 5), np.uint8))
    with pytest.raises(EvaluationError, match=r"'a' has masks of \(5, 5\) and \(20, 20\) pixels"):
        summarise(results, masks=second)
    write_masks(second, "a", 0.5)
    right = np.zeros((SIDE, SIDE), np.uint8)
    right[:, 10:] = 1
    tifffile.imwrite(second / "a_retina.tif", right)
    with pytest.raises(EvaluationError, match="'a' has no retina that both graders call gradable"):
        summarise(results, masks=second)


def test_progress_counts_the_images_that_both_graded(tmp_path):
    results = write_results(tmp_path / "results", {"a.tif": 0.5, "b.tif": 0.5, "c.tif": 0.5})
    for stem in "ab":
        write_masks(results, stem, 0.5)
        write_masks(tmp_path / "second", stem, 0.5)
    seen = []
    summarise(results, None, tmp_path / "second", lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_one_image_has_a_dice_but_no_statistics(tmp_path):
    results = write_results(tmp_path / "results", {"a.tif": 0.5})
    write_masks(results, "a", 0.5)
    write_masks(tmp_path / "second", "a", 0.25)
    cohort = summarise(results, masks=tmp_path / "second")
    assert cohort.second.bland_altman is None
    assert cohort.second.intraclass_correlation is None
    text = markdown(cohort)
    assert "not defined" in text
    assert "nan" not in text.lower().replace("non-", "")


# Files and the command


def test_summary_writes_tables_and_plots_and_names_no_patient(results, patients):
    result = command(results, "--groups", patients, "--by", "arm")
    assert result.exit_code == 0, result.output
    out = results / "summary"
    assert sorted(p.name for p in out.iterdir()) == [
        "isi_by_group.png",
        "summary.csv",
        "summary.md",
    ]
    rows = table(out / "summary.csv")
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
    rows = table(out / "agreement.csv")
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


def test_an_output_that_is_a_file_is_refused(results, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SaveError, match="'out' cannot be made"):
        write_tables(tmp_path / "file" / "out", summarise(results))


def test_groups_cannot_break_the_table_or_the_plot(tmp_path):
    names = ["a|b", "$x$ and $\\frac$", "long " * 20, "one\\two"]
    images = [CohortImage(f"{n}", f"{n}", 10.0, name) for n, name in enumerate(names)]
    cohort = Cohort((*images, CohortImage("z", "z", None, "failed")), "arm | $")
    rows = [line for line in markdown(cohort).splitlines() if line.startswith("|")]
    assert all(row.replace("\\\\", "").replace("\\|", "").count("|") == 9 for row in rows)
    (plot,) = write_plots(tmp_path, cohort)
    assert plot.stat().st_size > 0


def test_a_cohort_without_an_index_has_tables_and_no_plot(tmp_path):
    cohort = Cohort((CohortImage("a.tif", "a", None),))
    write_tables(tmp_path, cohort)
    assert table(tmp_path / "summary.csv")[0]["isi_mean_percent"] == ""
    assert "| all | 1 | 1 | – |" in (tmp_path / "summary.md").read_text("utf-8")
    assert write_plots(tmp_path, cohort) == []


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [100.0] * 3, [20.0], [0.1, 99.9]])
@pytest.mark.filterwarnings("error")
def test_extreme_indices_are_drawn_without_a_warning(tmp_path, values):
    images = tuple(CohortImage(f"{n}", f"{n}", isi) for n, isi in enumerate(values))
    write_plots(tmp_path, Cohort(images))
    grouped = tuple(CohortImage(i.image, i.base, i.isi_percent, "x") for i in images)
    write_plots(tmp_path, Cohort(grouped, "arm"))


def test_a_hundred_groups_are_drawn(tmp_path):
    images = tuple(CohortImage(f"{n}", f"{n}", n / 2, f"centre {n}") for n in range(100))
    (plot,) = write_plots(tmp_path, Cohort(images, "centre"))
    with Image.open(plot) as picture:
        assert picture.height > 100 * 100


def test_the_same_data_give_the_same_plot(tmp_path):
    cohort = Cohort(tuple(CohortImage(f"{n}", f"{n}", 10.0 * n) for n in range(5)))
    (plot,) = write_plots(tmp_path, cohort, "svg")
    first = plot.read_bytes()
    assert write_plots(tmp_path, cohort, "svg")[0].read_bytes() == first
