"""Records every edit of the results of a viewer, and keeps them on disk."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, finalize, ref

from napari.layers import Labels
from psygnal import Signal
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_npa.annotation.autosave import Autosaver
from napari_npa.annotation.file import Annotation
from napari_npa.annotation.session import Session
from napari_npa.annotation.store import AnnotationStore
from napari_npa.errors import SaveError
from napari_npa.plugin.layers.result_layers import ImageResult, results_of
from napari_npa.plugin.qt.gui_thread import GuiGoneError, call_in_gui, deleted_in_gui
from napari_npa.plugin.qt.messages import tell

if TYPE_CHECKING:
    from pathlib import Path

    from napari.components import ViewerModel

SETTLE_MS = 120
"""A change that nobody has named, as an undo, is recorded when the layers have been still this
long."""

STROKES = {"paint": "brush", "erase": "eraser", "fill": "fill", "polygon": "polygon"}
"""What a stroke is called in the log, by napari's mode."""

UNNAMED = "undo or redo"

CLOSING_SECONDS = 10.0
"""How long napari may take to close while the last edit is written."""


class Annotations:
    """Sessions of the results of one viewer.

    Parameters
    ----------
    viewer
        Whose results are followed, and whose camera and cursor are signs of activity.
    """

    changed = Signal()
    """An edit was recorded, or has reached the disk."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.store = AnnotationStore()
        self.results = results_of(viewer)
        self.result: ImageResult | None = None
        self._sessions: WeakKeyDictionary[ImageResult, Session] = WeakKeyDictionary()
        self._saving: WeakKeyDictionary[ImageResult, int] = WeakKeyDictionary()
        self._on_disk: dict[str, int] = {}
        self._autosaver = Autosaver(self.store, partial(_report, ref(self)))
        finalize(self, self._autosaver.close, CLOSING_SECONDS)  # at the latest when Python ends
        self._settled = deleted_in_gui(QTimer(), self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLE_MS)
        # Methods, not lambdas or partials: these would keep this object, and with it the viewer.
        self._settled.timeout.connect(self._record_settled)
        self.results.chosen.connect(self._follow)
        if (app := QApplication.instance()) is not None:
            app.aboutToQuit.connect(self._flush_at_end)
        viewer.scene.camera.events.connect(self._touch)
        viewer.cursor.events.connect(self._touch)
        self._follow()

    @property
    def session(self) -> Session | None:
        """Session of the result that is worked on."""
        return self._sessions.get(self.result) if self.result is not None else None

    def record(self, tool: str) -> None:
        """Record what has changed since the last edit, and have it written to disk."""
        session, result = self.session, self.result
        if session is None or result is None:
            return
        self._end_settling()
        if session.record(tool, *result.masks(), monotonic()):
            self._keep(session, result)
            self.changed.emit()

    def resume(self, annotation: Annotation) -> None:
        """Put an earlier annotation into the layers of the result that is worked on; undoable.

        Raises
        ------
        AnnotationError
            It belongs to another image.
        """
        assert self.result is not None
        angiogram = self.result.segmentation.angiogram
        shape = (angiogram.pixels.shape[0], angiogram.pixels.shape[1])
        session = annotation.session.resumed(angiogram.name, angiogram.sha256, shape)
        self._sessions[self.result] = session
        self.result.put(session.npa.unpack(), session.retina.unpack())
        self._end_settling()
        self.changed.emit()

    def as_record(self, result: ImageResult, who: str = "") -> dict[str, Any] | None:
        """Session of a result, for the record that is saved with its masks."""
        if self._settled.isActive():
            self.record(UNNAMED)
        session = self._sessions.get(result)
        if session is None:
            return None
        session.who = who or session.who
        self._saving[result] = session.number
        return session.as_record()

    def saved(self, result: ImageResult, folder: Path) -> None:
        """Note that a result was saved as it was when :meth:`as_record` was called."""
        session = self._sessions.get(result)
        if session is not None and session.number == self._saving.get(result) != 0:
            self._keep(session, result, folder)

    def discard(self, sha256: str) -> None:
        """Forget what was kept of an image."""
        self._autosaver.discard(sha256)

    def _keep(self, session: Session, result: ImageResult, folder: Path | None = None) -> None:
        segmentation = result.segmentation
        self._autosaver.submit(
            Annotation(
                session,
                segmentation.threshold,
                saved=folder is not None,
                folder=folder,
                source=segmentation.angiogram.path,
            )
        )

    def flush(self, seconds: float) -> bool:
        """Wait until all edits are on disk; whether they are."""
        if self._settled.isActive():
            self.record(UNNAMED)
        return self._autosaver.flush(seconds)

    def _record_settled(self) -> None:
        self.record(UNNAMED)

    def _flush_at_end(self) -> None:
        self.flush(CLOSING_SECONDS)

    def in_words(self) -> str:
        """Edits and time of the session, for the panel."""
        session = self.session
        if session is None:
            return ""
        minutes, seconds = divmod(round(session.active.seconds), 60)
        edits = f"{session.number} edit{'s' * (session.number != 1)}, {minutes}:{seconds:02} min"
        if session.number == 0:
            return edits
        is_kept = self._on_disk.get(session.id, 0) >= session.number
        return f"{edits}; {'kept for recovery' if is_kept else 'being kept…'}"

    def _follow(self) -> None:
        if self._settled.isActive():
            self.record(UNNAMED)
        self._watch(False)
        self.result = self.results.current
        self._watch(True)
        if self.result is not None and self.result not in self._sessions:
            segmentation = self.result.segmentation
            self._sessions[self.result] = Session(
                segmentation.angiogram.name,
                segmentation.angiogram.sha256,
                segmentation.model,
                segmentation.model_sha256,
                *self.result.masks(),
            )
        self._touch()
        self.changed.emit()

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
        layer: Labels = event.source
        if stroke := STROKES.get(str(layer.mode)):
            self.record(stroke)
        else:  # one of ours, which names itself
            self._settle()

    def _settle(self) -> None:
        _SETTLING.add(self)
        self._settled.start()

    def _end_settling(self) -> None:
        _SETTLING.discard(self)
        self._settled.stop()

    def _touch(self) -> None:
        if self.session is not None:
            self.session.active.touch(monotonic())

    def _note_on_disk(self, sha256: str, outcome: int | SaveError) -> None:
        if isinstance(outcome, SaveError):
            tell(outcome)
        elif self.session is not None and self.session.image_sha256 == sha256:
            self._on_disk[self.session.id] = outcome
        self.changed.emit()


def _report(annotations: ref[Annotations], sha256: str, outcome: int | SaveError) -> None:
    # Not held on the writing thread: it would be deleted there, were it the last to hold it.
    with suppress(GuiGoneError):
        call_in_gui(partial(_note, annotations, sha256, outcome))


def _note(annotations: ref[Annotations], sha256: str, outcome: int | SaveError) -> None:
    if (told := annotations()) is not None:
        told._note_on_disk(sha256, outcome)


_SETTLING: set[Annotations] = set()
"""Those with a change that is not recorded yet: kept though the viewer be gone."""

_ANNOTATIONS: WeakKeyDictionary[ViewerModel, Annotations] = WeakKeyDictionary()


def annotations_of(viewer: ViewerModel) -> Annotations:
    """Annotations of a viewer: one object, whichever panels are open."""
    if viewer not in _ANNOTATIONS:
        _ANNOTATIONS[viewer] = Annotations(viewer)
    return _ANNOTATIONS[viewer]
