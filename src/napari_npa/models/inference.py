"""Run a network over a canvas: on a device, in pieces as large as its memory allows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from threading import BoundedSemaphore, Lock, get_ident

import torch
from torch import Tensor, nn

from napari_npa.errors import DeviceError, WeightsError
from napari_npa.imaging.field_of_view import FieldOfView
from napari_npa.imaging.letterbox import Letterbox
from napari_npa.imaging.raster import bounding_box
from napari_npa.models.devices import has_fast_bf16
from napari_npa.models.networks import UNet, fold_batch_norm
from napari_npa.models.weights import Model, Output
from napari_npa.types import TARGET_NAMES, Gray, Mask, Progress, Target, Window

CUTS = (1, 2, 4)
"""Factors on the number of pieces along a side, tried in turn when memory runs out."""

LARGEST_PIECE = 1280
"""Side of the largest piece, pixels: a canvas of 1024 is one piece."""

CONTEXT = 64
"""Width of what the network sees around the gradable retina, pixels of the canvas."""

PIECE_CONTEXT = 96
"""Width of what the network sees around a piece and its seam, pixels of the canvas."""

SEAM = 32
"""Half the width over which neighbouring pieces are blended, pixels of the canvas."""

MIRRORS = ((), (-1,), (-2,), (-2, -1))
"""Axes along which an image is mirrored; the results are mirrored back and averaged."""


class Steps:
    """Counts steps for a progress callback."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0.0

    def one_more(self, part: float = 1.0) -> None:
        """Report a step, or part of one."""
        self.done += part
        if self.progress is not None:
            self.progress(min(round(self.done), self.total - 1), self.total)

    def finish(self) -> None:
        """Report that all is done."""
        if self.progress is not None:
            self.progress(self.total, self.total)


