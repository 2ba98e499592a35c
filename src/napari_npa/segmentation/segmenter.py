"""Segment an angiogram: one class for the panel, Python, the shell and folders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import SupportsFloat

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label
from torch import Tensor

from napari_npa.errors import NpaError
from napari_npa.imaging.field_of_view import FieldOfView
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.imaging.raster import eroded
from napari_npa.imaging.resampling import resized
from napari_npa.io.angiogram import Angiogram, as_angiogram
from napari_npa.measure.ischemia import ischemic_index
from napari_npa.models.devices import choose_device
from napari_npa.models.inference import Inference, Steps
from napari_npa.models.names import AUTO, TILE, WHOLE, is_auto
from napari_npa.models.weights import Model, as_model
from napari_npa.segmentation.retina import Retina, find_retina, retina_weights
from napari_npa.types import FieldChoice, Gray, Mask, Mode, Progress

TILE_SHARE = 0.5
"""Share of the finer look in the fused logits."""

RIM_SHARE = 0.9
"""An area lies in the rim if more than this share of it does."""

RIM_STEP = 4
"""The rim is found on a grid this many times coarser than the canvas."""

JUST_BELOW = np.float32(0.98)
"""The probability of areas that are not called is cut down to this share of the threshold."""


@dataclass(frozen=True)
class Segmentation:
    """Result for one angiogram, on the image's own grid.

    Attributes
    ----------
    probability : (rows, columns) float32
        Of non-perfusion, in [0, 1].
    imaged
        What the angiogram shows of the retina: kind of field of view, gradable part, and the
        part of the image that was put on the canvas.
    threshold
        Probability from which a gradable pixel is non-perfused.
    angiogram
        What was segmented.
    model, model_sha256
        Names and hashes of the weights, joined by ``+`` if two networks looked.
    device
        Processor that computed it.
    notes
        What the user should know: how the image was read, what a lack of memory changed.
    """

    probability: Gray
    imaged: Retina
    threshold: float
    angiogram: Angiogram
    model: str
    model_sha256: str
    device: str
    notes: tuple[str, ...] = ()

    @property
    def retina(self) -> Mask:
        """Gradable retina, (rows, columns) bool."""
        return self.imaged.gradable

    @property
    def npa(self) -> Mask:
        """Non-perfusion, (rows, columns) bool; never outside the gradable retina."""
        return non_perfusion(self.probability, self.retina, self.threshold)

    @property
    def isi(self) -> float:
        """Ischemic index, in [0, 1]."""
        return ischemic_index(self.npa, self.retina, name=self.angiogram.name)

    def at_threshold(self, threshold: float) -> Segmentation:
        """Return the same result with another threshold, in (0, 1].

        Raises
        ------
        NpaError
            It is not.
        """
        return replace(self, threshold=require_threshold(threshold))


def require_threshold(threshold: float) -> float:
    """Refuse a threshold that is not in (0, 1]: with it, all or nothing would be found.

    Raises
    ------
    NpaError
        It is not.
    """
    if not (isinstance(threshold, SupportsFloat) and 0 < float(threshold) <= 1):
        raise NpaError(
            "threshold", f"is {threshold!r}; it lies above 0 and at most 1", "Give another one."
        )
    return threshold


def non_perfusion(probability: Gray, retina: Mask, threshold: float) -> Mask:
    """Find gradable pixels whose probability reaches the threshold, (rows, columns) bool."""
    return (probability >= np.float32(threshold)) & retina


def without_uncalled_areas(
    probability: Gray,
    gradable: Mask,
    threshold: float,
    *,
    least_pixels: float = 0.0,
    rim_pixels: float = 0.0,
) -> Gray:
    """Cut the probability below the threshold in areas that are not to be called.

    They stay visible as doubtful, and a lower threshold brings them back.

    Parameters
    ----------
    probability : (rows, columns) float32
        In [0, 1].
    gradable : (rows, columns) bool
        Where areas count.
    threshold
        In (0, 1].
    least_pixels
        Size from which an area is called.
    rim_pixels
        An area is not called if more than :data:`RIM_SHARE` of it lies this near to the outline
        of what is gradable.

    Returns
    -------
    probability : (rows, columns) float32
    """
    areas, _ = label(non_perfusion(probability, gradable, threshold))
    flagged = np.flatnonzero(areas)
    area_of = areas.ravel()[flagged]
    sizes = np.bincount(area_of)
    in_rim = np.bincount(area_of, weights=_rim(gradable, rim_pixels).ravel()[flagged])
    uncalled = (sizes < least_pixels) | (in_rim > RIM_SHARE * sizes)
    left_out = flagged[uncalled[area_of]]
    kept = probability.copy()
    kept.ravel()[left_out] = np.minimum(kept.ravel()[left_out], JUST_BELOW * np.float32(threshold))
    return kept


def _rim(gradable: Mask, pixels: float) -> Mask:
    """Find what lies this near to the outline, to an accuracy of :data:`RIM_STEP` pixels."""
    if not pixels:
        return np.zeros_like(gradable)
    coarse = gradable[::RIM_STEP, ::RIM_STEP]
    inner = eroded(coarse, pixels / RIM_STEP).repeat(RIM_STEP, axis=0).repeat(RIM_STEP, axis=1)
    return gradable & ~inner[: gradable.shape[0], : gradable.shape[1]]


class Segmenter:
    """Finds non-perfusion in whole angiograms.

    Parameters
    ----------
    device
        ``auto`` (the fastest present), ``cuda``, ``mps`` or ``cpu``.
    model
        ``auto``: the embedded networks, each where it is the better one, see
        :data:`napari_npa.models.names.AUTO`. Or the name of embedded weights, a weights file, or
        a loaded :class:`Model`.
    mode
        ``whole``: one network looks once. ``two-scale``: in fields of view in which the canvas of
        `tile` is finer than that of `model`, the tile network looks as well. With ``auto`` it
        then also takes the first look, in either mode, because it has learned both scales of
        ultra-widefield images. None: ``two-scale`` for ``auto``, which is better that way
        (docs/evidence.md), and ``whole`` for any other weights.
    tile
        Weights of the tile network: a name, a file or a model. They are only loaded if needed.
    at_once
        See :class:`napari_npa.models.inference.Inference`.

    Raises
    ------
    DeviceError
        This machine has no such device.
    WeightsError
        The weights are missing, damaged or of an unknown kind.
    """

    def __init__(
        self,
        device: str = "auto",
        model: str | Path | Model = AUTO,
        *,
        mode: Mode | None = None,
        tile: str | Path | Model = TILE,
        at_once: int = 1,
    ) -> None:
        self.device = choose_device(device)
        self._is_auto = is_auto(model)
        self.model = as_model(WHOLE if self._is_auto else model)
        self.whole = Inference(self.model, self.device, at_once)
        self.mode: Mode = mode or ("two-scale" if self._is_auto else "whole")
        needs_tile = self._is_auto or self.mode == "two-scale"
        self.tile = Inference(as_model(tile), self.device, at_once) if needs_tile else None

    @property
    def weights(self) -> tuple[str, ...]:
        """SHA-256 of the weights that results depend on."""
        used = (self.whole, self.tile) if self.tile else (self.whole,)
        return (*(inference.model.sha256 for inference in used), retina_weights())

    def segment(
        self,
        image: str | Path | NDArray[np.generic] | Angiogram,
        *,
        threshold: float | None = None,
        field_of_view: FieldChoice = "auto",
        progress: Progress | None = None,
    ) -> Segmentation:
        """Segment one angiogram.

        Parameters
        ----------
        image
            File, (rows, columns) array, or an angiogram already read.
        threshold
            Probability from which a pixel is non-perfused. None: that of the finest network that
            looked, which was chosen for what it and the other give together. Areas that are
            smaller than the field of view's least area, or that lie in its rim, are kept below
            the threshold.
        field_of_view
            ``55``: a camera's frame of about 55°; ``uwfa``: ultra-widefield; ``auto``: told by the
            outline of the field.
        progress
            Called with (done, total); what it raises ends the work and is passed on.

        Raises
        ------
        AngiogramError
            The file or array is not an angiogram.
        RetinaError
            No gradable retina in it.
        NpaError
            The threshold is not in (0, 1].
        DeviceError
            Out of memory even in small pieces on the CPU.
        """
        if threshold is not None:
            require_threshold(threshold)
        looks_twice = self.mode == "two-scale"
        runs = self.whole.steps + (self.tile.steps if self.tile and looks_twice else 0)
        steps = Steps(progress, total=3 + runs)
        angiogram = as_angiogram(image)
        steps.one_more()
        retina = find_retina(angiogram.pixels, name=angiogram.name, field_of_view=field_of_view)
        pixels = retina.cleaned(angiogram.pixels)
        steps.one_more()
        coarse, *finer = self._looks(retina.view)
        canvas, box, device, notes = _on_canvas(*coarse, pixels, retina, steps)
        used = [coarse[0].model]
        for look in finer:
            found, box, device, more = _on_canvas(*look, pixels, retina, steps)
            canvas, notes = _fused(canvas, found), (*notes, *more)
            if look[0] is not coarse[0]:
                used.append(look[0].model)
        if threshold is None:
            threshold = used[-1].threshold_for(retina.view)
        if self.model.wants_sifting:
            per_mm = box.canvas / retina.view.canvas_mm
            kept = without_uncalled_areas(
                canvas.numpy(),
                box.apply_mask(retina.gradable),
                threshold,
                least_pixels=retina.view.least_area_mm2 * per_mm**2,
                rim_pixels=retina.view.rim_mm * per_mm,
            )
            canvas = torch.from_numpy(kept)
        probability = box.invert(canvas).clamp_(0, 1).numpy()
        steps.finish()
        return Segmentation(
            probability=probability,
            imaged=retina,
            threshold=threshold,
            angiogram=angiogram,
            model="+".join(model.name for model in used),
            model_sha256="+".join(model.sha256 for model in used),
            device=str(device),
            notes=(*angiogram.notes, *retina.notes, *notes),
        )

    def _looks(self, view: FieldOfView) -> list[tuple[Inference, int]]:
        """List the networks that look at a field of view, and the sides of their canvases."""
        side, tile = self.model.canvas_for(view), self.tile
        if tile is None or (finest := tile.model.canvas_for(view)) <= side:
            return [(self.whole, side)]
        knows_both = self._is_auto and tile.model.halved
        coarse = (tile, finest // 2) if knows_both else (self.whole, side)
        return [coarse, (tile, finest)] if self.mode == "two-scale" else [coarse]


def segment(
    image: str | Path | NDArray[np.generic] | Angiogram,
    *,
    device: str = "auto",
    model: str | Path = AUTO,
    mode: Mode | None = None,
    threshold: float | None = None,
    field_of_view: FieldChoice = "auto",
) -> Segmentation:
    """Segment one angiogram; for several, make one :class:`Segmenter`."""
    segmenter = Segmenter(device, model, mode=mode)
    return segmenter.segment(image, threshold=threshold, field_of_view=field_of_view)


def _on_canvas(
    inference: Inference, side: int, pixels: Gray, retina: Retina, steps: Steps
) -> tuple[Tensor, Letterbox, torch.device, tuple[str, ...]]:
    """Compute the probability on a network's canvas, and return where the image lies on it."""
    shape = (pixels.shape[0], pixels.shape[1])
    box = Letterbox(shape, side, retina.window if inference.model.wants_field else None)
    window, channels = inference.channels(box, pixels, retina.gradable)
    found, device, notes = inference.probability(
        channels, steps, mirrors=inference.mirrors(retina.view)
    )
    canvas = torch.zeros(box.canvas, box.canvas)
    canvas[window] = found
    return canvas, box, device, notes


def _fused(whole: Tensor, tile: Tensor) -> Tensor:
    """Average the logits of two canvases of the same angiogram, on the finer of them."""
    enlarged = resized(whole, (tile.shape[0], tile.shape[1]))
    logits = torch.lerp(_logit(enlarged), _logit(tile), TILE_SHARE)
    # Where only one of the two networks looked, nothing is found.
    return torch.where((enlarged > 0) & (tile > 0), logits.sigmoid_(), 0.0)


def _logit(probability: Tensor) -> Tensor:
    return torch.logit(probability, eps=1e-4)
