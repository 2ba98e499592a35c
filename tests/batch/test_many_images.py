"""Ten thousand images: a start without delay, a table that costs little, memory that stays."""

import gc
import time
from pathlib import Path

import pytest

from batch_folders import table
from napari_npa.batch import BatchOptions, growing_table, run_batch

MANY = 10_000

STATUS = Path("/proc/self/statm")


def resident_mib():
    gc.collect()
    return int(STATUS.read_text().split()[1]) * 4096 / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="memory is read from /proc")
def test_ten_thousand_images(tiny_model, tmp_path, monkeypatch):
    """They are texts: reading, refusing and telling is all there is to do."""
    source, output = tmp_path / "source", tmp_path / "output"
    for at in range(MANY):
        path = source / f"patient {at // 100:03}" / f"{at:05}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("no image")
    written = []
    write = growing_table.GrowingTable.write

    def timed(self):
        start = time.monotonic()
        write(self)
        written.append(time.monotonic() - start)

    monkeypatch.setattr(growing_table.GrowingTable, "write", timed)
    start = time.monotonic()
    first, memory = [], {}

    def finished(image):
        first.append(time.monotonic() - start)
        if image.done in (MANY // 10, MANY):
            memory[image.done] = resident_mib()

    report = run_batch(
        source,
        output,
        BatchOptions(model=str(tiny_model)),
        device="cpu",
        recursive=True,
        on_finished=finished,
    )
    growth = memory[MANY] - memory[MANY // 10]
    print(
        f"\nfirst image after {first[0]:.2f} s, all after {report.seconds:.1f} s; table written "
        f"{len(written)} times in {sum(written):.2f} s; memory {growth:+.0f} MiB"
    )
    assert first[0] < 5
    assert len(table(output)) == len(report.rows) == MANY
    assert [row.image for row in report.rows] == sorted(row.image for row in report.rows)
    assert sum(written) < 0.05 * report.seconds + 3 * max(written)
    assert growth < 60
