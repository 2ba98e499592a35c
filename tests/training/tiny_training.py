"""A training run that takes a second: few steps of a narrow network on small canvases."""

from pathlib import Path

from drawing import TINY_CANVASES
from napari_npa.models.networks import UNetConfig
from napari_npa.training.config import TrainingConfig
from napari_npa.training.dataset import LabelledFile, gather_files
from napari_npa.training.train import fit

TINY = TrainingConfig(
    steps=2,
    steps_per_epoch=1,
    batch_size=2,
    view=64,
    canvases=TINY_CANVASES,
    network=UNetConfig(encoder="narrow", decoder=(8, 8, 8, 8)),
)


def files_of(folder: Path) -> list[LabelledFile]:
    """List the labelled frames of a folder."""
    return gather_files(folder, folder, (), (), r"patient\d+")


def fit_tiny(files, run, config=TINY, **options):
    """Train without any held-out image, on the processor, in silence."""
    options = {"report": lambda line: None, **options}
    return fit(files, [], config, run, device="cpu", **options)
