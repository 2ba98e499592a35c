"""A batch on the machines of a Dask cluster that is running already.

Tasks name files: every worker reads images and writes masks where all machines see them, and
none of them travels through the scheduler.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, InvalidStateError
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from napari_npa import __version__
from napari_npa.batch.dask_client import connected, imported_distributed, quiet
from napari_npa.batch.one_image import BatchOptions, ImageRunner, Outcome, Task
from napari_npa.batch.run import Workers
from napari_npa.errors import BatchError, NpaError
from napari_npa.io.names import MANIFEST
from napari_npa.io.storage import LocalStorage, storage_of
from napari_npa.results.table import Row

NO_WORKER_SECONDS = 300
"""Time that a run waits when all workers have left: others may be about to join."""

WATCH_SECONDS = 2
"""How often workers are counted during a run."""

RUNS_KEPT = 2
"""Number of runs for which a worker keeps the weights in memory."""


@dataclass(frozen=True)
class Run:
    """What the images of a run have in common, in a form that every worker can receive.

    Attributes
    ----------
    name
        Unlike that of any other run: which masks a person approved, workers ask in each.
    options, device, weights
        As for :class:`ImageRunner`.
    version
        Of this package.
    """

    name: str
    options: BatchOptions
    device: str
    weights: tuple[str, ...]
    version: str = __version__


@contextmanager
def cluster_workers(
    scheduler: str, options: BatchOptions, device: str = "auto"
) -> Iterator[Workers]:
    """Threads of a Dask cluster's workers.

    Workers may join, leave and die meanwhile: what a dead one had in hand, another one does.

    Parameters
    ----------
    scheduler
        Its address, as ``tcp://host:8786``.
    options
        How the images are to be segmented. A weights file must have the same path everywhere.
    device
        As for :class:`ImageRunner`, on each worker.

    Raises
    ------
    BatchError
        Dask is not installed; the scheduler cannot be reached or has no workers; a worker has
        another version, other weights, or not that device.
    WeightsError
        Weights missing here, damaged or of an unknown kind.
    """
    distributed = imported_distributed()
    options = replace(options, model=_found_anywhere(options.model))
    run = Run(uuid.uuid4().hex, options, device, ImageRunner(options, "cpu").weights)
    with (
        quiet("distributed", "tornado"),
        connected(distributed, scheduler) as client,
        _Cluster(client, scheduler, run, distributed.KilledWorker) as cluster,
    ):
        yield _ClusterWorkers(cluster, run, devices=_prepared(client, run))


def segment_here(run: Run, task: Task) -> Outcome:
    """Segment an image on the worker that this is called on.

    Raises
    ------
    BatchError
        This worker cannot do any image of the run.
    """
    from distributed import get_worker

    worker = get_worker()
    worker.log_event(run.name, worker.get_current_task())
    for place, content in ((storage_of(task.source), ""), (storage_of(task.output), MANIFEST)):
        if isinstance(place, LocalStorage) and not (place.root / content).exists():
            return _failed(
                task,
                f"could not be processed: the worker at {worker.address} does not see the folder "
                f"'{place.root}'. Mount it there by the same path.",
            )
    try:
        return _runner(run).run(task)
    except NpaError as error:
        raise _refusal(worker.address, error) from error


async def prepare(run: Run) -> tuple[str, ...]:
    """Load on this worker what the run needs, and return its devices."""
    return (await asyncio.to_thread(_runner, run)).devices


_loading = Lock()  # else two threads would load the weights at the same time


def _runner(run: Run) -> ImageRunner:
    with _loading:
        return _loaded(run)


@lru_cache(RUNS_KEPT)
def _loaded(run: Run) -> ImageRunner:
    if run.version != __version__:
        raise BatchError("napari-npa", f"is of version {__version__} there", _same(run.version))
    return ImageRunner(run.options, run.device, weights=run.weights)


class _ClusterWorkers(Workers):
    """Hands out tasks that any machine can run."""

    def __init__(self, cluster: _Cluster, run: Run, devices: tuple[str, ...]) -> None:
        super().__init__(
            cluster,
            partial(segment_here, run),
            count=cluster.threads,
            weights=run.weights,
            devices=devices,
        )
        self._cluster = cluster

    def submit(self, task: Task) -> Future[Outcome]:
        """Start to segment an image."""
        self.count = self._cluster.threads
        source, output = _absolute(task.source), _absolute(task.output)
        return super().submit(replace(task, source=source, output=output))


class _Cluster(Executor):
    """Dask as an executor whose futures know whether their task has begun.

    As with threads, a task can be taken back until then. If the scheduler or all workers are
    lost, every future fails with a :class:`BatchError`.

    Attributes
    ----------
    threads
        How many images the present workers do at a time; 1 if there are none.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - a distributed.Client
        scheduler: str,
        run: Run,
        killed: type[Exception],
    ) -> None:
        self._client, self._scheduler, self._killed = client, scheduler, killed
        self._in_hand: dict[str, Future[Outcome]] = {}
        self._last_worker = time.monotonic()
        self._closed = Event()
        self._count()
        client.subscribe_topic(run.name, self._begun)
        Thread(target=self._watch, name="cluster", daemon=True).start()

    def submit(  # type: ignore[override]
        self, function: Callable[[Task], Outcome], task: Task
    ) -> Future[Outcome]:
        """Let any worker segment an image."""
        future: Future[Outcome] = Future()
        self._hand_out(future, function, task)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Stop watching; closing the client takes back what is in hand."""
        self._closed.set()

    def _hand_out(
        self, future: Future[Outcome], function: Callable[[Task], Outcome], task: Task
    ) -> None:
        key = f"segment-{uuid.uuid4().hex}"
        self._in_hand[key] = future
        try:
            remote = self._client.submit(function, task, key=key, pure=False)
        except Exception as error:  # where the connection was lost, there are many
            _settle(future, self._lost(error))
            return
        future.add_done_callback(lambda future: future.cancelled() and remote.cancel())
        remote.add_done_callback(lambda remote: self._ended(remote, future, function, task))

    def _begun(self, event: tuple[float, str]) -> None:
        """Note that a worker begins a task."""
        future = self._in_hand.get(event[1])
        if future is not None and not future.running() and not future.done():
            future.set_running_or_notify_cancel()

    def _ended(
        self,
        remote: Any,  # noqa: ANN401 - a distributed.Future
        future: Future[Outcome],
        function: Callable[[Task], Outcome],
        task: Task,
    ) -> None:
        self._in_hand.pop(remote.key, None)
        result: Outcome | BaseException
        try:
            result = remote.result()
        except BaseException as error:  # that of a cancelled task is no Exception
            result = error if remote.status == "error" else self._lost(error)
        if isinstance(result, self._killed):
            if not future.running():  # other images of those workers were the cause
                self._hand_out(future, function, task)
                return
            result = _failed(
                task,
                "was given up: all workers that tried it died. Give them more memory, or see "
                "their logs.",
            )
        elif isinstance(result, BaseException) and not isinstance(result, NpaError):
            # Not an error of the image, which would be in its row: packages differ.
            why = f"cannot hand out images ({str(result).partition('.')[0]})"
            result = BatchError(self._scheduler, why, _same(__version__))
        _settle(future, result)

    def _watch(self) -> None:
        """Count workers until closed, and say so when there is nobody to wait for."""
        while not self._closed.wait(WATCH_SECONDS):
            try:
                self._count()
            except Exception as error:  # as in _hand_out
                self._fail(self._lost(error))
            if time.monotonic() - self._last_worker > NO_WORKER_SECONDS:
                self._fail(
                    BatchError(
                        self._scheduler,
                        "has lost all its workers",
                        "Start others; the same command goes on from there.",
                    )
                )

    def _count(self) -> None:
        threads = sum(self._client.nthreads().values())
        if threads:
            self._last_worker = time.monotonic()
        self.threads = max(1, threads)

    def _fail(self, error: BatchError) -> None:
        for future in list(self._in_hand.values()):
            _settle(future, error)

    def _lost(self, error: BaseException) -> BatchError:
        lost = BatchError(
            self._scheduler,
            "was lost during the run",
            "What was done is kept; start it again, and the same command goes on from there.",
        )
        lost.__cause__ = error
        return lost


def _settle(future: Future[Outcome], result: Outcome | BaseException) -> None:
    with suppress(InvalidStateError):  # taken back meanwhile
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)


def _failed(task: Task, reason: str) -> Outcome:
    name = task.image.name
    return Outcome(Row(image=name, status="failed", message=f"'{name}' {reason}"))


def _prepared(client: Any, run: Run) -> tuple[str, ...]:  # noqa: ANN401 - as above
    """Load on all present workers what the run needs, and return their devices."""
    answers = client.run(prepare, run, on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, Exception):
            raise _refusal(worker, answer)
    return tuple(f"{device} of {worker}" for worker, them in answers.items() for device in them)


def _refusal(worker: str, error: Exception) -> BatchError:
    """Error that says why a worker cannot take part."""
    if isinstance(error, NpaError):
        reason, remedy = f"'{error.subject}' {error.reason}", error.remedy
    else:
        reason, remedy = str(error) or type(error).__name__, _same(__version__)
    return BatchError(f"worker {worker}", f"cannot take part: {reason}", remedy)


def _same(version: str) -> str:
    return f"Install napari-npa {version} with the extra 'cluster' on all machines."


def _absolute(where: str) -> str:
    return where if "://" in where else str(Path(where).absolute())


def _found_anywhere(model: str) -> str:
    """The model's name, or the absolute path of its file."""
    return str(Path(model).absolute()) if Path(model).suffix else model
