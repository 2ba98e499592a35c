import csv
import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from drawing import draw_round_angiogram
from napari_npa import __version__
from napari_npa.cli.main import app
from napari_npa.errors import SaveError
from napari_npa.io import writing
from saving import visible

COLUMNS = [
    "image",
    "isi",
    "npa_pixels",
    "retina_pixels",
    "model",
    "seconds",
    "status",
    "message",
    "threshold",
    "edited",
    "sha256",
    "result",
    "field_of_view",
]


@pytest.fixture
def run(tiny_model):
    """Run `napari-npa segment` with the tiny network."""

    def segment(*arguments):
        options = ["--device", "cpu", "--model", str(tiny_model)]
        return CliRunner().invoke(app, ["segment", *map(str, arguments), *options])

    return segment


@pytest.fixture
def eye(tmp_path):
    path = tmp_path / "eye.tif"
    tifffile.imwrite(path, draw_round_angiogram(160))
    return path


def table(folder):
    with (folder / "ischemia.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_segment_writes_masks_overlay_record_and_table(run, eye, tmp_path):
    out = tmp_path / "out"
    result = run(eye, "--output", out)
    assert result.exit_code == 0, result.output
    assert [p.name for p in visible(out)] == [
        "eye_npa.json",
        "eye_npa.tif",
        "eye_overlay.png",
        "eye_retina.tif",
        "ischemia.csv",
    ]
    npa, retina = (tifffile.imread(out / f"eye_{name}.tif") for name in ("npa", "retina"))
    for mask in (npa, retina):
        assert mask.shape == (160, 160)
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1}
    with tifffile.TiffFile(out / "eye_npa.tif") as file:
        assert file.pages[0].compression == tifffile.COMPRESSION.ADOBE_DEFLATE
    assert np.asarray(Image.open(out / "eye_overlay.png")).shape == (160, 160, 3)

    record = json.loads((out / "eye_npa.json").read_text())
    assert record["isi"] == pytest.approx(npa.sum() / retina.sum(), abs=1e-6)
    assert (record["npa_pixels"], record["retina_pixels"]) == (npa.sum(), retina.sum())
    sha256 = hashlib.sha256(eye.read_bytes()).hexdigest()
    assert record["image"] == {"name": "eye.tif", "sha256": sha256}
    assert record["model"]["name"] == "tiny.safetensors"
    assert len(record["model"]["sha256"]) == 64
    assert record["software"]["napari-npa"] == __version__
    assert record["seconds"] >= 0
    assert record["created"].startswith("20")

    (row,) = table(out)
    assert list(row) == COLUMNS
    assert row["status"] == "ok"
    assert float(row["isi"]) == record["isi"]


def test_probability_map_agrees_with_the_mask(run, eye, tmp_path):
    out = tmp_path / "out"
    run(eye, "--output", out, "--probability", "--threshold", "0.5")
    probability = tifffile.imread(out / "eye_probability.tif")
    assert probability.dtype == np.float32
    retina = tifffile.imread(out / "eye_retina.tif") == 1
    expected = (probability >= 0.5) & retina
    np.testing.assert_array_equal(tifffile.imread(out / "eye_npa.tif") == 1, expected)


def test_two_scale_mode_names_both_networks_in_the_table(run, eye, tmp_path):
    result = run(eye, "--output", tmp_path / "out", "--mode", "two-scale")
    assert result.exit_code == 0, result.output
    assert table(tmp_path / "out")[0]["model"].endswith("+tile")


def hostile(folder):
    """One file for each way an image can be bad."""
    good = folder / "whole.tif"
    tifffile.imwrite(good, draw_round_angiogram(160), compression="deflate")
    (folder / "empty.tif").write_bytes(b"")
    (folder / "truncated.tif").write_bytes(good.read_bytes()[:300])
    (folder / "text.tif").write_text("this is not an image")
    nan = draw_round_angiogram(160).astype(np.float32) / 255
    nan[80, 80] = np.nan
    tifffile.imwrite(folder / "nan.tif", nan)
    tifffile.imwrite(folder / "black.tif", np.zeros((160, 160), np.uint8))
    tifffile.imwrite(folder / "pixel.tif", np.ones((1, 1), np.uint8))
    names = ["empty", "truncated", "text", "nan", "black", "pixel", "absent"]
    return [folder / f"{name}.tif" for name in names], good


def test_bad_files_get_a_row_with_the_reason_and_the_rest_is_done(run, tmp_path):
    bad, good = hostile(tmp_path)
    out = tmp_path / "out"
    result = run(*bad, good, "--output", out)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    rows = table(out)
    assert [row["status"] for row in rows] == ["failed"] * len(bad) + ["ok"]
    for row, path in zip(rows, bad, strict=False):
        assert path.name in row["message"]
        assert row["isi"] == ""
    assert {p.name for p in out.iterdir()} >= {"whole_npa.tif", "whole_npa.json"}
    assert not [p for p in visible(out) if p.name.startswith(".")]


