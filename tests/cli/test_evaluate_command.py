"""``napari-npa evaluate`` writes a table and a summary."""

from typer.testing import CliRunner

from graded_folders import read_table, write_masks
from napari_npa.cli.main import app


def test_evaluate_writes_both_tables(tmp_path):
    predictions, masks = tmp_path / "predictions", tmp_path / "masks"
    for stem, share in (("a", 0.5), ("b", 0.25)):
        write_masks(predictions, stem, share, gradable=1)
        write_masks(masks, stem, 0.5)
    output = tmp_path / "new" / "scores.csv"
    options = {"--predictions": predictions, "--masks": masks, "--output": output}
    arguments = [str(text) for option in options.items() for text in option]
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == 0, result.output
    assert [float(row["isi_error_points"]) for row in read_table(output)] == [0, -25]
    assert output.with_suffix(".md").read_text("utf-8") in result.output
