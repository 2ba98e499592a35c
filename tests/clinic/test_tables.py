"""Tables that went through a spreadsheet: every row is read, or the cell is named."""

import csv
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from batch_folders import THRESHOLD, write_eye
from clinic.tables import COUNTRIES, ROWS, SHA, changed, saved
from graded_folders import write_masks, write_results
from napari_npa.analysis.cohort import read_images
from napari_npa.cli.main import app
from napari_npa.errors import SaveError
from napari_npa.io.locking import LOCK
from napari_npa.io.names import TABLE
from napari_npa.results.table import Row, read_table, rows_of, table_text, update_table


def command(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exception is None or isinstance(result.exception, SystemExit | SaveError)
    return result


@pytest.mark.parametrize("how", COUNTRIES.values(), ids=COUNTRIES)
def test_a_table_that_a_spreadsheet_saved_is_read_whole(tmp_path, how):
    (tmp_path / TABLE).write_bytes(saved(ROWS, **how))
    assert read_table(tmp_path) == ROWS
    assert [image.isi_percent for image in read_images(tmp_path)] == [16.3402, 0.0, None]
    update_table(tmp_path, replace(ROWS[1], isi=0.25))
    assert (tmp_path / TABLE).read_bytes() == table_text(
        [ROWS[0], replace(ROWS[1], isi=0.25), ROWS[2]]
    ).encode()


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("isi", "163402"),  # the decimal point taken for one of thousands
        ("isi", "16 %"),
        ("isi", "-5"),
        ("isi", "inf"),
        ("isi", "#VALUE!"),
        ("isi", "{'a': 1}"),
        ("npa_pixels", "1.23E+06"),  # rounded
        ("npa_pixels", "1,23,4"),
        ("retina_pixels", "1.5"),
        ("npa_pixels", "9" * 400),
        ("threshold", "5"),
        ("threshold", "nan"),
        ("seconds", "1e999"),
        ("edited", "yes"),
        ("status", ""),
        ("image", ""),
        ("result", "../../elsewhere"),
        ("result", "/etc/passwd"),
        ("result", "x" * 300),
    ],
)
def test_what_cannot_be_read_is_named_and_nothing_is_written(tmp_path, column, cell, tiny_model):
    content = changed(column, cell)
    (tmp_path / TABLE).write_bytes(content)
    eye = write_eye(tmp_path / "eyes" / "a.tif")
    before = sorted(tmp_path.rglob("*"))
    model = ("--model", tiny_model, "--device", "cpu")
    for words in (
        ("segment", eye, "--output", tmp_path, *model),
        ("batch", eye.parent, "--output", tmp_path, *model),
        ("summary", tmp_path),
    ):
        error = command(*words).exception
        assert isinstance(error, SaveError)
        assert f"has '{cell[:40]}' in column '{column}' of line 2" in str(error)
    assert (tmp_path / TABLE).read_bytes() == content
    ours = [tmp_path / "run.json", tmp_path / LOCK]
    assert sorted(path for path in tmp_path.rglob("*") if path not in ours) == before


def test_a_name_that_excel_made_a_date_is_named(tmp_path):
    for stem, shown in (("1-2", "02-Jan"), ("2021-03-04", "04.03.2021"), ("0012", "12")):
        row = Row(f"{stem}.tif", result=stem)
        text = table_text([row, Row("b.tif", result="b")]).replace(f",{stem},", f",{shown},")
        (tmp_path / TABLE).write_bytes(text.replace("\n", "\r\n").encode())
        with pytest.raises(SaveError, match=f"has '{shown}' .*a spreadsheet changed.* '{stem}'"):
            read_table(tmp_path)


def test_letters_that_were_lost_are_named(tmp_path):
    (tmp_path / TABLE).write_bytes(saved([Row("??.tif", isi=0.5)]))
    with pytest.raises(SaveError, match=r"lost letters of the name '\?\?\.tif' in line 2"):
        read_table(tmp_path)
    (tmp_path / TABLE).write_bytes(saved([Row("Gefäß.tif")], encoding="cp1252"))
    cell = r"not in UTF-8: line 2 has the cell 'Gef��\.tif'.*CSV UTF-8"
    with pytest.raises(SaveError, match=cell):
        read_table(tmp_path)


