"""Annotations of a few edits, for tests."""

from __future__ import annotations

import numpy as np

from napari_npa.annotation.file import Annotation
from napari_npa.annotation.session import Session

IMAGE, OTHER_IMAGE = "ab" * 32, "cd" * 32
"""Hashes of images."""

SHAPE = (40, 50)


def disc(radius, shape=SHAPE):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - shape[0] // 2) ** 2 + (columns - shape[1] // 2) ** 2 <= radius**2


def session_after(edits, image=IMAGE):
    """A session in which the non-perfusion grew to a disc with a radius of `edits` pixels."""
    session = Session("P012_OD.tif", image, "whole", "ef" * 32, disc(-1) & False, disc(18))
    for radius in range(1, edits + 1):
        session.record("grow", disc(radius), disc(18), float(radius))
    return session


def annotation_after(edits, image=IMAGE, **more):
    return Annotation(session_after(edits, image), threshold=0.4, **more)


def files_of(store):
    return sorted(path.name for path in store.folder.iterdir())


def only_file_of(store):
    (path,) = store.folder.iterdir()
    return path
