"""One image of a batch: from its file to its masks and its row, whatever happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from threading import Condition, Lock
from typing import Any

import torch

from napari_npa import __version__
from napari_npa.batch.memory import give_back_free_memory
from napari_npa.errors import BatchError, NpaError
from napari_npa.io.angiogram import read_angiogram
from napari_npa.io.decoding import pixel_count
from napari_npa.io.folder import FoundImage
from napari_npa.io.names import APPROVALS, hashed_stem
from napari_npa.io.storage import Place, Workspace, place_of
from napari_npa.io.writing import file_sha256
from napari_npa.models.names import AUTO
from napari_npa.results.record import read_record, record_path, row_of_record, write_result
from napari_npa.results.table import Row
from napari_npa.segmentation.segmenter import Segmenter
from napari_npa.types import Mode

PIXELS_IN_HAND = 48_000_000
"""Pixels of the images worked on at a time: three of 4000 x 4000, or a larger one alone. An 8-bit
image needs some 11 bytes a pixel: 4 GiB for the largest, 20,000 x 20,000."""


@dataclass(frozen=True)
class BatchOptions:
    """What decides the results of a batch besides its images.

    Attributes
    ----------
    model, mode, threshold
        As for :class:`napari_npa.Segmenter`; `threshold` None: the model's own.
    probability
        Write probability maps too.
    """

    model: str = AUTO
    mode: Mode | None = None
    threshold: float | None = None
    probability: bool = False


@dataclass(frozen=True)
class Task:
    """One image of a batch, told so that another machine can do it.

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
    """Row of an image; `done_before`: by an earlier run, and kept."""

    row: Row
    done_before: bool = False


class ImageRunner:
    """Does images of a batch, several at a time from several threads.

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
        """What a result of this runner can be told by, for its record."""
        return {
            **asdict(self.options),
            "model": list(self.weights),
            "mode": self._segmenters[0].mode,  # by default or asked for: the results are the same
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
        except NpaError as error:
            message = str(error)
        except MemoryError:
            message = f"'{name.name}' does not fit in memory. Close other programs."
        except Exception as error:  # nothing stops the run; what it was must be told
            message = f"'{name.name}' could not be processed ({type(error).__name__}: {error})."
        finally:
            give_back_free_memory()
        return Outcome(Row(image=str(name), status="failed", message=message))

    def _run(self, task: Task) -> Outcome:
        path = task.image.path
        output = place_of(task.output)
        with (
            place_of(task.source).file(path) as file,
            output.workspace(path.parent) as workspace,
        ):
            kept = partial(self._kept, output, workspace, path, sha256 := _sha256(file))
            if (row := kept(resume=task.resume)) is not None:
                return Outcome(row, done_before=True)
            with self._room.taken(pixel_count(file)):
                segmenter = self._segmenters[next(self._turn) % len(self._segmenters)]
                start = time.perf_counter()
                segmentation = segmenter.segment(
                    read_angiogram(file), threshold=self.options.threshold
                )
                seconds = time.perf_counter() - start
                # Once more: it may have been corrected meanwhile.
                if (row := kept(resume=False)) is not None:
                    return Outcome(row, done_before=True)
                written = write_result(
                    workspace.folder,
                    hashed_stem(path.stem, sha256) if task.image.shares_stem else path.stem,
                    segmentation,
                    seconds=seconds,
                    probability=self.options.probability,
                    options=self.made_with,
                )
            workspace.publish(written.files)
            return Outcome(_placed(written.row, path))

    def _kept(
        self, output: Place, workspace: Workspace, path: PurePosixPath, sha256: str, *, resume: bool
    ) -> Row | None:
        """Row of an earlier result that is to be kept, if there is one.

        What a person corrected or approved is kept whatever the batch was asked to do.
        """
        for stem in (path.stem, hashed_stem(path.stem, sha256)):
            base = workspace.folder / stem
            workspace.fetch(record_path(base).name)
            record = read_record(base)
            if record is not None and record["image"]["sha256"] == sha256:
                break
        else:
            return None
        row = row_of_record(record, stem) if _is_whole(record, workspace) else None
        if row is not None and resume and record.get("options") == self.made_with:
            return _placed(row, path)
        if not record["edited"] and not _is_approved(sha256, output, path.parent):
            return None
        if row is None:
            raise BatchError(
                record_path(base),
                "tells of masks that a person corrected or approved, and that are damaged or "
                "were changed since",
                "Restore them, or move them away to have the image segmented again.",
            )
        return _placed(row, path)


class Room:
    """Lets images into memory while their pixels stay within a limit, or one alone.

    In the order in which they come, so that a large one is not kept out by small ones.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._held = limit, 0
        self._first = Lock()
        self._changed = Condition()

    @contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Hold room for so many pixels, waiting until there is some."""
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
    """Devices to share the images among: every GPU for ``auto`` and ``cuda``, else that one."""
    gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    return tuple(f"cuda:{index}" for index in range(gpus)) if gpus > 1 else (device,)


def _is_approved(sha256: str, output: Place, folder: PurePosixPath) -> bool:
    """Whether a person approved the masks of an image, reviewing its folder or one above it."""
    try:
        for above in (folder, *folder.parents):
            kept = output.read_text(str(above / APPROVALS))
            if kept is not None and sha256 in json.loads(kept)["approved"].values():
                return True
    except (NpaError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise BatchError(
            APPROVALS,
            "cannot be read: whether these masks were approved is not known",
            "Restore it, or move it away to have them made again.",
        ) from error
    return False


def _sha256(file: Path) -> str:
    try:
        return file_sha256(file)
    except OSError:
        return read_angiogram(file).sha256  # says why it cannot be opened


def _placed(row: Row, path: PurePosixPath) -> Row:
    """The row with image and result told from the folders of the batch."""
    return replace(row, image=str(path), result=str(path.parent / row.result))


def _is_whole(record: Mapping[str, Any], workspace: Workspace) -> bool:
    """Whether all files of a result are there as they were written."""
    files: Mapping[str, str] = record.get("files", {})  # older versions did not tell
    return all(
        workspace.fetch(name) and file_sha256(workspace.folder / name) == sha256
        for name, sha256 in files.items()
    )
