"""The tile network on parts of an angiogram."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from napari_npa.errors import WeightsError
from napari_npa.io.angiogram import Angiogram
from napari_npa.models.devices import choose_device
from napari_npa.models.inference import PIECE_CONTEXT, Inference, Steps, with_context
from napari_npa.models.weights import Model, as_model
from napari_npa.refine.close_up import CloseUp
from napari_npa.refine.proposal import Proposal
from napari_npa.refine.region import Region
from napari_npa.types import Gray, Progress, Target

RETINA_THRESHOLD = 0.5
"""Probability from which the network calls retina gradable."""


class TileNetwork:
    """A network that looks again at parts of an angiogram, at the scale it was trained at.

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
        Weights missing, damaged, or of a network that takes another input than ours.

    Examples
    --------
    >>> network = TileNetwork()                                          # doctest: +SKIP
    >>> seen = network.look(read_angiogram("eye.tif"))                   # doctest: +SKIP
    >>> region = polygon_region([(90, 80), (90, 200), (180, 200)], npa.shape)  # doctest: +SKIP
    >>> [proposal] = network.propose(seen, [region])                     # doctest: +SKIP
    >>> npa = proposal.applied(npa, "replace", sensitivity=0.6)          # doctest: +SKIP
    """

    def __init__(self, device: str = "auto", model: str | Path | Model = "tile") -> None:
        self.model = as_model(model)
        if not self.model.wants_gradable:
            raise WeightsError(
                self.model.name,
                "was trained on whole images as they are, not on tiles",
                "Choose the embedded tile network, or one trained with 'napari-npa train'.",
            )
        self._inference = Inference(self.model, choose_device(device))

    def look(self, angiogram: Angiogram) -> CloseUp:
        """Prepare an angiogram, once; most of the time is spent on finding its retina.

        Raises
        ------
        RetinaError
            No gradable retina in it.
        """
        return CloseUp.of(angiogram, self.model.canvases).with_channels()

    def propose(
        self,
        seen: CloseUp,
        regions: Sequence[Region],
        *,
        target: Target = "npa",
        progress: Progress | None = None,
    ) -> list[Proposal]:
        """Run the network on regions.

        Parameters
        ----------
        seen
            What :meth:`look` returned.
        regions
            Where to look; each is seen with its surroundings.
        target
            Non-perfusion, or the gradable retina.
        progress
            Called with (done, total); what it raises ends the work and is passed on.

        Returns
        -------
        proposals
            One a region, in order; sensitivity 0.5 is the network's own threshold.

        Raises
        ------
        DeviceError
            Out of memory even in small pieces on the CPU.
        WeightsError
            The network has not learned what is looked for.
        """
        steps = Steps(progress, total=1 + len(regions) * self._inference.steps)
        proposals = [self._proposal(seen, region, target, steps) for region in regions]
        steps.finish()
        return proposals

    def _proposal(self, seen: CloseUp, region: Region, target: Target, steps: Steps) -> Proposal:
        shape = (seen.box.canvas, seen.box.canvas)
        window = with_context(
            seen.canvas_window(region.window), shape, PIECE_CONTEXT, self._inference.multiple
        )
        channels = torch.from_numpy(seen.channels[(slice(None), *window)])[None]
        mirrors = self._inference.mirrors(seen.view)
        found, _, _ = self._inference.probability(channels, steps, mirrors=mirrors, target=target)
        threshold = self.model.threshold_for(seen.view) if target == "npa" else RETINA_THRESHOLD
        evidence = calibrated(seen.image_values(found.numpy(), window, region.window), threshold)
        return Proposal(region, evidence)


def calibrated(probability: Gray, threshold: float) -> Gray:
    """Probability with its logit shifted, so that the threshold becomes 0.5.

    Parameters
    ----------
    probability : (rows, columns) float32
        In [0, 1].
    threshold
        In (0, 1).

    Returns
    -------
    calibrated : (rows, columns) float32
        In [0, 1]; 0 and 1 stay.
    """
    # sigmoid(logit(p) - logit(t)) without the logarithms.
    found = probability * np.float32(1 - threshold)
    return np.asarray(found / (found + (1 - probability) * np.float32(threshold)))
