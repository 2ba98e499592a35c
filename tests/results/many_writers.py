"""A program that saves results into a folder again and again; a test runs several at once.

Arguments: folder, seed of the image, its file name, how many times.
"""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_npa.errors import ReplaceError
from napari_npa.imaging.field_of_view import CAMERA_55
from napari_npa.io.angiogram import Angiogram
from napari_npa.results.folder import ResultFolder
from napari_npa.results.result import Result
from napari_npa.segmentation.retina import Retina
from napari_npa.segmentation.segmenter import Segmentation

SHAPE = (64, 64)
EVERYTHING = (slice(0, 64), slice(0, 64))


def result_of(seed: int, name: str) -> Result:
    """A result whose image, hash and mask follow from the seed."""
    rng = np.random.default_rng(seed)
    sha256 = hashlib.sha256(str(seed).encode()).hexdigest()
    angiogram = Angiogram(rng.random(SHAPE, np.float32), name, sha256, (), Path("images") / name)
    segmentation = Segmentation(
        probability=rng.random(SHAPE, np.float32),
        imaged=Retina(CAMERA_55, np.ones(SHAPE, np.bool_), EVERYTHING),
        threshold=0.5,
        angiogram=angiogram,
        model="random",
        model_sha256="0" * 64,
        device="cpu",
    )
    return Result.of(segmentation)


def main() -> None:
    folder, seed, name, times = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    results = ResultFolder(folder)
    result = result_of(seed, name)
    for number in range(times):
        npa = result.npa.copy()
        npa[number % 64] ^= True
        try:
            saved = results.save(replace(result, npa=npa), table=False)
        except ReplaceError:
            continue
        results.put_row(saved.row)
    print("done", flush=True)


if __name__ == "__main__":
    main()
