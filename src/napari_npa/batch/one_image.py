"""One image of a batch: from its file to its masks and its row, whatever happens."""

from __future__ import annotations

import ctypes
import errno
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from threading import Condition, Lock
from typing import Any

import torch

from napari_npa import __version__
from napari_npa.errors import BatchError, NpaError, ReplaceError
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.decoding import pixel_count
from napari_npa.io.folder import FoundImage, LeftOut
from napari_npa.io.masks import is_mask
from napari_npa.io.names import APPROVALS, RECORD_FILE, hashed_stem
from napari_npa.io.storage import Storage, Workspace, storage_of
from napari_npa.io.writing import file_sha256
from napari_npa.models.names import AUTO
from napari_npa.results.approvals import MOST_BYTES, approves
from napari_npa.results.folder import ResultFolder
from napari_npa.results.record import record_path
from napari_npa.results.result import Result
from napari_npa.results.saved import DATA_FILES, SavedResult
from napari_npa.results.table import Row
from napari_npa.segmentation.segmenter import Segmenter, require_threshold
from napari_npa.types import FieldChoice, Mode

PIXELS_IN_HAND = 48_000_000
"""Pixels of the images worked on at a time: three of 4000 x 4000, or a larger one alone. An 8-bit
image needs some 11 bytes a pixel: 4 GiB for the largest, 20,000 x 20,000."""


@dataclass(frozen=True)
class BatchOptions:
    """Options that determine the results of a batch, besides its images.

    Attributes
    ----------
    model, mode, threshold
        As for :class:`napari_npa.Segmenter`; `threshold` None: the model's own.
    probability
        Write probability maps too.
    field_of_view
        Of all images: ``55``, ``uwfa``, or ``auto``: told image by image.
    """

    model: str = AUTO
    mode: Mode | None = None
    threshold: float | None = None
    probability: bool = False
    field_of_view: FieldChoice = "auto"

    def __post_init__(self) -> None:
        """Refuse a threshold that is not in (0, 1]."""
        if self.threshold is not None:
            require_threshold(self.threshold)


@dataclass(frozen=True)
class Task:
    """One image of a batch, described so that another machine can segment it.

    Attributes
    ----------
    source, output
        Folders or URLs.
    image
        Which one.
    resume
        Keep a result that is whole and was made from the same image in the same way.
    """

    source: str
    output: str
    image: FoundImage
    resume: bool


@dataclass(frozen=True)
class Outcome:
    """Outcome of one image.

    Attributes
    ----------
    row
        Of the table.
    done_before
        An earlier run did it, or a person, and it was kept.
    by_person
        It was kept only because a person corrected or approved it.
    left_out
        Why the file is no angiogram, and has no row in the table.
    """

    row: Row
    done_before: bool = False
    by_person: bool = False
    left_out: LeftOut | None = None


class ImageRunner:
    """Segments images of a batch, several at a time from several threads.

    Parameters
    ----------
    options
        How.
    device
        As for :class:`napari_npa.Segmenter`; ``auto`` and ``cuda`` take all GPUs in turn.
    weights
        SHA-256 of the weights that must be used; None: whatever `options` leads to.
    pixels_in_hand
        See :data:`PIXELS_IN_HAND`.
    at_once
        See :class:`napari_npa.models.inference.Inference`.

    Raises
    ------
    DeviceError
        No such device.
    WeightsError
        Weights missing, damaged or of an unknown kind.
    BatchError
        `options` leads to other weights here.
    """

    def __init__(
        self,
        options: BatchOptions,
        device: str = "auto",
        *,
        weights: tuple[str, ...] | None = None,
        pixels_in_hand: int = PIXELS_IN_HAND,
        at_once: int = 1,
    ) -> None:
        self.options = options
        self._segmenters = [
            Segmenter(name, options.model, mode=options.mode, at_once=at_once)
            for name in all_devices(device)
        ]
        self.devices = tuple(str(segmenter.device) for segmenter in self._segmenters)
        self.weights = self._segmenters[0].weights
        if weights is not None and weights != self.weights:
            raise BatchError(
                options.model,
                "has other weights on this machine than where the batch was started",
                "Install the same version everywhere, or give a weights file that all can read.",
            )
        self._turn = count()
        self._room = Room(pixels_in_hand)

    @property
    def made_with(self) -> dict[str, Any]:
        """What distinguishes the results of this runner, for their records."""
        return {
            **asdict(self.options),
            "model": list(self.weights),
            # The default and the same mode chosen explicitly give the same results.
            "mode": self._segmenters[0].mode,
            "napari-npa": __version__,
        }

    def run(self, task: Task) -> Outcome:
        """Segment one image and write its result; an error becomes a failed row."""
        name = PurePosixPath(task.image.name)
        try:
            if task.image.problem:
                raise BatchError(
                    name.name, task.image.problem, "Ask its owner, rename it or leave it out."
                )
            return self._run(task)
        except Exception as error:  # nothing stops the run
            return Outcome(failed(str(name), error))
        finally:
            _give_back_free_memory()

    def _run(self, task: Task) -> Outcome:
        path = task.image.path
        output = storage_of(task.output)
        with (
            storage_of(task.source).file(path) as file,
            output.workspace(path.parent) as workspace,
        ):
            folder = ResultFolder(workspace.folder)
            kept = partial(self._kept, folder, output, workspace, path)
            if (done := kept(_sha256(file), resume=task.resume)) is not None:
                return done
            if task.image.is_named_as_mask and is_mask(file):
                return Outcome(
                    Row(image=task.image.name),
                    left_out=LeftOut(
                        task.image.name, "is a mask, not an angiogram", "It stays as it is."
                    ),
                )
            with self._room.taken(pixel_count(file)):
                segmenter = self._segmenters[next(self._turn) % len(self._segmenters)]
                start = time.perf_counter()
                angiogram = read_angiogram(file)
                segmentation = segmenter.segment(
                    angiogram,
                    threshold=self.options.threshold,
                    field_of_view=self.options.field_of_view,
                )
                seconds = time.perf_counter() - start
                # Check again: somebody may have corrected the image or replaced the file.
                if (done := kept(angiogram.sha256, resume=False)) is not None:
                    return done
                result = Result.of(segmentation, seconds=seconds, options=self.made_with)
                own = hashed_stem(path.stem, angiogram.sha256)
                stem = own if task.image.shares_stem else path.stem
                saved = self._save(folder, result, stem, own)
            workspace.publish(saved.files)
            return Outcome(_placed(saved.row, path))

    def _save(self, folder: ResultFolder, result: Result, stem: str, own: str) -> SavedResult:
        """Save a result; if foreign files have its names, under names with the image's hash."""
        save = partial(folder.save, probability=self.options.probability, table=False)
        try:
            return save(result, stem)
        except ReplaceError as error:
            if stem == own or folder.find(stem, result.angiogram.sha256) is not None:
                raise
            note = f"'{error.subject}' is not a file of this program and was kept"
            return save(replace(result, notes=(*result.notes, note)), own)

    def _kept(
        self,
        folder: ResultFolder,
        output: Storage,
        workspace: Workspace,
        path: PurePosixPath,
        sha256: str,
        *,
        resume: bool,
    ) -> Outcome | None:
        """Find an earlier result that must be kept.

        What a person corrected or approved is kept whatever the batch was asked to do.
        """
        saved = _fetched(folder, workspace, path.stem, sha256)
        if saved is None:
            return None
        row = _placed(saved.row, path) if saved.is_whole else None
        if row is not None and resume and saved.record.options == self.made_with:
            return Outcome(row, done_before=True)
        if not saved.edited and not _is_approved(sha256, output, path.parent):
            return None
        if row is None:
            raise BatchError(
                record_path(saved.base),
                "belongs to masks that a person corrected or approved, and that are damaged or "
                "were changed since",
                "Restore them, or move them away to have the image segmented again.",
            )
        return Outcome(row, done_before=True, by_person=True)


