"""Segment an angiogram: one class for the panel, Python, the shell and folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_npa.angiogram import Angiogram, as_angiogram
from napari_npa.contrast import input_channels, normalise_contrast
from napari_npa.devices import choose_device, has_fast_bf16
from napari_npa.errors import DeviceError
from napari_npa.letterbox import Letterbox
from napari_npa.measure import ischemic_index
from napari_npa.networks import UNet, fold_batch_norm
from napari_npa.retina import Retina, find_retina
from napari_npa.weights import Model, Output, load_model

Progress = Callable[[int, int], None]
"""Called with (done, total) steps; may raise :class:`napari_npa.errors.Cancelled`."""

Window = tuple[slice, slice]
"""Rows and columns of a rectangle."""

PIECE_COUNTS = (1, 2, 4)
"""Into how many pieces a side the canvas is cut, tried in turn when memory runs out."""

MIRRORS = ((), (-1,), (-2,), (-2, -1))
"""Axes along which an image is mirrored; the results are mirrored back and averaged."""

MIRRORED_VIEWS = ("55",)
"""Fields of view seen mirrored too: four 55° frames cost as much as one ultra-widefield image.
On the first fold of a cross-validation perfused eyes were flagged for 0.22 % instead of 1.06 %."""

CONTEXT = 64
"""What the network sees around the gradable retina, pixels of the canvas."""

PIECE_MARGIN = 128
"""Context around a piece, pixels of the canvas; its own output is cut away again."""


@dataclass(frozen=True)
class Segmentation:
    """Result for one angiogram, on the image's own grid.

    Attributes
    ----------
    probability : (rows, columns) float32
        Of non-perfusion, in [0, 1].
    retina : (rows, columns) bool
        Gradable retina.
    threshold
        Probability from which a gradable pixel is non-perfused.
    angiogram
        What was segmented.
    model, model_sha256
        With which weights.
    device
        On which processor.
    notes
        What the user should know: how the image was read, what memory forced.
    """

    probability: NDArray[np.float32]
    retina: NDArray[np.bool_]
    threshold: float
    angiogram: Angiogram
    model: str
    model_sha256: str
    device: str
    notes: tuple[str, ...] = ()

    @property
    def npa(self) -> NDArray[np.bool_]:
        """Non-perfusion, (rows, columns) bool; never outside the gradable retina."""
        return non_perfusion(self.probability, self.retina, self.threshold)

    @property
    def isi(self) -> float:
        """Ischemic index, in [0, 1]."""
        return ischemic_index(self.npa, self.retina, name=self.angiogram.name)

    def at_threshold(self, threshold: float) -> Segmentation:
        """Return the same result with another threshold, in (0, 1]."""
        return replace(self, threshold=threshold)


def non_perfusion(
    probability: NDArray[np.float32], retina: NDArray[np.bool_], threshold: float
) -> NDArray[np.bool_]:
    """Gradable pixels whose probability reaches the threshold, (rows, columns) bool."""
    return (probability >= np.float32(threshold)) & retina


class Segmenter:
    """Finds non-perfusion in whole angiograms.

    Parameters
    ----------
    device
        ``auto`` (the fastest present), ``cuda``, ``mps`` or ``cpu``.
    model
        Name of embedded weights, a weights file, or a loaded :class:`Model`.

    Raises
    ------
    DeviceError
        No such device on this machine.
    WeightsError
        Weights missing, damaged or of an unknown kind.
    """

    def __init__(self, device: str = "auto", model: str | Path | Model = "whole") -> None:
        self.device = choose_device(device)
        self.model = model if isinstance(model, Model) else load_model(model)
        self._network = fold_batch_norm(self.model.network)
        self._busy = Lock()  # one image at a time in the network: its hooks report to one caller

    def segment(
        self,
        image: str | Path | NDArray[np.generic] | Angiogram,
        *,
        threshold: float | None = None,
        progress: Progress | None = None,
    ) -> Segmentation:
        """Segment one angiogram.

        Parameters
        ----------
        image
            File, (rows, columns) array, or an angiogram already read.
        threshold
            Probability from which a pixel is non-perfused; the model's own if None.
        progress
            Called with (done, total); what it raises ends the work and is passed on.

        Raises
        ------
        AngiogramError
            The file or array is not an angiogram.
        RetinaError
            No gradable retina in it.
        DeviceError
            Out of memory even in small pieces on the CPU.
        """
        steps = _Steps(progress, total=3 + _stage_count(self._network))
        angiogram = as_angiogram(image)
        steps.one_more()
        retina = find_retina(angiogram.pixels, name=angiogram.name)
        steps.one_more()
        box, window, channels = self._network_input(angiogram.pixels, retina)
        mirrors = MIRRORS if self._is_mirrored(retina) else MIRRORS[:1]
        seen = channels[(..., *window)]
        images = torch.cat([seen.flip(axes) for axes in mirrors])
        found, device, notes = self._run_within_memory(images, steps)
        canvas = torch.zeros(channels.shape[-2:])
        for axes, probability_of_mirror in zip(mirrors, found, strict=True):
            canvas[window] += probability_of_mirror.flip(axes) / len(mirrors)
        probability = box.invert(canvas).clamp_(0, 1).numpy()
        steps.finish()
        return Segmentation(
            probability=probability,
            retina=retina.gradable,
            threshold=self.model.threshold if threshold is None else threshold,
            angiogram=angiogram,
            model=self.model.name,
            model_sha256=self.model.sha256,
            device=str(device),
            notes=(*angiogram.notes, *notes),
        )

    def _network_input(
        self, pixels: NDArray[np.float32], retina: Retina
    ) -> tuple[Letterbox, Window, Tensor]:
        """Canvas of an angiogram (1, 3, canvas, canvas) float32, and the part with retina."""
        box = Letterbox((pixels.shape[0], pixels.shape[1]), self.model.canvases[retina.view])
        scaled, gradable = box.apply(pixels), box.apply_mask(retina.gradable)
        if self.model.input == "rgb":
            channels = np.repeat(scaled[None], 3, axis=0)
        else:
            channels = input_channels(normalise_contrast(scaled, gradable))
        window = _window(gradable, self._network.config.multiple)
        return box, window, torch.from_numpy(channels)[None]

    def _is_mirrored(self, retina: Retina) -> bool:
        """Networks from elsewhere give what they gave there."""
        return retina.view in MIRRORED_VIEWS and self.model.input == "contrast"

    def _run_within_memory(
        self, channels: Tensor, steps: _Steps
    ) -> tuple[Tensor, torch.device, list[str]]:
        """Probabilities (N, rows, columns); in smaller pieces, or on the CPU, if memory ends."""
        devices = [self.device] + [torch.device("cpu")] * (self.device.type != "cpu")
        notes: list[str] = []
        for device in devices:
            for pieces in PIECE_COUNTS:
                try:
                    return self._run(channels, device, pieces, steps), device, notes
                except RuntimeError as error:
                    if not _is_out_of_memory(error):
                        raise
                    notes.append(f"out of memory on {device} with {pieces * pieces} piece(s)")
                    _free(device)
        raise DeviceError(
            str(self.device),
            "has too little free memory for this image, even in small pieces",
            "Close other programs and run again.",
        )

    def _run(self, channels: Tensor, device: torch.device, pieces: int, steps: _Steps) -> Tensor:
        """(N, rows, columns) float32 probability, on the CPU."""
        dtype = torch.bfloat16 if has_fast_bf16(device) else torch.float32
        multiple = self._network.config.multiple
        shape = channels.shape[-2:]
        probability = torch.empty(len(channels), *shape)
        with (
            self._busy,
            torch.inference_mode(),
            _reporting(self._network, steps, pieces * pieces),
        ):
            network = self._network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for piece in _pieces(shape, pieces, multiple):
                around, inside = _with_margin(piece, shape)
                images = channels[(..., *around)].to(
                    device, dtype, memory_format=torch.channels_last
                )
                found = target_probability(network(images).float(), self.model.output)
                probability[(..., *piece)] = found[(..., *inside)].cpu()
        return probability


def target_probability(logits: Tensor, output: Output) -> Tensor:
    """(N, 1 or 2, rows, columns) logits to (N, rows, columns) probability of non-perfusion."""
    if output == "classes":
        return torch.softmax(logits, dim=1)[:, 1]
    return torch.sigmoid(logits[:, 0])


def segment(
    image: str | Path | NDArray[np.generic] | Angiogram,
    *,
    device: str = "auto",
    model: str | Path = "whole",
    threshold: float | None = None,
) -> Segmentation:
    """Segment one angiogram; for several, make a :class:`Segmenter` once."""
    return Segmenter(device, model).segment(image, threshold=threshold)


class _Steps:
    """Counts steps for a progress callback."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0.0

    def one_more(self, part: float = 1.0) -> None:
        self.done += part
        if self.progress is not None:
            self.progress(min(round(self.done), self.total - 1), self.total)

    def finish(self) -> None:
        if self.progress is not None:
            self.progress(self.total, self.total)


