"""A batch: every image of a folder, one table, and a manifest that says how it went."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from threading import Event
from typing import Any

import torch

from napari_npa.batch.growing_table import GrowingTable
from napari_npa.batch.one_image import BatchOptions, ImageRunner, Outcome, Task
from napari_npa.errors import BatchError, NpaError
from napari_npa.io.folder import FoundImage, FoundImages, LeftOut, find_images
from napari_npa.io.names import MANIFEST
from napari_npa.io.storage import LocalStorage, Storage, storage_of
from napari_npa.io.texts.urls import without_password
from napari_npa.results.record import software_versions
from napari_npa.results.table import Row

CPU_WORKERS = 2
"""Number of images segmented at a time without a GPU."""

GPU_WORKERS = 8
"""Number of images segmented at a time for each GPU: beside an H200 and 16 cores one took
0.32 s with four, 0.25 with eight and 0.24 with sixteen."""

AHEAD = 3
"""Number of tasks handed out to each worker, so that none waits."""

MOST_TOLD = 5
"""Files that are named in a message; all are in the manifest."""

STOP_SECONDS = 0.2
"""Time within which a request to stop is noticed."""


@dataclass(frozen=True)
class Finished:
    """A finished image: its row, whether an earlier run made it, and the progress of the batch.

    A file that turned out to be no angiogram was left out: its row is not in the table.
    """

    row: Row
    done_before: bool
    done: int
    total: int
    left_out: bool = False


@dataclass(frozen=True)
class BatchReport:
    """Outcome of a batch.

    Attributes
    ----------
    rows
        In order of the images; those of images not reached are missing.
    total
        Images found.
    done_before
        How many rows are results of an earlier run.
    by_person
        How many of these were kept only because a person corrected or approved them.
    skipped
        Files that are not images, or results of ours.
    left_out
        Image files that are no angiograms, or of formats that are not read.
    stopped
        Not all images were done because somebody asked to stop.
    seconds
        Wall-clock time.
    """

    rows: tuple[Row, ...]
    total: int
    done_before: int
    by_person: int
    skipped: int
    stopped: bool
    seconds: float
    left_out: tuple[LeftOut, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of images by status, and of those that were kept or not reached."""
        statuses = Counter(row.status for row in self.rows)
        return {
            "images": self.total,
            **{status: statuses[status] for status in ("ok", "ungradable", "failed")},
            "not reached": self.total - len(self.rows),
            "left out": len(self.left_out),
            "done before": self.done_before,
            "corrected or approved, kept": self.by_person,
            "other files": self.skipped,
        }


class Workers:
    """An executor, and the function by which it segments images.

    Attributes
    ----------
    count
        How many images are done at a time.
    weights
        SHA-256 of what results depend on.
    devices
        On what is computed, for the manifest.
    """

    def __init__(
        self,
        executor: Executor,
        run: Callable[[Task], Outcome],
        *,
        count: int,
        weights: tuple[str, ...],
        devices: tuple[str, ...],
    ) -> None:
        self.count, self.weights, self.devices = count, weights, devices
        self._executor, self._run = executor, run

    def submit(self, task: Task) -> Future[Outcome]:
        """Start to segment an image."""
        return self._executor.submit(self._run, task)


