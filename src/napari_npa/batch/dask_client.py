"""Reaching a Dask cluster: the client of a scheduler that has workers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Thread
from typing import Any

from napari_npa.errors import BatchError

REACH_SECONDS = 10
"""Time limit for reaching the scheduler."""

FIRST_WORKER_SECONDS = 60
"""Time limit for the first worker to join."""


def imported_distributed() -> Any:  # noqa: ANN401 - its functions have no types
    """Import Dask's package for clusters.

    Raises
    ------
    BatchError
        It is not installed.
    """
    try:
        return import_module("distributed")
    except ImportError as error:
        raise BatchError(
            "--scheduler",
            f"needs a package that is not installed ({error.name})",
            "Run: pip install 'napari-npa[cluster]'",
        ) from error


@contextmanager
def connected(distributed: Any, scheduler: str) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Connect to a scheduler that has workers, and close the client in the end.

    Parameters
    ----------
    distributed
        Dask's package.
    scheduler
        Its address.

    Raises
    ------
    BatchError
        The scheduler cannot be reached, or has no workers.
    """
    made: Future[Any] = Future()

    def connect() -> None:
        try:
            made.set_result(
                distributed.Client(
                    scheduler, timeout=REACH_SECONDS, set_as_default=False, name="napari-npa"
                )
            )
        except Exception as error:  # depends on the network and on who answers
            made.set_exception(error)

    # In a thread: Dask waits for ever for an answer from a port that is not a scheduler's.
    Thread(target=connect, daemon=True).start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tables of packages whose versions differ
            client = made.result(timeout=2 * REACH_SECONDS)
    except Exception as error:
        raise BatchError(
            scheduler,
            f"cannot be reached as a Dask scheduler ({str(error) or 'no answer'})",
            "Is 'dask scheduler' running there, and is the address the one that it shows?",
        ) from error
    try:
        try:
            client.wait_for_workers(1, timeout=FIRST_WORKER_SECONDS)
        except TimeoutError as error:
            raise BatchError(
                scheduler,
                f"has no workers (waited {FIRST_WORKER_SECONDS} s)",
                f"Start some: dask worker {scheduler}",
            ) from error
        yield client
    finally:
        with suppress(TimeoutError):  # lost its scheduler
            client.close()


@contextmanager
def quiet(*packages: str) -> Iterator[None]:
    """Silence the loggers of packages: errors that matter are raised."""
    loggers = [
        logger
        for name, logger in logging.root.manager.loggerDict.items()
        if name.split(".")[0] in packages and isinstance(logger, logging.Logger)
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
