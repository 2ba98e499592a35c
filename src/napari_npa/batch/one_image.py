"""One image of a batch: from its file to its masks and its row, whatever happens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path, PurePosixPath
from threading import Condition, Lock
from typing import Any

import torch

from napari_npa import __version__
from napari_npa.angiogram import read_angiogram
from napari_npa.batch.images import FoundImage
from napari_npa.batch.places import Place, Workspace, place_of
from napari_npa.decoding import pixel_count
from napari_npa.errors import BatchError, NpaError
from napari_npa.results import hashed_stem, own_stem, read_record, record_path, write_result
from napari_npa.review import KEPT
from napari_npa.segmentation import Mode, Segmenter
from napari_npa.table import Row
from napari_npa.writing import file_sha256

PIXELS_IN_HAND = 48_000_000
"""Pixels of the images worked on at a time: three of 4000 x 4000, or a larger one alone; some 40
bytes a pixel are needed."""


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

    model: str = "whole"
    mode: Mode = "whole"
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
    ) -> None:
        self.options = options
        self._segmenters = [
            Segmenter(name, options.model, mode=options.mode) for name in all_devices(device)
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
        self._approvals: dict[str, frozenset[str]] = {}

    @property
    def made_with(self) -> dict[str, Any]:
        """What a result of this runner can be told by, for its record."""
        return {
            **asdict(self.options),
            "model": list(self.weights),
            "napari-npa": __version__,
        }

    def run(self, task: Task) -> Outcome:
        """Segment one image and write its result; an error becomes a failed row."""
        path = task.image.path
        try:
            if task.image.problem:
                raise BatchError(path.name, task.image.problem, "Ask its owner, or leave it out.")
            return self._run(task)
        except NpaError as error:
            message = str(error)
        except MemoryError:
            message = f"'{path.name}' does not fit in memory. Close other programs."
        except Exception as error:  # nothing stops the run; what it was must be told
            message = f"'{path.name}' could not be processed ({type(error).__name__}: {error})."
        return Outcome(Row(image=str(path), status="failed", message=message))

    def _run(self, task: Task) -> Outcome:
        source, output = place_of(task.source), place_of(task.output)
        path = task.image.path
        with (
            source.file(path) as file,
            self._room.taken(pixel_count(file)),
            output.workspace(path.parent) as workspace,
        ):
            stem = _stem(task.image, file)
            if (done := self._done(task, workspace, file, stem)) is not None:
                return Outcome(done, done_before=True)
            segmenter = self._segmenters[next(self._turn) % len(self._segmenters)]
            start = time.perf_counter()
            segmentation = segmenter.segment(read_angiogram(file), threshold=self.options.threshold)
            written = write_result(
                workspace.folder,
                stem,
                segmentation,
                seconds=time.perf_counter() - start,
                probability=self.options.probability,
                options=self.made_with,
            )
            workspace.publish(written.files)
            return Outcome(_placed(written.row, path))

    def _done(self, task: Task, workspace: Workspace, file: Path, stem: str) -> Row | None:
        """Row of an earlier result that is to be kept, if there is one.

        What a person corrected or approved is kept whatever the batch was asked to do.
        """
        path = task.image.path
        try:
            sha256 = file_sha256(file)
        except OSError:
            return None  # told when it is read
        for own in (stem, hashed_stem(stem, sha256)):
            workspace.fetch(record_path(Path(own)).name)
        base = workspace.folder / own_stem(workspace.folder, stem, sha256)
        record = read_record(base)
        if record is None or record["image"]["sha256"] != sha256:
            return None
        is_whole = _is_whole(record, workspace)
        if task.resume and is_whole and record.get("options") == self.made_with:
            return _placed(row_of_record(record, base.name), path)
        if not record["edited"] and sha256 not in self._approved(task.output):
            return None
        if not is_whole:
            raise BatchError(
                record_path(base),
                "tells of masks that a person corrected or approved, and that are damaged or "
                "were changed since",
                "Restore them, or move them away to have the image segmented again.",
            )
        return _placed(row_of_record(record, base.name), path)

    def _approved(self, output: str) -> frozenset[str]:
        """Hashes of the images whose masks a person approved, as of the first question."""
        if output not in self._approvals:
            self._approvals[output] = approved(place_of(output))
        return self._approvals[output]


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


def approved(output: Place) -> frozenset[str]:
    """Hashes of the images whose masks a person approved in the review queue."""
    try:
        text = output.read_text(KEPT)
        return frozenset(json.loads(text)["approved"].values()) if text else frozenset()
    except (ValueError, KeyError, TypeError, AttributeError):
        return frozenset()  # damaged: the review queue says so


def row_of_record(record: Mapping[str, Any], result: str) -> Row:
    """Row of the table that an image's record tells."""
    return Row(
        image=record["image"]["name"],
        isi=record["isi"],
        npa_pixels=record["npa_pixels"],
        retina_pixels=record["retina_pixels"],
        model=record["model"]["name"],
        seconds=record["seconds"],
        status=record.get("status", "ok"),
        message="; ".join(record["notes"]),
        threshold=record["threshold"],
        edited=record["edited"],
        sha256=record["image"]["sha256"],
        result=result,
    )


def _stem(image: FoundImage, file: Path) -> str:
    return hashed_stem(image.path.stem, file_sha256(file)) if image.shares_stem else image.path.stem


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
