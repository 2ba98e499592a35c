"""Annotations that are damaged, made up, or bombs: put aside with a reason, at no cost."""

import json
import tracemalloc
import zlib

import pytest

from annotated import IMAGE, annotation_after
from clinic.annotations import bomb, packed, unpacked
from clinic.records import NESTED
from napari_npa.annotation.file import decode, encode
from napari_npa.annotation.session import AnnotationError
from napari_npa.annotation.store import AnnotationStore


def refusal(tmp_path, content):
    """The error of a store that holds such a file for an image."""
    with pytest.raises(AnnotationError, match="damaged or not an annotation"):
        decode(content, "kept")
    store = AnnotationStore(tmp_path)
    (tmp_path / f"{IMAGE}.{'ab' * 16}.annotation").write_bytes(content)
    store.unsaved()
    with pytest.raises(AnnotationError, match="it was put aside"):
        store.load(IMAGE)
    assert store.load(IMAGE) is None


@pytest.mark.parametrize("part", ["session", "npa", "retina"])
def test_a_bomb_is_not_unpacked(tmp_path, part):
    summary, parts = unpacked(encode(annotation_after(2)))
    deflated = {name: zlib.compress(content) for name, content in parts.items()}
    content = packed(summary, {**deflated, part: bomb(2**28)}, deflated=True)
    assert len(content) < 2**20
    tracemalloc.start()
    try:
        refusal(tmp_path, content)
        assert tracemalloc.get_traced_memory()[1] < 2**27 + 2**25
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", float("nan")), ("threshold", 5), ("threshold", 0), ("threshold", "0.5"),
        ("edits", -1), ("edits", 10**400), ("saved", "no"), ("format", "1"), ("format", 0),
        ("session_id", "../x"), ("source", 5), ("image_sha256", "../x"), ("bytes", 5),
    ],
)  # fmt: skip
def test_a_summary_that_cannot_be_is_refused(tmp_path, name, value):
    summary, parts = unpacked(encode(annotation_after(2)))
    refusal(tmp_path, packed({**summary, name: value}, parts))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shape", [2**19, 2**19]), ("shape", [-40, -50]), ("shape", [40]), ("shape", "ab"),
        ("edits", 5), ("edits", [5]), ("edits", NESTED), ("active_seconds", -1), ("model", "x"),
        ("active_seconds", float("nan")), ("who", ["x"]), ("more", NESTED),
    ],
)  # fmt: skip
def test_a_session_that_cannot_be_is_refused(tmp_path, name, value):
    summary, parts = unpacked(encode(annotation_after(2)))
    session = json.loads(parts["session"])
    parts["session"] = json.dumps({**session, name: value}).encode()
    refusal(tmp_path, packed(summary, parts))