@contextmanager
def local_workers(
    options: BatchOptions, device: str = "auto", count: int | None = None
) -> Iterator[Workers]:
    """Start threads of this process that segment one image each.

    On a GPU one is in the network while others read, search and write. On the processor each
    has its share of the cores throughout: taking turns on all of them, two scales took an eighth
    longer (two cores).

    Parameters
    ----------
    options
        How the images are to be segmented.
    device
        As for :class:`ImageRunner`.
    count
        Threads; None: two, or eight for each GPU but no more than there are cores. More on a
        processor take more memory.

    Raises
    ------
    DeviceError, WeightsError
        As for :class:`ImageRunner`.
    """
    runner = ImageRunner(options, device, at_once=count or CPU_WORKERS)
    gpus = sum(not name.startswith("cpu") for name in runner.devices)
    count = count or min(GPU_WORKERS * gpus, os.cpu_count() or 1) or CPU_WORKERS
    cores = torch.get_num_threads()
    share = cores if gpus else max(1, cores // count)
    executor = ThreadPoolExecutor(count, "batch", initializer=partial(torch.set_num_threads, share))
    try:
        yield Workers(
            executor, runner.run, count=count, weights=runner.weights, devices=runner.devices
        )
    finally:
        executor.shutdown(cancel_futures=True)
        torch.set_num_threads(cores)  # threads started from now on inherit this


def run_batch(
    source: str | Path,
    output: str | Path,
    options: BatchOptions | None = None,
    *,
    device: str = "auto",
    workers: int | None = None,
    recursive: bool = False,
    pattern: str | None = None,
    resume: bool = True,
    on_finished: Callable[[Finished], None] | None = None,
    stop: Event | None = None,
) -> BatchReport:
    """Segment the angiograms of a folder with the threads of this process.

    Parameters
    ----------
    source
        Folder, or a URL that fsspec knows, as ``s3://bucket/folder``.
    output
        Folder or URL of the results; subfolders are as in `source`.
    options
        How; None: as :class:`BatchOptions` is made.
    device, workers
        See :func:`local_workers`.
    recursive, pattern
        See :func:`find_images`.
    resume
        Keep results that are whole and were made from the same images, by the same weights
        and options. Otherwise all are made again, but for those that a person corrected or
        approved: these are always kept.
    on_finished
        Called after each image, in the calling thread.
    stop
        Set from anywhere to stop after the images in hand.

    Returns
    -------
    BatchReport

    Raises
    ------
    NpaError
        The folder, the weights, the device or the folder of the results cannot be used. What
        is wrong with an image stands in its row.
    """
    options = options or BatchOptions()
    found = find_images(source, output, recursive=recursive, pattern=pattern)
    with local_workers(options, device, workers) as who:
        return run_on(
            who, found, source, output, options, resume=resume, on_finished=on_finished, stop=stop
        )


def run_on(
    workers: Workers,
    found: FoundImages,
    source: str | Path,
    output: str | Path,
    options: BatchOptions,
    *,
    resume: bool = True,
    on_finished: Callable[[Finished], None] | None = None,
    stop: Event | None = None,
) -> BatchReport:
    """Segment images with any workers; see :func:`run_batch`.

    Raises
    ------
    BatchError
        Nothing is there to be segmented.
    SaveError
        Table or manifest cannot be written.
    """
    if not found.images:
        others = [f"{found.skipped} other files", *map(str, found.left_out[:MOST_TOLD])]
        raise BatchError(
            _name(source),
            f"holds no angiogram ({'; '.join(others)})",
            "Give a folder of TIFF, PNG or JPEG files; for subfolders, add --recursive.",
        )
    place = storage_of(output)
    if isinstance(place, LocalStorage):
        place.remove_partials({PurePosixPath(), *(image.path.parent for image in found.images)})
    table = GrowingTable(place, [image.name for image in found.images])
    manifest = _Manifest(place, workers, source, options)
    start = time.perf_counter()
    outcomes: dict[int, Outcome] = {}
    stop = stop or Event()
    manifest.write("running", {"images": len(found.images)})
    table.write()  # a folder that cannot be written to is reported before hours of work
    tasks = (Task(str(source), str(output), image, resume) for image in found.images)
    try:
        for at, outcome in _outcomes(workers, enumerate(tasks), stop):
            outcomes[at] = outcome
            if outcome.left_out is None:
                table.add(outcome.row)
            if on_finished is not None:
                done = Finished(
                    outcome.row,
                    outcome.done_before,
                    len(outcomes),
                    len(found.images),
                    outcome.left_out is not None,
                )
                on_finished(done)
    finally:  # also where the workers were lost, or Ctrl+C came a second time
        in_order = [outcomes[at] for at in sorted(outcomes)]
        left_out = tuple(done.left_out for done in in_order if done.left_out is not None)
        report = BatchReport(
            rows=tuple(done.row for done in in_order if done.left_out is None),
            total=len(found.images) - len(left_out),
            done_before=sum(outcome.done_before for outcome in outcomes.values()),
            by_person=sum(outcome.by_person for outcome in outcomes.values()),
            skipped=found.skipped,
            stopped=len(outcomes) < len(found.images),
            seconds=time.perf_counter() - start,
            left_out=(*found.left_out, *left_out),
        )
        table.write()
        manifest.left_out(report.left_out)
        manifest.write("stopped" if report.stopped else "finished", report.counts)
    return report


def _outcomes(
    workers: Workers, tasks: Iterable[tuple[int, Task]], stop: Event
) -> Iterator[tuple[int, Outcome]]:
    """Yield outcomes as they come; after a stop, those of the images in hand too."""
    waiting = iter(tasks)
    in_hand: dict[Future[Outcome], tuple[int, FoundImage]] = {}
    while True:
        free = 0 if stop.is_set() else max(0, AHEAD * workers.count - len(in_hand))
        for at, task in islice(waiting, free):
            in_hand[workers.submit(task)] = (at, task.image)
        if stop.is_set():
            for future in [future for future in in_hand if future.cancel()]:
                del in_hand[future]
        if not in_hand:
            return
        done, _ = wait(in_hand, STOP_SECONDS, FIRST_COMPLETED)
        for future in done:
            at, image = in_hand.pop(future)
            yield at, _outcome(future, image)


def _outcome(future: Future[Outcome], image: FoundImage) -> Outcome:
    """Return the outcome of a task; a failed row if the worker itself was lost.

    Raises
    ------
    NpaError
        The workers cannot go on: what is wrong with an image they tell in its row.
    """
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, NpaError):
        raise error
    message = f"'{image.name}' could not be processed ({type(error).__name__}: {error})."
    return Outcome(Row(image=image.name, status="failed", message=message))


class _Manifest:
    """``run.json``: versions, weights, options, times and counts of a run."""

    def __init__(
        self, place: Storage, workers: Workers, source: str | Path, options: BatchOptions
    ) -> None:
        self._place = place
        self._started = _now()
        self._content: dict[str, Any] = {
            "source": without_password(str(source)),
            "options": asdict(options),
            "weights_sha256": list(workers.weights),
            "devices": list(workers.devices),
            "workers": workers.count,
            "software": dict(software_versions()),
            "intended_use": "research use only",
        }

    def left_out(self, files: tuple[LeftOut, ...]) -> None:
        """Take down which image files have no row, and why."""
        self._content["left_out"] = {one.name: one.reason for one in files}

    def write(self, status: str, counts: dict[str, int]) -> None:
        """Write the manifest with a status and counts."""
        times = {"started": self._started, "written": _now()}
        content = {"status": status, **times, "counts": counts, **self._content}
        text = json.dumps(content, indent=2, ensure_ascii=False)
        self._place.write(MANIFEST, f"{text}\n".encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _name(where: str | Path) -> str:
    text = without_password(str(where))
    return text.rstrip("/").rpartition("/")[2] or text
