"""Records every edit of the results of a viewer, and keeps the edits on disk."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary, finalize, ref

from napari.utils.notifications import show_info
from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_npa.annotation.autosave import Autosaver
from napari_npa.annotation.file import Annotation, Summary
from napari_npa.annotation.packed_mask import PackedMask
from napari_npa.annotation.session import Session
from napari_npa.annotation.store import AnnotationStore
from napari_npa.errors import SaveError
from napari_npa.plugin.layers.result_layers import ImageResult, results_of
from napari_npa.plugin.layers.steps import is_written_by_program
from napari_npa.plugin.qt.gui_thread import GuiGoneError, call_in_gui, deleted_in_gui
from napari_npa.plugin.qt.messages import tell

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

SETTLE_MS = 80
"""A change without a name, such as an undo, is recorded once the layers have not changed for this
long."""

STROKES = {"paint": "brush", "erase": "eraser", "fill": "fill", "polygon": "polygon"}
"""Names of strokes in the log, by napari's mode."""

LATE = {"fill", "polygon"}
"""Strokes that napari announces before it changes the pixels."""

UNNAMED = "undo or redo"

CLOSING_SECONDS = 10.0
"""Longest wait for the last edit to be written while napari closes."""


class _State(NamedTuple):
    """State of a session at one moment; masks that never change, so it takes no memory."""

    number: int
    npa: PackedMask
    retina: PackedMask

    @classmethod
    def of(cls, session: Session) -> _State:
        """State of a session now."""
        return cls(session.number, session.npa, session.retina)


