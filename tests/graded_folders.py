"""Folders of results and masks of graders, with shares worked out by hand."""

import csv

import numpy as np
import tifffile

from napari_npa.io.names import NPA_FILE, RETINA_FILE, TABLE, beside

SIDE = 20
"""Rows and columns of the masks."""


def write_results(folder, indices):
    """Table of results: index of each image, None where it failed."""
    folder.mkdir(exist_ok=True)
    with (folder / TABLE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "isi", "status", "result"])
        for image, isi in indices.items():
            status = "failed" if isi is None else "ok"
            writer.writerow([image, "" if isi is None else isi, status, image.rsplit(".", 1)[0]])
    return folder


def write_masks(folder, stem, share, gradable=None):
    """Masks with the upper share of the rows non-perfused, and of the left columns gradable."""
    base = folder / stem
    base.parent.mkdir(parents=True, exist_ok=True)
    npa, retina = np.zeros((2, SIDE, SIDE), np.uint8)
    npa[: round(share * SIDE)] = 1
    tifffile.imwrite(beside(base, NPA_FILE), npa)
    if gradable is not None:
        retina[:, : round(gradable * SIDE)] = 1
        tifffile.imwrite(beside(base, RETINA_FILE), retina)


def read_table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
