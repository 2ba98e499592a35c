"""The table of a batch, written while the batch runs."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from napari_npa.errors import NpaError
from napari_npa.io.names import TABLE
from napari_npa.io.storage import Storage
from napari_npa.results.table import MOST_BYTES, Row, merged, rows_of, table_text

LEAST_SECONDS_BETWEEN_TABLES = 1.0
TABLE_SHARE = 0.05
"""The table is written again once a second at most, and for so much of the time at most."""


class GrowingTable:
    """The table while a batch runs: written now and then, in the order of the images.

    Rows of earlier runs stay until they are replaced, so that the table always tells what the
    folder holds. What others changed since it was last looked at, as a person's correction, is
    newer than a row held here, and taken over.
    """

    def __init__(self, place: Storage, images: list[str]) -> None:
        self._place = place
        self._order = {image: at for at, image in enumerate(images)}
        self._rows: dict[int, Row] = {}
        self._seen: list[Row] = []
        self._next = time.monotonic() + LEAST_SECONDS_BETWEEN_TABLES

    def add(self, row: Row) -> None:
        """Take a row, and write the table if it is time to."""
        self._rows[self._order[row.image]] = row
        if time.monotonic() >= self._next:
            with suppress(NpaError):  # it may be open in another program; reported at the end
                self.write()

    def write(self) -> None:
        """Write all rows so far."""
        start = time.monotonic()
        try:
            with self._place.locked():
                old = rows_of(self._place.read(TABLE, MOST_BYTES) or b"")
                self._take_over(old)
                rows = merged([self._rows[at] for at in sorted(self._rows)], old)
                self._place.write(TABLE, table_text(rows).encode())
                self._seen = rows
        finally:
            now = time.monotonic()
            pause = max(LEAST_SECONDS_BETWEEN_TABLES, (now - start) / TABLE_SHARE)
            self._next = now + pause

    def _take_over(self, table: list[Row]) -> None:
        held = {row.result: at for at, row in self._rows.items() if row.result}
        for row in set(table).difference(self._seen):
            at = held.get(row.result)
            if at is not None and row.sha256 == self._rows[at].sha256:
                self._rows[at] = replace(row, image=self._rows[at].image)
