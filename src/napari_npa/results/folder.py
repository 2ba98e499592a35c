"""A folder of results: the one door to masks, records, table and approvals on disk.

What a person corrected or approved, and any file that is not ours, is not replaced unless that is
asked for. Rows of other images stay in the table. A correction ends an approval.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from napari_npa.annotation.session import require_image
from napari_npa.errors import AngiogramError, SaveError
from napari_npa.io.angiogram import Angiogram
from napari_npa.io.locking import locked
from napari_npa.io.masks import read_mask
from napari_npa.io.names import (
    NPA_FILE,
    PROBABILITY_FILE,
    RETINA_FILE,
    beside,
    hashed_stem,
)
from napari_npa.io.writing import (
    make_folder,
    sha256_of,
    write_json,
)
from napari_npa.results.approvals import is_approved, withdraw
from napari_npa.results.files import encoded_files, put_in_place, remove_files
from napari_npa.results.protection import is_ours, refuse_foreign, refuse_to_lose_work
from napari_npa.results.record import (
    Hashes,
    as_json,
    record_of,
    record_path,
    ungradable_record,
)
from napari_npa.results.result import Provenance, Result
from napari_npa.results.saved import DATA_FILES, SavedResult, hash_of, masks_identity, stem_for
from napari_npa.results.table import (
    Row,
    read_table,
    require_table,
    update_batch_table,
    update_table,
)

EARLIER = "earlier"
"""Key in the record of an annotation: those of earlier days, the first one first."""

MOST_READINGS = 3
"""How often masks are read, if another program saves them meanwhile."""

CHANGED = "masks were changed by another program since they were saved"


@dataclass(frozen=True)
class ResultFolder:
    """Results of angiograms in one folder.

    Parameters
    ----------
    path
        The folder; made when something is first saved.

    Examples
    --------
    >>> folder = ResultFolder("results")
    >>> saved = folder.save(Result.of(segment("eye.tif")))               # doctest: +SKIP
    >>> result = folder.load(read_angiogram("eye.tif"))                  # doctest: +SKIP
    """

    path: Path

    def __init__(self, path: str | Path) -> None:
        if not str(path).strip():
            raise SaveError("the folder", "has an empty name", "Give a folder.")
        object.__setattr__(self, "path", Path(path))

    # Looking

    def find(self, stem: str, sha256: str) -> SavedResult | None:
        """Result that is of this very image.

        Parameters
        ----------
        stem
            Of the image's file.
        sha256
            Of its content.
        """
        for base in (hashed_stem(stem, sha256), stem):
            saved = SavedResult.at(self.path / base)
            if saved is not None and saved.sha256 == sha256:
                return saved
        return None

    def load(self, angiogram: Angiogram, stem: str | None = None) -> Result:
        """Read the masks of an image, and what is known of them.

        Parameters
        ----------
        angiogram
            The image.
        stem
            Beginning of the file names; None: after the image.

        Returns
        -------
        result
            Of masks without a record, as graders leave them, nothing else is known.

        Raises
        ------
        AngiogramError
            Masks are absent, of another image, or were not saved completely; or the image was
            called ungradable.
        """
        stem = stem_for(angiogram, stem)
        for _ in range(MOST_READINGS):
            saved = self.find(stem, angiogram.sha256)
            if saved is None:
                return self._load_masks(angiogram, stem)
            loaded = self._load_saved(saved, angiogram)
            if SavedResult.at(saved.base) == saved:
                return loaded  # nobody has saved another one meanwhile
        raise AngiogramError(
            record_path(self.path / stem), "is being written by another program", "Try again."
        )

    def _load_saved(self, saved: SavedResult, angiogram: Angiogram) -> Result:
        if saved.ungradable:
            raise AngiogramError(
                record_path(saved.base),
                "says that no part of the image can be judged: there are no masks",
                "Segment the image again and replace this result.",
            )
        if saved.record.replaces is not None and not saved.is_whole:
            raise AngiogramError(
                record_path(saved.base),
                "belongs to masks that were not saved completely",
                "Save the result again, or segment the image again.",
            )
        saved.refuse_links()
        shape = (angiogram.pixels.shape[0], angiogram.pixels.shape[1])
        changed = saved.masks_were_changed
        return Result(
            angiogram=angiogram,
            npa=read_mask(saved.npa, shape),
            retina=read_mask(saved.retina, shape),
            provenance=saved.record.provenance,
            edited=saved.edited or changed,
            notes=(*saved.record.notes, *([CHANGED] if changed else [])),
            session=saved.record.session,
            basis=saved.identity,
        )

    def is_approved(self, saved: SavedResult) -> bool:
        """Whether a person approved a result, reviewing its folder or one above it.

        Raises
        ------
        NpaError
            That cannot be read.
        """
        return is_approved(self.path, saved.sha256)

    def rows(self) -> list[Row]:
        """Rows of the folder's table; none where there is no table.

        Raises
        ------
        SaveError
            It cannot be read.
        """
        return read_table(self.path)

    # Saving

    def make(self) -> None:
        """Make the folder, to learn before any work whether it can be written to.

        Raises
        ------
        SaveError
            It cannot be made, or its table cannot be read.
        """
        make_folder(self.path)
        require_table(self.path)

    def save(
        self,
        result: Result,
        stem: str | None = None,
        *,
        replace: bool = False,
        probability: bool = False,
        table: bool = True,
    ) -> SavedResult:
        """Write ``<stem>_npa.tif``, ``_retina.tif``, ``_overlay.png`` and ``_npa.json``.

        Parameters
        ----------
        result
            What to save.
        stem
            Beginning of the file names; None: after the image. Where another image has a result
            of that stem, eight characters of this image's hash are appended.
        replace
            Replace a corrected or approved result that this one does not go on from, and files
            that are not ours.
        probability
            Write ``<stem>_probability.tif`` too, where the automatic result is at hand.
        table
            Put the row into the table, if the folder has one or belongs to a batch that has.

        Returns
        -------
        saved

        Raises
        ------
        ReplaceError
            Something there is not replaced without `replace`; nothing was written.
        AnnotationError
            The session is of another image; nothing was written.
        RetinaError
            The gradable retina is empty; nothing was written.
        SaveError
            The system refused, or the table cannot be read; then nothing was written.
        """
        angiogram = result.angiogram
        if result.session is not None:
            require_image(result.session["image_sha256"], angiogram.sha256, name=angiogram.name)
        if table:
            require_table(self.path)
        made = record_of(result)
        encoded = encoded_files(result, probability=probability)
        make_folder(self.path)
        with locked(self.path):
            base, before = self._place(angiogram, stem)
            data = {beside(base, ending): content for ending, content in encoded.items()}
            hashes = {path.name: sha256_of(content) for path, content in data.items()}
            if not replace:
                refuse_to_lose_work(before, result.basis)
                refuse_foreign([record_path(base), *data], before, hashes)
            kept = _maps_of_same_network(base, before, result)
            record = msgspec.structs.replace(
                made, files=kept | hashes, session=_with_earlier(result, before)
            )
            put_in_place(base, record, data)
            outdated = (beside(base, ending) for ending in DATA_FILES)
            remove_files(p for p in outdated if p.name not in record.files and is_ours(p, before))
            return self._entered(SavedResult(base, record), before, table)

    def save_ungradable(
        self,
        angiogram: Angiogram,
        stem: str | None = None,
        *,
        basis: str = "",
        replace: bool = False,
        table: bool = True,
    ) -> SavedResult:
        """Write that a person can judge no part of an angiogram: ``<stem>_npa.json`` alone.

        The record has no gradable pixel and no index. Masks and pictures of an earlier result of
        the image are removed, so that nobody measures them.

        Parameters
        ----------
        angiogram
            The image.
        basis
            Identity of the saved result that the person has seen, see :class:`Result`.
        stem, replace, table
            As for :meth:`save`.

        Raises
        ------
        ReplaceError
            A file that would be removed or replaced is not ours, or holds other work of a person.
        SaveError
            The system refused.
        """
        if table:
            require_table(self.path)
        record = ungradable_record(angiogram)
        make_folder(self.path)
        with locked(self.path):
            base, before = self._place(angiogram, stem)
            data = [beside(base, ending) for ending in DATA_FILES]
            if not replace:
                if before is not None and not before.ungradable:
                    refuse_to_lose_work(before, basis)
                refuse_foreign([*data, record_path(base)], before, {})
            write_json(record_path(base), as_json(record))
            remove_files(data)
            return self._entered(SavedResult(base, record), before, table)

    def put_row(self, row: Row, *, kept: Collection[str] = ()) -> None:
        """Put a row into the folder's table, which is made if need be; rows of others stay.

        Parameters
        ----------
        row
            Of a result, or of an image that failed.
        kept
            Results of other images, which may have the same name as one that failed.

        Raises
        ------
        SaveError
            The table cannot be read or written.
        """
        make_folder(self.path)
        update_table(self.path, row, create=True, kept=kept)

    # Parts

    def _place(self, angiogram: Angiogram, stem: str | None) -> tuple[Path, SavedResult | None]:
        """Beginning of the file names for an image, and its result that is there already."""
        stem = stem_for(angiogram, stem)
        before = self.find(stem, angiogram.sha256)
        if before is not None:
            return before.base, before
        is_free = SavedResult.at(self.path / stem) is None
        return self.path / (stem if is_free else hashed_stem(stem, angiogram.sha256)), None

    def _entered(self, saved: SavedResult, before: SavedResult | None, table: bool) -> SavedResult:
        """End the approval of what was before, and update the table."""
        if before is not None and before.hashes != saved.hashes:
            withdraw(self.path, before.base.name, before.sha256)
        if table:
            update_batch_table(self.path, saved.row)
        return saved

    def _load_masks(self, angiogram: Angiogram, stem: str) -> Result:
        shape = (angiogram.pixels.shape[0], angiogram.pixels.shape[1])
        base = self.path / stem
        return Result(
            angiogram=angiogram,
            npa=read_mask(beside(base, NPA_FILE), shape),
            retina=read_mask(beside(base, RETINA_FILE), shape),
            provenance=Provenance(),
            edited=True,
            notes=angiogram.notes,
            basis=masks_identity(base),
        )


def _with_earlier(result: Result, before: SavedResult | None) -> dict[str, Any] | None:
    """Annotation of a result, with those of the saved results that it goes on from."""
    earlier = None if before is None else before.record.session
    if before is None or earlier is None or before.identity != result.basis:
        return None if result.session is None else dict(result.session)
    if result.session is None:
        return earlier
    edits = earlier.get("edits", [])
    if list(result.session["edits"][: len(edits)]) == edits:
        return dict(result.session)  # it is the same annotation, continued
    alone = {name: value for name, value in earlier.items() if name != EARLIER}
    return {**result.session, EARLIER: [*earlier.get(EARLIER, []), alone]}


def _maps_of_same_network(base: Path, before: SavedResult | None, result: Result) -> Hashes:
    """Probability map that is there already, and true of this result too."""
    path = beside(base, PROBABILITY_FILE)
    if before is None or before.record.model.sha256 != result.provenance.model_sha256:
        return {}
    sha256 = before.hashes.get(path.name)
    return {path.name: sha256} if sha256 is not None and sha256 == hash_of(path) else {}
