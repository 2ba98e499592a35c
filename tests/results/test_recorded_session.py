"""The record of a result holds the session, and the session comes back from it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from annotated import (
    IMAGE,
    OTHER_IMAGE,
)
from napari_npa.annotation.session import AnnotationError, Session
from napari_npa.io.angiogram import Angiogram
from napari_npa.io.masks import read_mask
from napari_npa.io.names import NPA_FILE, RECORD_FILE, RETINA_FILE
from napari_npa.results.record import write_result
from napari_npa.segmentation.retina import Retina
from napari_npa.segmentation.segmenter import Segmentation


def session_of(npa, retina, **more):
    return Session("right eye.tif", IMAGE, "whole", "ef" * 32, npa, retina, **more)


def blank(shape=(8, 9)):
    return np.zeros(shape, np.bool_), np.ones(shape, np.bool_)


def segmentation_of(sha256):
    pixels = np.random.default_rng(0).random((8, 9), np.float32)
    return Segmentation(
        probability=pixels,
        imaged=Retina("uwfa", np.ones((8, 9), np.bool_), (slice(0, 8), slice(0, 9))),
        threshold=0.5,
        angiogram=Angiogram(pixels, "right eye.tif", sha256, notes=()),
        model="whole",
        model_sha256="ef" * 32,
        device="cpu",
    )


def test_the_saved_record_tells_the_session_and_the_session_comes_back_from_it(tmp_path):
    npa, retina = blank()
    session = session_of(npa, retina, who="reader 2")
    session.record("brush", ~npa, retina, 0.0)
    write_result(
        tmp_path,
        "right eye",
        segmentation_of(IMAGE),
        seconds=1.0,
        npa=session.npa.unpack(),
        retina=session.retina.unpack(),
        session=session.as_record(),
    )
    record = json.loads((tmp_path / f"right eye{RECORD_FILE}").read_text("utf-8"))
    again = Session.from_record(
        record["session"],
        read_mask(tmp_path / f"right eye{NPA_FILE}"),
        read_mask(tmp_path / f"right eye{RETINA_FILE}"),
    )
    assert again.edits == session.edits
    assert again.npa == session.npa
    assert record["isi"] == session.edits[-1].isi


def test_a_result_without_a_session_has_none_in_its_record(tmp_path):
    write_result(tmp_path, "right eye", segmentation_of(IMAGE), seconds=1.0)
    assert "session" not in json.loads((tmp_path / f"right eye{RECORD_FILE}").read_text("utf-8"))


def test_the_session_of_another_image_is_not_saved_with_a_result(tmp_path):
    record = session_of(*blank()).as_record()
    with pytest.raises(AnnotationError, match="is not the image that was annotated"):
        write_result(
            tmp_path, "left eye", segmentation_of(OTHER_IMAGE), seconds=1.0, session=record
        )
    assert list(tmp_path.iterdir()) == []
