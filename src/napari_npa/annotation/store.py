"""Annotations on disk, by the hash of their image, so that a crash loses no work.

Each session has its own file: two windows with the same image write two files, and a resumed
session replaces the file of the session that it continues.
"""

from __future__ import annotations

import glob
import os
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import platformdirs

from napari_npa.annotation.file import (
    Annotation,
    NewerFormatError,
    Summary,
    decode,
    encode,
    read_summary,
)
from napari_npa.annotation.pruning import ASIDE, SUFFIX, last_written, prune
from napari_npa.annotation.session import AnnotationError, Session
from napari_npa.errors import SaveError
from napari_npa.io.texts.ordinary import ordinary_bytes
from napari_npa.io.writing import atomic

MOST_BYTES = 2**27
"""Size of the file of an annotation; one at 4000 x 4000 takes about 0.2 MB."""

DATA_VARIABLE = "NAPARI_NPA_DATA"
"""Environment variable with another folder for the data of the user."""


def annotations_folder() -> Path:
    """Return the folder of the annotations of this user, which may not exist yet."""
    named = os.environ.get(DATA_VARIABLE)
    # Without author: on Windows the path would repeat the name.
    data = Path(named) if named else platformdirs.user_data_path("napari-npa", appauthor=False)
    return data / "annotations"


class AnnotationStore:
    """The annotations of this user.

    Parameters
    ----------
    folder
        Folder, made at the first write; :func:`annotations_folder` if None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = annotations_folder() if folder is None else folder

    def path_of(self, session: Session) -> Path:
        """Return the file of the annotation of a session.

        Raises
        ------
        ValueError
            The hash of the image is not 64 hexadecimal digits.
        """
        return self.folder / f"{_hash(session.image_sha256)}.{session.id}{SUFFIX}"

    def write(self, annotation: Annotation) -> None:
        """Write an annotation, whole or not at all, in place of the one that it continues.

        Raises
        ------
        SaveError
            The system refused; the earlier file is still there.
        """
        session = annotation.session
        path = self.path_of(session)
        content = encode(annotation)
        try:
            with atomic(path) as partial:
                self.folder.mkdir(parents=True, exist_ok=True)
                is_new = not path.exists()
                partial.write_bytes(content)
        except SaveError as error:
            raise SaveError(
                "automatic copy of the annotation",
                error.reason,
                "Save the result now; the copy is tried again at the next edit.",
            ) from error
        if is_new:
            # The new file is on disk: files that cannot be removed do no harm.
            with suppress(OSError):
                self._remove_continued(session)
                prune(self.folder)

    def load(
        self, sha256: str, shape: tuple[int, int] | None = None, session_id: str = ""
    ) -> Annotation | None:
        """Load the annotation of an image: unsaved before saved ones, then the newest.

        Parameters
        ----------
        sha256
            Hash of the image.
        shape
            Rows and columns of the image; not checked if None.
        session_id
            Only the annotation of this session; empty: of any.

        Returns
        -------
        annotation
            None if there is none. Its notes name damaged files, which were put aside, and
            further annotations, which are kept.

        Raises
        ------
        AnnotationError
            There are files for this image, but none can be used.
        """
        problems: list[AnnotationError] = []
        paths = self._of_image(sha256, session_id)
        for number, path in enumerate(paths, start=1):
            try:
                annotation = self._read(path, sha256, shape)
            except FileNotFoundError:  # another window has just replaced it
                continue
            except AnnotationError as error:
                problems.append(error)
                continue
            notes = [str(problem) for problem in problems]
            if more := len(paths) - number:
                notes.append(f"{more} more of this image, from other sessions, kept")
            return replace(annotation, notes=tuple(notes))
        if problems:
            raise problems[0]
        return None

    def unsaved(self) -> list[Summary]:
        """List the annotations with edits that were never saved, the newest first."""
        paths = sorted(self.folder.glob(f"*{SUFFIX}"), key=last_written, reverse=True)
        found = [read_summary(path) for path in paths]
        return [summary for summary in found if summary and not summary.saved and summary.edits]

    def kept_of(self, sha256: str) -> list[Summary]:
        """List the annotations of an image that have edits, in the order of :meth:`load`."""
        found = [read_summary(path) for path in self._of_image(sha256)]
        return [summary for summary in found if summary and summary.edits]

    def discard(self, sha256: str, session_id: str = "") -> None:
        """Remove the annotations of an image.

        Parameters
        ----------
        sha256
            Hash of the image.
        session_id
            Only the annotation of this session; empty: all.

        Raises
        ------
        SaveError
            A file could not be removed.
        """
        for path in self._of_image(sha256, session_id):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise SaveError(
                    path,
                    f"could not be removed ({error.strerror})",
                    "Close other programs that use it.",
                ) from error

    def _of_image(self, sha256: str, session_id: str = "") -> list[Path]:
        """Return the files of an image in the order of :meth:`load`."""

        def order(path: Path) -> tuple[bool, float]:
            summary = read_summary(path)
            return summary is not None and summary.saved, -last_written(path)

        session = glob.escape(session_id) or "*"
        return sorted(self.folder.glob(f"{_hash(sha256)}.{session}{SUFFIX}"), key=order)

    def _read(self, path: Path, sha256: str, shape: tuple[int, int] | None) -> Annotation:
        try:
            content = ordinary_bytes(path, MOST_BYTES)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise AnnotationError(
                path, f"cannot be read ({error.strerror})", "Check the disk."
            ) from error
        try:
            annotation = decode(content, path)
            if annotation.session.image_sha256 != sha256:
                raise AnnotationError(
                    path, "is of another image", "Continue from the automatic result."
                )
        except NewerFormatError:
            raise
        except AnnotationError as error:
            self._put_aside(path)
            raise AnnotationError(
                path, f"{error.reason}; it was put aside", error.remedy
            ) from error
        if shape is not None and shape != annotation.session.shape:
            raise AnnotationError(
                path,
                "is of an image of {} x {} pixels, not {} x {}".format(
                    *annotation.session.shape, *shape
                ),
                "Open the image as it was opened then.",
            )
        return annotation

    def _put_aside(self, path: Path) -> None:
        # A unique name: an earlier damaged file must not be lost either.
        with suppress(OSError):
            path.rename(path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}{ASIDE}"))

    def _remove_continued(self, session: Session) -> None:
        """Remove the file that a session continues, unless its window has made further edits."""
        if session.continued is None:
            return
        path = self.folder / f"{session.image_sha256}.{session.continued.session_id}{SUFFIX}"
        summary = read_summary(path)
        if summary is not None and summary.edits <= session.continued.edits:
            path.unlink(missing_ok=True)


def _hash(sha256: str) -> str:
    """Return a hash that is safe at the beginning of a file name; refuse any other text."""
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError("64 hexadecimal digits are needed")
    return sha256
