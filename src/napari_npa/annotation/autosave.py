"""Write annotations on a thread of its own while the user works on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from threading import Condition, Thread, current_thread

from napari_npa.annotation.file import Annotation
from napari_npa.annotation.store import AnnotationStore
from napari_npa.errors import SaveError

_log = logging.getLogger(__name__)

Report = Callable[[str, "int | SaveError"], None]
"""Called with the hash of an image, and the number of its last edit on disk or an error."""

_Key = tuple[str, str]
"""Hash of the image and identifier of the session; empty for all sessions."""


class Autosaver:
    """Keeps the latest state of every annotation on disk.

    An annotation that still waits is replaced by a later one of the same session. One that the
    system refused (disk full) is tried again at the next action on any image, and by
    :meth:`flush`.

    Parameters
    ----------
    store
        Annotations on disk.
    report
        Called on the writing thread after each attempt, with the hash of the image and the
        number of the last edit on disk, or a :class:`SaveError`.
    """

    def __init__(self, store: AnnotationStore, report: Report | None = None) -> None:
        self._store = store
        self._report = report
        self._changed = Condition()
        # In the order of writing; None removes the annotation, or all of the image.
        self._waiting: dict[_Key, Annotation | None] = {}
        self._refused: dict[_Key, Annotation] = {}
        self._is_writing = False
        self._is_closing = False
        self._thread = Thread(target=self._work, name="napari-npa autosave", daemon=True)
        self._thread.start()

    def submit(self, annotation: Annotation) -> None:
        """Queue an annotation for writing, without waiting for the disk.

        Parameters
        ----------
        annotation
            A snapshot is written: later changes of its session do not affect it.

        Raises
        ------
        ValueError
            The saver is closed.
        """
        session = annotation.session.snapshot()
        with self._changed:
            self._add((session.image_sha256, session.id), replace(annotation, session=session))

    def discard(self, sha256: str, session_id: str = "") -> None:
        """Queue the removal of annotations of an image; drop those that still wait.

        Parameters
        ----------
        sha256
            Hash of the image.
        session_id
            Only the annotation of this session; empty: all.

        Raises
        ------
        ValueError
            The saver is closed.
        """

        def stays(key: _Key) -> bool:
            return key[0] != sha256 or (session_id not in ("", key[1]))

        with self._changed:
            self._waiting = {key: task for key, task in self._waiting.items() if stays(key)}
            self._refused = {key: task for key, task in self._refused.items() if stays(key)}
            self._add((sha256, session_id), None)

    def flush(self, timeout: float) -> bool:
        """Wait until everything submitted is on disk. `report` must not call this.

        Parameters
        ----------
        timeout
            Longest wait, seconds.

        Returns
        -------
        bool
            False if something is not on disk: it was refused, or the time was up.
        """
        with self._changed:
            self._retry()
            self._changed.notify_all()
            is_idle = self._changed.wait_for(
                lambda: not self._waiting and not self._is_writing, timeout
            )
            return is_idle and not self._refused

    def close(self, timeout: float) -> bool:
        """Flush and end the thread; return what :meth:`flush` returns."""
        # The garbage collector may call this on any thread, also on the writing one, which cannot
        # wait for itself.
        is_on_disk = current_thread() is not self._thread and self.flush(timeout)
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        return is_on_disk

    def _add(self, key: _Key, task: Annotation | None) -> None:
        if self._is_closing:
            raise ValueError("the autosaver is closed")
        self._refused.pop(key, None)
        self._retry()
        self._waiting[key] = task
        self._changed.notify_all()

    def _retry(self) -> None:
        # Refused annotations are older than waiting ones.
        self._waiting = {**self._refused, **self._waiting}
        self._refused = {}

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                if not self._waiting:
                    return
                key = next(iter(self._waiting))
                task = self._waiting.pop(key)
                self._is_writing = True
            outcome = self._do(key, task)
            with self._changed:
                is_refused = isinstance(outcome, SaveError) and not self._is_overtaken(key)
                # A removal is not tried again: it could remove newer work.
                if is_refused and task is not None:
                    self._refused[key] = task
            self._tell(key[0], outcome)
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()

    def _is_overtaken(self, key: _Key) -> bool:
        return key in self._waiting or (key[0], "") in self._waiting

    def _do(self, key: _Key, task: Annotation | None) -> int | SaveError:
        try:
            if task is None:
                self._store.discard(*key)
                return 0
            self._store.write(task)
        except SaveError as error:
            return error
        except Exception as error:  # whatever happened, the next edit must still be written
            _log.exception("an annotation could not be written")
            return SaveError(
                "annotation", f"could not be kept ({type(error).__name__})", "Save it now."
            )
        return task.session.number

    def _tell(self, sha256: str, outcome: int | SaveError) -> None:
        if self._report is None:
            return
        try:
            self._report(sha256, outcome)
        except Exception:  # a closed panel must not end the writing
            _log.exception("the report about an annotation failed")