def test_a_quote_that_is_not_closed_swallows_no_rows():
    with pytest.raises(SaveError, match="line 3: unexpected end of data"):
        rows_of(b'image,status\na.tif,ok\n"b.tif,ok\nc.tif,ok\n')


def test_columns_and_remarks_of_a_person_stay(tmp_path, batch, source, output):
    batch(source, output)
    lines = (output / TABLE).read_text().splitlines()
    told = [f"{lines[0]},remark", f"{lines[1]},=blurred?"]
    (output / TABLE).write_text("\n".join(told) + "\n")
    assert batch(source, output, "--overwrite").exit_code == 0
    with (output / TABLE).open(newline="") as file:
        assert [row["remark"] for row in csv.DictReader(file)] == ["'=blurred?"]
    (output / TABLE).write_text("\n".join([lines[0], f"{lines[1]},blurred"]) + "\n")
    assert "'blurred' of line 2 in a column without a name" in str(batch(source, output).exception)


def test_a_failed_image_keeps_no_row_of_before(batch, source, output):
    batch(source, output, "--recursive")
    (source / "a.tif").write_bytes(b"II*\0 damaged since")
    batch(source, output, "--recursive")
    assert [(row.image, row.status) for row in read_table(output)] == [
        ("a.tif", "failed"), ("visit 1/b.tif", "ok"), ("visit 1/眼底 造影.tif", "ok")
    ]  # fmt: skip


def test_a_failed_image_takes_no_row_of_another_of_its_name(tmp_path, tiny_model):
    good, bad = write_eye(tmp_path / "1" / "a.tif"), tmp_path / "2" / "a.tif"
    bad.parent.mkdir()
    bad.write_bytes(b"")
    out = tmp_path / "out"
    options = ("--model", tiny_model, "--threshold", THRESHOLD, "--device", "cpu")
    command("segment", good, bad, "--output", out, *options)
    assert [row.status for row in read_table(out)] == ["ok", "failed"]
    command("segment", bad, "--output", out, *options)
    assert [row.status for row in read_table(out)] == ["failed"]


HOSTILE = [
    '=HYPERLINK("http://x","y")',
    "+cmd|' /C calc'!A0",
    "=1+1",
    "@x",
    "-1+1",
    "＝1+1",
    "<img src=x onerror=alert(1)>",
    "a|b",
    "[x](javascript:alert(1))",
]


# The plots have no letters for the others.
GROUPS = [name for name in HOSTILE if name.isascii()]


def test_no_table_carries_a_formula_and_no_markdown_html(tmp_path):
    stems = [f"eye{at}" for at in range(len(GROUPS))]
    results = write_results(tmp_path / "results", {f"{stem}.tif": 0.5 for stem in stems})
    groups = tmp_path / "groups.csv"
    with groups.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["image", "=arm"], *zip(stems, GROUPS, strict=True)])
    names = [stem.replace("/", "_") for stem in HOSTILE]
    for name in names:
        for folder in (results, tmp_path / "second"):
            write_masks(folder, name, 0.5)
    with (results / TABLE).open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([f"{name}.tif", 0.5, "ok", name] for name in names)
    second = ("--masks", tmp_path / "second", "--groups", groups, "--by", "=arm")
    assert command("summary", results, *second).exit_code == 0
    table = tmp_path / "evaluation.csv"
    done = command(
        "evaluate", "--predictions", results, "--masks", tmp_path / "second", "--output", table
    )
    assert done.exit_code == 0, done.output
    seen = set()
    for path in (results / "summary" / "summary.csv", results / "summary" / "agreement.csv", table):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                seen.update(row)
                assert not any(cell.startswith(("=", "+", "@", "＝")) for cell in row)
                assert not any(cell.startswith("-") and not _is_number(cell) for cell in row)
    assert {f"'{name}" for name in HOSTILE[:6]} <= seen
    text = (results / "summary" / "summary.md").read_text("utf-8")
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<img" not in text
    assert "| a\\|b | 1 |" in text
    assert "\\[x\\](javascript" in text


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def test_a_result_of_any_name_is_saved_and_read(tmp_path):
    row = Row("0.tif", sha256=SHA, result="1", message="\0 \udcff")
    assert rows_of(table_text([row]).encode()) == [replace(row, message="\\0 \\udcff")]
