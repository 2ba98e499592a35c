"""Records of results that somebody sent, damaged or made up."""

from __future__ import annotations

import json
from pathlib import Path

HUGE = 10**400


def change(path: Path, *where: str | int, to: object) -> None:
    """Replace one value of a JSON file by another."""
    content = json.loads(path.read_text("utf-8"))
    inner = content
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = to
    path.write_text(json.dumps(content), "utf-8")


NESTED = json.loads("[" * 900 + "]" * 900)

UNFIT = [
    (("isi",), -5),
    (("isi",), 1.5),
    (("isi",), float("inf")),
    (("isi",), float("nan")),
    (("isi",), {"a": 1}),
    (("isi",), [0.5]),
    (("isi",), "0.5"),
    (("npa_pixels",), -1),
    (("npa_pixels",), HUGE),
    (("npa_pixels",), 2**53),  # more than are gradable
    (("retina_pixels",), [1]),
    (("seconds",), -1),
    (("seconds",), HUGE),
    (("threshold",), 5),
    (("image",), "a.tif"),
    (("image", "sha256"), "../x"),
    (("image", "sha256"), "AB" * 32),
    (("image", "name"), "x" * 5000),
    (("model", "name"), 1),
    (("format",), 99),
    (("status",), "perfect"),
    (("edited",), "no"),
    (("notes",), "a"),
    (("files",), ["a"]),
    (("options",), NESTED),
    (("options",), 1),
    (("session",), {"edits": 5}),
    (("session",), {"edits": [], "earlier": 5}),
    (("session",), NESTED),
    (("replaces",), 5),
]
"""Places in a record, and values that cannot stand there."""