class Inference:
    """A model on a device.

    Parameters
    ----------
    model
        Network and what is needed to use it.
    device
        Where it runs; if its memory is full, smaller pieces are tried, then the processor.
    at_once
        Number of images that may be in the network at the same time on the processor, where each
        caller has a share of the cores. On other devices it is one, because memory is scarce.
    """

    def __init__(self, model: Model, device: torch.device, at_once: int = 1) -> None:
        self.model, self.device = model, device
        self.network = fold_batch_norm(model.network)
        self._room = BoundedSemaphore(at_once if device.type == "cpu" else 1)
        self._moving = Lock()
        self._is_on: tuple[torch.device, torch.dtype] | None = None

    @property
    def steps(self) -> int:
        """Number of steps that one run reports."""
        return len(self.network.stages) + len(self.network.decoder)

    def channels(self, box: Letterbox, pixels: Gray, gradable: Mask) -> tuple[Window, Tensor]:
        """Make what the network is fed of an angiogram.

        Parameters
        ----------
        box
            Places the angiogram on the canvas.
        pixels : (rows, columns) float32
            Angiogram in [0, 1].
        gradable : (rows, columns) bool
            Gradable retina.

        Returns
        -------
        window
            Part of the canvas that holds the gradable retina and its surroundings.
        channels : (1, 3, rows, columns) float32
            Of the window.
        """
        scaled, seen = box.apply(pixels), box.apply_mask(gradable)
        window = _around(seen, self.multiple)
        channels = self.model.channels(scaled[window], seen[window])
        return window, torch.from_numpy(channels)[None]

    @property
    def multiple(self) -> int:
        """Sides of the network's images are multiples of this, pixels."""
        return self.network.config.multiple

    def mirrors(self, view: FieldOfView) -> tuple[tuple[int, ...], ...]:
        """Return the axes along which images of a field of view are mirrored."""
        return MIRRORS if self.model.wants_mirrors and view.mirrored else MIRRORS[:1]

    def probability(
        self,
        channels: Tensor,
        steps: Steps,
        *,
        mirrors: tuple[tuple[int, ...], ...] = MIRRORS[:1],
        target: Target = "npa",
    ) -> tuple[Tensor, torch.device, tuple[str, ...]]:
        """Compute the probability of non-perfusion, or of gradable retina.

        Parameters
        ----------
        channels : (1, 3, rows, columns) float32
            Rows and columns are multiples of :attr:`multiple`.
        steps
            Counts the stages of the network.
        mirrors
            See :data:`MIRRORS`; the results are averaged.
        target
            What is looked for.

        Returns
        -------
        probability : (rows, columns) float32
            On the CPU.
        device
            Where it was computed.
        notes
            What a lack of memory changed.

        Raises
        ------
        DeviceError
            Out of memory even in small pieces on the CPU.
        WeightsError
            The network has not learned what is looked for, or its weights give no number.
        """
        if not self.model.has_learned(target):
            raise WeightsError(
                self.model.name,
                f"has not learned {TARGET_NAMES[target]}",
                "Choose other weights, or another tool.",
            )
        images = torch.cat([channels.flip(axes) for axes in mirrors])
        devices = [self.device] + [torch.device("cpu")] * (self.device.type != "cpu")
        least = -(-max(channels.shape[-2:]) // LARGEST_PIECE)
        notes: list[str] = []
        for device in devices:
            for pieces in (least * cuts for cuts in CUTS):
                try:
                    found = self.run_in_pieces(images, device, pieces, steps, target)
                    self._require_numbers(found)
                    return _mirrored_mean(found, mirrors), device, tuple(notes)
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

    def _require_numbers(self, found: Tensor) -> None:
        """Refuse what is not a number: it would count as perfused."""
        if not torch.isfinite(found).all():
            raise WeightsError(
                self.model.name, "computes values that are not numbers", "Choose other weights."
            )

    def run_in_pieces(
        self, channels: Tensor, device: torch.device, pieces: int, steps: Steps, target: Target
    ) -> Tensor:
        """Compute probabilities (N, rows, columns) float32; overlapping pieces are blended."""
        dtype = torch.bfloat16 if has_fast_bf16(device) else torch.float32
        shape = channels.shape[-2:]
        total = torch.zeros(len(channels), *shape)
        weights = torch.zeros(shape)
        cut = list(_pieces(shape, pieces, self.multiple))
        on_gpu = device.type == "cuda"
        if on_gpu:
            # Pin before waiting for the network: once free, it waits for a copy at full bus speed.
            channels = channels.pin_memory()
        with (
            self._room,
            torch.inference_mode(),
            _reporting(self.network, steps, len(cut)),
        ):
            network = self._network_on(device, dtype)
            for piece in cut:
                around = _with_margin(piece, shape)
                images = channels[(..., *around)].to(device, non_blocking=on_gpu)
                images = images.to(dtype, memory_format=torch.channels_last)
                found = target_probability(network(images).float(), self.model.output, target).cpu()
                weight = _weight(piece, around, shape)
                total[(..., *around)] += weight * found
                weights[around] += weight
        return total / weights

    def _network_on(self, device: torch.device, dtype: torch.dtype) -> UNet:
        # Another image may be in the network: move it only if that is necessary.
        with self._moving:
            if self._is_on != (device, dtype):
                self.network.to(device, dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
                self._is_on = device, dtype
        return self.network


def target_probability(logits: Tensor, output: Output, target: Target = "npa") -> Tensor:
    """Turn logits (N, 1 or 2, rows, columns) into probabilities of a target (N, rows, columns)."""
    if output == "classes":
        return torch.softmax(logits, dim=1)[:, 1]
    return torch.sigmoid(logits[:, output.split("+").index(target)])


def _mirrored_mean(found: Tensor, mirrors: tuple[tuple[int, ...], ...]) -> Tensor:
    """Mirror the results (N, rows, columns) of N mirrored images back, and average them."""
    mean = torch.zeros(found.shape[-2:])
    for axes, mirrored in zip(mirrors, found, strict=True):
        mean += mirrored.flip(axes) / len(mirrors)
    return mean


@contextmanager
def _reporting(network: UNet, steps: Steps, pieces: int) -> Iterator[None]:
    """Report after each stage of the network, so that cancelling need not wait for the image."""
    if steps.progress is None:
        yield
        return
    caller = get_ident()

    def after(module: nn.Module, inputs: object, output: object) -> None:
        if get_ident() == caller:  # another thread's image may be in the network too
            steps.one_more(1 / pieces)

    hooks = [stage.register_forward_hook(after) for stage in (*network.stages, *network.decoder)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _around(gradable: Mask, multiple: int) -> Window:
    """Return the rectangle of the gradable retina and its surroundings, on a grid of `multiple`."""
    if not gradable.any():  # thinner than a pixel of the canvas
        gradable = ~gradable
    shape = (gradable.shape[0], gradable.shape[1])
    return with_context(bounding_box(gradable), shape, CONTEXT, multiple)


def with_context(window: Window, shape: tuple[int, int], context: int, multiple: int) -> Window:
    """Widen a window by at least `context` pixels, as far as `shape` reaches.

    Its sides lie on a grid of `multiple`, so that the network halves any two windows alike.
    """
    rows, columns = (
        slice(
            max(0, span.start - context) // multiple * multiple,
            min(side, -(-(span.stop + context) // multiple) * multiple),
        )
        for span, side in zip(window, shape, strict=True)
    )
    return rows, columns


def _pieces(shape: tuple[int, ...], count: int, multiple: int) -> Iterator[Window]:
    """Cut `shape` into rectangles, at most `count` along a side, on a grid of `multiple`."""
    rows, columns = (
        sorted({multiple * round(at * length / count / multiple) for at in range(count + 1)})
        for length in shape
    )
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            yield slice(top, bottom), slice(left, right)


def _with_margin(piece: Window, shape: tuple[int, ...]) -> Window:
    """Widen a piece by its seams and their surroundings, within `shape`."""
    margin = SEAM + PIECE_CONTEXT
    (top, bottom), (left, right) = (
        (max(0, span.start - margin), min(length, span.stop + margin))
        for span, length in zip(piece, shape, strict=True)
    )
    return slice(top, bottom), slice(left, right)


def _weight(piece: Window, around: Window, shape: tuple[int, ...]) -> Tensor:
    """Weight the result of a piece: 1 inside, falling to 0 across its seams with other pieces."""
    rows, columns = (
        _ramp(span, wide, length) for span, wide, length in zip(piece, around, shape, strict=True)
    )
    return rows[:, None] * columns[None]


def _ramp(span: slice, wide: slice, length: int) -> Tensor:
    at = torch.arange(wide.start, wide.stop) + 0.5
    ramp = torch.ones(len(at))
    if span.start > 0:
        ramp *= ((at - span.start + SEAM) / (2 * SEAM)).clamp(0, 1)
    if span.stop < length:
        ramp *= ((span.stop + SEAM - at) / (2 * SEAM)).clamp(0, 1)
    return ramp


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether torch ran out of memory; its CPU allocator has no exception type of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _free(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
