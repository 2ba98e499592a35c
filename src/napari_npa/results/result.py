"""The result of one angiogram: its masks as they stand, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from napari_npa.io.angiogram import Angiogram
from napari_npa.measure.ischemia import PixelCounts, count_pixels, index_of_counts
from napari_npa.segmentation.segmenter import Segmentation
from napari_npa.types import FieldName, Mask, Target


@dataclass(frozen=True)
class Provenance:
    """How the automatic masks of a result were made; corrections leave it as it is.

    Attributes
    ----------
    model, model_sha256
        Weights, and the hash of their file; several are joined by ``+``.
    threshold
        Probability from which a gradable pixel was called non-perfused; None: not known.
    device
        Processor.
    seconds
        How long the segmentation took; None: not known.
    options
        Options of a batch, which distinguish its results from those made otherwise.
    field_of_view
        Kind of field of view as which the image was judged, ``55`` or ``uwfa``; empty: not known.
    """

    model: str = ""
    model_sha256: str = ""
    threshold: float | None = None
    device: str = ""
    seconds: float | None = None
    options: Mapping[str, Any] | None = None
    field_of_view: FieldName | Literal[""] = ""


@dataclass(frozen=True, eq=False)
class Result:
    """Result of one angiogram, on the image's own grid.

    Attributes
    ----------
    angiogram
        What was segmented.
    npa : (rows, columns) bool
        Non-perfusion.
    retina : (rows, columns) bool
        Gradable retina; non-perfusion outside of it does not count.
    provenance
        How the automatic masks were made.
    edited
        Whether a person corrected a mask.
    notes
        What a reader should know.
    session
        Record of the annotation, see :meth:`napari_npa.annotation.session.Session.as_record`.
    automatic
        The automatic result, where it is at hand; a result read from a folder has none.
    basis
        Identity of the saved result that this one goes on from, see
        :attr:`napari_npa.results.folder.SavedResult.identity`; empty: of none.

    Examples
    --------
    >>> result = Result.of(segment("eye.tif"))                           # doctest: +SKIP
    >>> ResultFolder("results").save(result)                             # doctest: +SKIP
    """

    angiogram: Angiogram
    npa: Mask
    retina: Mask
    provenance: Provenance
    edited: bool = False
    notes: tuple[str, ...] = ()
    session: Mapping[str, Any] | None = None
    automatic: Segmentation | None = None
    basis: str = ""

    @classmethod
    def of(
        cls,
        segmentation: Segmentation,
        *,
        seconds: float | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Self:
        """Take an automatic result.

        Parameters
        ----------
        segmentation
            As :meth:`napari_npa.Segmenter.segment` returned it.
        seconds
            How long that took.
        options
            See :class:`Provenance`.
        """
        return cls(
            angiogram=segmentation.angiogram,
            npa=segmentation.npa,
            retina=segmentation.retina,
            provenance=Provenance(
                segmentation.model,
                segmentation.model_sha256,
                segmentation.threshold,
                segmentation.device,
                seconds,
                options,
                segmentation.imaged.view.name,
            ),
            notes=segmentation.notes,
            automatic=segmentation,
        )

    @property
    def counts(self) -> PixelCounts:
        """Non-perfused and gradable pixels."""
        return count_pixels(self.npa, self.retina)

    @property
    def isi(self) -> float:
        """Ischemic index, in [0, 1].

        Raises
        ------
        RetinaError
            No pixel is gradable.
        """
        return index_of_counts(self.counts, name=self.angiogram.name)

    def mask(self, target: Target) -> Mask:
        """One of the two masks, (rows, columns) bool."""
        return self.npa if target == "npa" else self.retina

    def with_masks(self, npa: Mask, retina: Mask) -> Self:
        """The same result with masks as a person left them, (rows, columns) bool each.

        It counts as edited if it did before, or if a mask differs.
        """
        same = np.array_equal(npa, self.npa) and np.array_equal(retina, self.retina)
        return replace(self, npa=npa, retina=retina, edited=self.edited or not same)

    def corrected(self, target: Target, mask: Mask, note: str = "") -> Self:
        """The same result with one mask corrected.

        Parameters
        ----------
        target
            Which mask.
        mask : (rows, columns) bool
            In its place.
        note
            What was done, added to the notes.
        """
        masks: dict[Target, Mask] = {"npa": self.npa, "retina": self.retina, target: mask}
        after = self.with_masks(masks["npa"], masks["retina"])
        return replace(after, notes=(*self.notes, note)) if note else after