@pytest.mark.parametrize("kind", ["gray16", "float", "rgb", "rgba", "palette", "pages"])
def test_every_way_of_storing_gray_is_segmented(run, tmp_path, kind):
    eye = draw_round_angiogram(160)
    path = tmp_path / ("eye.tif" if kind in ("gray16", "float", "pages") else "eye.png")
    if kind == "gray16":
        tifffile.imwrite(path, eye.astype(np.uint16) * 257)
    elif kind == "float":
        tifffile.imwrite(path, eye.astype(np.float32) / 255)
    elif kind == "pages":
        tifffile.imwrite(path, np.stack([eye, eye[::-1]]), photometric="minisblack")
    else:
        image = Image.fromarray(eye)
        image = image.quantize(256) if kind == "palette" else image.convert(kind.upper())
        image.save(path)
    result = run(path, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    (row,) = table(tmp_path / "out")
    assert row["status"] == "ok"
    if kind == "pages":
        assert "2 pages" in row["message"]


def test_two_images_of_one_stem_do_not_overwrite_each_other(run, tmp_path):
    paths = []
    for number in (1, 2):
        path = tmp_path / f"visit{number}" / "eye.tif"
        path.parent.mkdir()
        tifffile.imwrite(path, draw_round_angiogram(160, seed=number))
        paths.append(path)
    out = tmp_path / "out"
    assert run(*paths, "--output", out).exit_code == 0
    hashes = {json.loads(p.read_text())["image"]["sha256"] for p in out.glob("eye*_npa.json")}
    assert hashes == {hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}
    again = len(list(out.iterdir()))
    run(*paths, "--output", out)
    assert len(list(out.iterdir())) == again  # the same images replace their own results


def test_full_disk_is_a_row_and_leaves_nothing_half_written(run, eye, tmp_path, monkeypatch):
    out = tmp_path / "out"
    flush = writing.flush_to_disk

    def full(path):
        if path.suffix == ".png":
            raise OSError(28, "No space left on device")
        flush(path)

    monkeypatch.setattr(writing, "flush_to_disk", full)
    result = run(eye, "--output", out)
    assert result.exit_code == 1
    (row,) = table(out)
    assert "disk full" in row["message"]
    assert [p.name for p in visible(out)] == ["ischemia.csv"]


def test_full_disk_for_the_table_is_one_clear_line(eye, tiny_model, tmp_path, monkeypatch, capsys):
    from napari_npa.cli import main as cli
    from napari_npa.results import table

    def full(*_):
        raise SaveError("ischemia.csv", "could not be written: disk full", "Free some space.")

    monkeypatch.setattr(table, "write_table", full)
    monkeypatch.setattr(
        sys,
        "argv",
        [
            *["napari-npa", "segment", str(eye), "--output", str(tmp_path / "out")],
            *["--device", "cpu", "--model", str(tiny_model)],
        ],
    )
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 1
    assert "disk full" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["segment"],
        ["segment", "eye.tif"],
        ["segment", "eye.tif", "--output", "x", "--threshold", "2"],
        ["simulate", "--output", "x", "--kind", "mri"],
        ["nonsense"],
    ],
)
def test_wrong_use_exits_with_2(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, arguments).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_version_and_info_name_what_a_bug_report_needs():
    assert __version__ in CliRunner().invoke(app, ["--version"]).output
    output = CliRunner().invoke(app, ["info"], env={"COLUMNS": "200"}).output
    for word in ("napari-npa", "torch", "device cpu", "weights whole", "sha256"):
        assert word in output


def test_help_does_not_import_torch():
    code = (
        "import sys; from typer.testing import CliRunner; from napari_npa.cli.main import app; "
        "CliRunner().invoke(app, ['--help']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_simulate_command_writes_what_it_says(tmp_path):
    arguments = ["simulate", "--count", "2", "--kind", "55", "--size", "128", "--seed", "4"]
    result = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    for seed in (4, 5):
        names = {p.name for p in tmp_path.glob(f"sim_{seed}*")}
        stem = f"sim_{seed}"
        assert names == {f"{stem}.tif", f"{stem}_npa.tif", f"{stem}_retina.tif", f"{stem}.json"}


def test_real_angiograms_are_segmented_within_their_retina(data, tmp_path):
    """With the embedded weights: user story of the shell."""
    paths = [
        data / "ffa55" / "normal" / "normal0036.jpg",
        data / "ffa55" / "labelled" / "patient17_17-1.jpg",
    ]
    arguments = ["segment", *map(str, paths), "--output", str(tmp_path / "out")]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    normal, occluded = (float(row["isi"]) for row in table(tmp_path / "out"))
    assert normal < 0.05 < occluded