def _stage_count(network: UNet) -> int:
    return len(network.stages) + len(network.decoder)


@contextmanager
def _reporting(network: UNet, steps: _Steps, pieces: int) -> Iterator[None]:
    """Report after each stage of the network: cancelling takes one stage, not one image."""

    def after(module: nn.Module, inputs: object, output: object) -> None:
        steps.one_more(1 / pieces)

    hooks = [stage.register_forward_hook(after) for stage in (*network.stages, *network.decoder)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _window(gradable: NDArray[np.bool_], multiple: int) -> Window:
    """Rectangle about the gradable retina and some context, sides multiples of `multiple`."""
    spans = []
    for axis in (1, 0):
        occupied = np.flatnonzero(gradable.any(axis))
        low, high = (occupied[0], occupied[-1] + 1) if len(occupied) else (0, len(gradable))
        start = max(0, low - CONTEXT) // multiple * multiple
        end = min(len(gradable), -(-(high + CONTEXT) // multiple) * multiple)
        spans.append(slice(int(start), int(end)))
    return spans[0], spans[1]


def _pieces(shape: tuple[int, ...], count: int, multiple: int) -> Iterator[Window]:
    """Rectangles that make up `shape`, at most `count` a side, sides multiples of `multiple`."""
    rows, columns = (
        sorted({multiple * round(at * length / count / multiple) for at in range(count + 1)})
        for length in shape
    )
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            yield slice(top, bottom), slice(left, right)


def _with_margin(piece: Window, shape: tuple[int, ...]) -> tuple[Window, Window]:
    """A piece with its margin, and the piece within that."""
    (top, bottom), (left, right) = (
        (max(0, span.start - PIECE_MARGIN), min(length, span.stop + PIECE_MARGIN))
        for span, length in zip(piece, shape, strict=True)
    )
    rows, columns = piece
    inside = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    return (slice(top, bottom), slice(left, right)), inside


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch ran out of memory; its CPU allocator has no exception type of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _free(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