def failed(image: str, error: Exception) -> Row:
    """Row of an image that ended in an error, whatever it is."""
    name = PurePosixPath(image).name
    match error:
        case NpaError():
            message = str(error)
        case MemoryError():
            message = f"'{name}' does not fit in memory. Close other programs."
        case OSError(errno=errno.ENAMETOOLONG):
            message = f"'{name}' has too long a name for its result's files. Rename it shorter."
        case OSError() if error.strerror:
            message = f"'{name}' could not be processed: {error.strerror.lower()}."
        case _:  # its kind must be reported
            message = f"'{name}' could not be processed ({type(error).__name__}: {error})."
    return Row(image=image, status="failed", message=message)


class Room:
    """Admits images to memory while their pixels stay within a limit, or one image alone.

    Images are admitted in the order in which they come, so that small ones cannot keep out a large
    one.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._held = limit, 0
        self._first = Lock()
        self._changed = Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Reserve room for a number of pixels; waits until there is enough."""
        with self._first, self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + pixels <= self._limit)
            self._held += pixels
        try:
            yield
        finally:
            with self._changed:
                self._held -= pixels
                self._changed.notify()


def all_devices(device: str) -> tuple[str, ...]:
    """Devices that share the images: every GPU for ``auto`` and ``cuda``, else the given one."""
    gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    return tuple(f"cuda:{index}" for index in range(gpus)) if gpus > 1 else (device,)


def _is_approved(sha256: str, output: Storage, folder: PurePosixPath) -> bool:
    """Whether a person approved the masks of an image, reviewing its folder or one above it."""
    return any(
        approves(output.read(str(above / APPROVALS), MOST_BYTES), sha256)
        for above in (folder, *folder.parents)
    )


def _fetched(
    folder: ResultFolder, workspace: Workspace, stem: str, sha256: str
) -> SavedResult | None:
    """Find the result of an image, and fetch its files or those with its names."""
    for base in (stem, hashed_stem(stem, sha256)):
        workspace.fetch(base + RECORD_FILE)
    saved = folder.find(stem, sha256)
    for name in saved.hashes if saved is not None else [stem + end for end in DATA_FILES]:
        workspace.fetch(name)
    return saved


def _sha256(file: Path) -> str:
    try:
        return file_sha256(file)
    except OSError:
        return read_angiogram(file).sha256  # says why it cannot be opened


def _placed(row: Row, path: PurePosixPath) -> Row:
    """The row with image and result relative to the folders of the batch."""
    return replace(row, image=str(path), result=str(path.parent / row.result))


def _give_back_free_memory() -> None:
    """Return free memory of this process to the system, on Linux with glibc.

    Arrays of some megabytes, made and dropped by several threads, leave gaps that glibc keeps:
    over 200 images of 2000 x 2000 a batch grew by a tenth, and held 600 MiB more than it needed.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
