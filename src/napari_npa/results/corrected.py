"""A corrected result goes back into the table of its batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from napari_npa.io.names import MANIFEST, TABLE
from napari_npa.results.table import Row, read_table, update_table


def put_back(folder: Path, row: Row) -> None:
    """Put the row of a result that was saved into the table of the batch it belongs to.

    That is the table of its folder; where there is none, that of the nearest batch in the
    folders above, if it has a row of this very result. Without a table nothing is written.

    Parameters
    ----------
    folder
        Where the result was saved.
    row
        As :func:`napari_npa.results.record.write_result` returned it: told from `folder`.

    Raises
    ------
    SaveError
        The table could not be read or written; the result itself is whole.
    """
    folder = folder.absolute()
    if (folder / TABLE).exists():
        update_table(folder, row)
        return
    above = next((above for above in folder.parents if (above / MANIFEST).exists()), None)
    if above is None:
        return
    below = PurePosixPath(*folder.relative_to(above).parts)
    row = replace(row, image=str(below / row.image), result=str(below / row.result))
    if any(old.result == row.result for old in read_table(above)):
        update_table(above, row)