class Annotations:
    """Annotation sessions of the results of one viewer.

    Parameters
    ----------
    viewer
        Viewer with the results; its camera and cursor are signs that the user is active.

    Attributes
    ----------
    who
        Who corrects; empty: not said.
    """

    changed = Signal()
    """An edit was recorded, or was written to disk."""

    kept_changed = Signal()
    """Annotations of earlier sessions were taken up or deleted."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.store = AnnotationStore()
        self.who = ""
        self.results = results_of(viewer)
        self.result: ImageResult | None = None
        self._sessions: WeakKeyDictionary[ImageResult, Session] = WeakKeyDictionary()
        self._saving: WeakKeyDictionary[ImageResult, _State] = WeakKeyDictionary()
        self._safe: WeakKeyDictionary[ImageResult, _State] = WeakKeyDictionary()
        self._kept: WeakKeyDictionary[ImageResult, float] = WeakKeyDictionary()
        self._on_disk: dict[str, int] = {}
        self._autosaver = Autosaver(self.store, partial(_report, ref(self)))
        finalize(self, self._autosaver.close, CLOSING_SECONDS)  # at the latest when Python exits
        self._settled = deleted_in_gui(QTimer(), self)
        self._settled.setSingleShot(True)
        self._name = UNNAMED
        # Methods: lambdas or partials would keep this object alive, and with it the viewer.
        self._settled.timeout.connect(self._record_settled)
        self.results.chosen.connect(self._follow)
        self.results.closed.connect(self._closed)
        if (app := QApplication.instance()) is not None:
            app.aboutToQuit.connect(self._flush_at_end)
        viewer.scene.camera.events.connect(self._touch)
        viewer.cursor.events.connect(self._touch)
        self._follow()

    @property
    def session(self) -> Session | None:
        """Session of the result that the user works on."""
        return self._sessions.get(self.result) if self.result is not None else None

    def record(self, tool: str, result: ImageResult | None = None, *, is_work: bool = True) -> None:
        """Record what has changed since the last edit, and write it to disk in the background.

        Parameters
        ----------
        tool
            What changed it.
        result
            What has changed; None: the result that the user works on.
        is_work
            False if nothing is lost without the change: masks that were computed or read.
        """
        result = result or self.result
        if result is None:
            return
        session = self._session_of(result)
        if result is self.result:
            self._end_settling()
        was_unsaved = self._differs(result, session)
        edits = session.record(tool, *result.masks(), monotonic())
        # A threshold that changes no pixel is no edit, but what goes on from it has to know it.
        if edits or (session.number and result.segmentation.threshold != self._kept.get(result)):
            self._keep(session, result)
        if not is_work and not was_unsaved:
            self._safe[result] = _State.of(session)
        if edits:
            self.changed.emit()

    def resume(self, annotation: Annotation, result: ImageResult) -> None:
        """Put an earlier annotation into the layers of a result; it can be undone.

        Raises
        ------
        AnnotationError
            The annotation belongs to another image.
        """
        self._session_of(result)
        automatic = result.segmentation
        angiogram = automatic.angiogram
        shape = (angiogram.pixels.shape[0], angiogram.pixels.shape[1])
        session = annotation.session.resumed(angiogram.name, angiogram.sha256, shape)
        self._sessions[result] = session
        # By other weights the threshold would mean another thing.
        if (annotation.weights or session.model_sha256) == automatic.model_sha256:
            automatic = automatic.at_threshold(annotation.threshold)
        result.put(session.npa.unpack(), session.retina.unpack(), automatic)
        if annotation.saved:
            self._safe[result] = _State.of(session)
        if result is self.result:
            self._end_settling()
        self.changed.emit()
        self.kept_changed.emit()

    def as_record(self, result: ImageResult) -> dict[str, Any] | None:
        """Session of a result, for the record that is saved with the masks."""
        self._record_now()
        session = self._sessions.get(result)
        if session is None:
            return None
        session.who = self.who or session.who
        self._saving[result] = _State.of(session)
        return session.as_record()

    def saved(self, result: ImageResult, folder: Path) -> None:
        """Note that a result was saved in the state that :meth:`as_record` described."""
        session = self._sessions.get(result)
        if session is None:
            return
        result.folder = folder
        state = self._saving.pop(result, None)
        if state is not None:
            self._safe[result] = state
            if session.number == state.number != 0:
                self._keep(session, result, folder)
        self.changed.emit()

    def is_unsaved(self, result: ImageResult) -> bool:
        """Whether a result has corrections that no saved file holds."""
        if result is self.result:
            self._record_now()
        session = self._sessions.get(result)
        return session is not None and self._differs(result, session)

    def unsaved(self, viewer: ViewerModel) -> list[ImageResult]:
        """Results in a viewer that have corrections which no saved file holds."""
        results = list(self._sessions)
        return [each for each in results if each.is_whole(viewer) and self.is_unsaved(each)]

    def _differs(self, result: ImageResult, session: Session) -> bool:
        safe = self._safe[result]
        return session.npa != safe.npa or session.retina != safe.retina

    def _closed(self, result: ImageResult) -> None:
        """Tell that corrections of an image that was removed can be taken up again."""
        if self.is_unsaved(result):
            show_info(
                f"'{self._sessions[result].image}' was closed with corrections that are not saved. "
                "They are kept for recovery: open it again to go on with them."
            )

    def discard(self, kept: Summary) -> None:
        """Delete an annotation that was kept."""
        self._autosaver.discard(kept.image_sha256, kept.session_id)

    def open_sessions(self, viewer: ViewerModel) -> set[str]:
        """Identifiers of the sessions whose results are in a viewer, and of those they continue."""
        found = set()
        for result, session in self._sessions.items():
            if result.is_whole(viewer):
                found.add(session.id)
                if session.continued is not None:
                    found.add(session.continued.session_id)
        return found

    def unused_work(self, sha256: str, viewer: ViewerModel) -> list[Summary]:
        """Unsaved annotations that were kept of an image, and are not in its result."""
        kept = self.store.kept_of(sha256)
        open_now = self.open_sessions(viewer)
        return [each for each in kept if not each.saved and each.session_id not in open_now]

    def _keep(self, session: Session, result: ImageResult, folder: Path | None = None) -> None:
        segmentation = result.segmentation
        self._kept[result] = segmentation.threshold
        self._autosaver.submit(
            Annotation(
                session,
                segmentation.threshold,
                saved=folder is not None,
                folder=folder,
                source=segmentation.angiogram.path,
                frame=segmentation.angiogram.frame,
                weights=segmentation.model_sha256,
            )
        )

    def flush(self, seconds: float) -> bool:
        """Wait until all edits are on disk.

        Returns
        -------
        done
            False if that took longer than `seconds`.
        """
        self._record_now()
        return self._autosaver.flush(seconds)

    def _record_settled(self) -> None:
        self.record(self._name)

    def _record_now(self) -> None:
        """Record a change that has not settled yet."""
        if self._settled.isActive():
            self._record_settled()

    def _flush_at_end(self) -> None:
        self.flush(CLOSING_SECONDS)

    def in_words(self) -> str:
        """Number of edits and time of the session, for the panel."""
        session = self.session
        if session is None:
            return ""
        minutes, seconds = divmod(round(session.active.seconds), 60)
        edits = f"{session.number} edit{'s' * (session.number != 1)}, {minutes}:{seconds:02} min"
        if session.number == 0:
            return edits
        is_kept = self._on_disk.get(session.id, 0) >= session.number
        assert self.result is not None
        is_saved = "not saved, but " if self._differs(self.result, session) else ""
        return f"{edits}; {is_saved}{'kept for recovery' if is_kept else 'being kept…'}"

    def _follow(self) -> None:
        self._record_now()
        self._watch(False)
        self.result = self.results.current
        self._watch(True)
        if self.result is not None:
            self._session_of(self.result)
        self._touch()
        self.changed.emit()

    def _session_of(self, result: ImageResult) -> Session:
        """Session of a result, which begins with the masks as they are now."""
        if result not in self._sessions:
            segmentation = result.segmentation
            self._sessions[result] = Session(
                segmentation.angiogram.name,
                segmentation.angiogram.sha256,
                segmentation.model,
                segmentation.model_sha256,
                *result.masks(),
            )
            self._safe[result] = _State.of(self._sessions[result])
        return self._sessions[result]

    def _watch(self, on: bool) -> None:
        if self.result is None:
            return
        for layer in (self.result.npa, self.result.retina):
            for event, callback in (
                (layer.events.paint, self._stroke_ended),
                (layer.events.set_data, self._settle),
            ):
                (event.connect if on else event.disconnect)(callback)

    def _stroke_ended(self, event: Any) -> None:  # noqa: ANN401 - napari's events are untyped
        stroke = STROKES.get(str(event.source.mode))
        if stroke is None or is_written_by_program(event.source):
            self._settle(event)
            return
        if stroke in LATE:
            self._name = stroke
            self._wait(0)
        else:  # at once: the drawing of the image would come first
            self.record(stroke)

    def _settle(self, event: Any) -> None:  # noqa: ANN401
        # What the program writes is recorded by its name; a stroke waits with its own.
        if self._name == UNNAMED and not is_written_by_program(event.source):
            self._wait(SETTLE_MS)

    def _wait(self, milliseconds: int) -> None:
        _SETTLING.add(self)
        self._settled.start(milliseconds)

    def _end_settling(self) -> None:
        _SETTLING.discard(self)
        self._settled.stop()
        self._name = UNNAMED

    def _touch(self) -> None:
        if self.session is not None:
            self.session.active.touch(monotonic())

    def _note_on_disk(self, sha256: str, outcome: int | SaveError) -> None:
        if isinstance(outcome, SaveError):
            tell(outcome)
        elif self.session is not None and self.session.image_sha256 == sha256:
            self._on_disk[self.session.id] = outcome
        if outcome == 0:  # something was discarded
            self.kept_changed.emit()
        self.changed.emit()


def _report(annotations: ref[Annotations], sha256: str, outcome: int | SaveError) -> None:
    # A weak reference: else the writing thread could be the last to hold it, and delete it.
    with suppress(GuiGoneError):
        call_in_gui(partial(_note, annotations, sha256, outcome))


def _note(annotations: ref[Annotations], sha256: str, outcome: int | SaveError) -> None:
    if (alive := annotations()) is not None:
        alive._note_on_disk(sha256, outcome)


_SETTLING: set[Annotations] = set()
"""Annotations with an unrecorded change, kept alive even if their viewer is gone."""

_ANNOTATIONS: WeakKeyDictionary[ViewerModel, Annotations] = WeakKeyDictionary()


def annotations_of(viewer: ViewerModel) -> Annotations:
    """Annotations of a viewer; all panels share one object."""
    if viewer not in _ANNOTATIONS:
        _ANNOTATIONS[viewer] = Annotations(viewer)
    return _ANNOTATIONS[viewer]
