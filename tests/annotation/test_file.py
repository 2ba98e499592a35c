"""The file of an annotation comes back byte for byte, or is refused."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from annotated import (
    IMAGE,
    annotation_after,
    only_file_of,
)
from napari_npa.annotation.file import MAGIC, Annotation, NewerFormatError, decode, encode
from napari_npa.annotation.session import AnnotationError, Session
from napari_npa.annotation.store import AnnotationStore


@pytest.fixture
def store(tmp_path):
    return AnnotationStore(tmp_path / "annotations")


def rewritten(content, before, after):
    """The file with something else in its summary, and the length and digest that fit."""
    start = len(MAGIC) + 32
    length = int.from_bytes(content[start : start + 4], "little")
    summary = content[start + 4 : start + 4 + length]
    assert before in summary
    summary = summary.replace(before, after)
    content = len(summary).to_bytes(4, "little") + summary + content[start + 4 + length :]
    return MAGIC + hashlib.sha256(content).digest() + content


@given(
    masks=array_shapes(min_dims=2, max_dims=2, max_side=20).flatmap(
        lambda shape: st.tuples(*[arrays(np.bool_, shape)] * 4)
    ),
    threshold=st.floats(0.01, 1),
    saved=st.booleans(),
    who=st.text(),
)
@settings(deadline=None)
def test_what_is_decoded_is_byte_for_byte_what_was_encoded(masks, threshold, saved, who):
    session = Session("image", IMAGE, "whole", "", masks[0], masks[1], who=who)
    session.record("brush", masks[2], masks[3], 1.0)
    found = decode(encode(Annotation(session, threshold, saved)), "file")
    assert found.session.npa.unpack().tobytes() == masks[2].tobytes()
    assert found.session.retina.unpack().tobytes() == masks[3].tobytes()
    assert found.session.as_record() == session.as_record()
    assert (found.threshold, found.saved, found.session.who) == (threshold, saved, who)


def test_any_flipped_bit_is_noticed():
    content = encode(annotation_after(3))
    generator = random.Random(0)
    for position in generator.sample(range(len(content)), 200):
        flipped = bytearray(content)
        flipped[position] ^= 1 << generator.randrange(8)
        with pytest.raises(AnnotationError, match="is damaged"):
            decode(bytes(flipped), "file")


@given(junk=st.binary(max_size=400))
def test_junk_is_never_taken_for_an_annotation(junk):
    digest = hashlib.sha256(junk).digest()
    for content in (junk, MAGIC + junk, MAGIC + digest + junk):
        with pytest.raises(AnnotationError):
            decode(content, "file")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'"edits":3', b'"edits":4'),
        (b'"format":1', b'"format":"1"'),
        (b'"session":', b'"session_":'),
        (b'"session_id":"', b'"session_id":"../'),
        (b'"threshold":0.4', b'"threshold":null'),
        (b'"image_sha256":"ab', b'"image_sha256":"ac'),
        (b'"folder":null', b'"folder":[1]'),
        (b'{"format"', b"[" * 9000 + b'{"format"'),
    ],
)
def test_a_whole_file_of_another_program_is_refused(before, after):
    with pytest.raises(AnnotationError, match="is damaged or not an annotation"):
        decode(rewritten(encode(annotation_after(3)), before, after), "file")


def test_a_file_of_a_newer_version_stays_where_it_is(store):
    store.write(annotation_after(3))
    path = only_file_of(store)
    path.write_bytes(rewritten(path.read_bytes(), b'"format":1', b'"format":2'))
    with pytest.raises(NewerFormatError, match=r"newer version .* Update the program"):
        store.load(IMAGE)
    assert only_file_of(store) == path
