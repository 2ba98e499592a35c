"""Measures of ischemia."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_npa.errors import RetinaError


def ischemic_index(
    npa: NDArray[np.bool_], retina: NDArray[np.bool_], *, name: str = "image"
) -> float:
    """Non-perfused share of the gradable retina (ISI).

    Counted in pixels, as it has been published for unprojected images; the optic
    disc stays in the denominator.

    Parameters
    ----------
    npa, retina : (rows, columns) bool
        Non-perfusion and gradable retina; non-perfusion outside the gradable
        retina does not count.
    name
        What to call the image in an error.

    Returns
    -------
    isi
        In [0, 1].

    Raises
    ------
    RetinaError
        No pixel is gradable: there is no index, rather than an index of 0.
    """
    gradable = int(np.count_nonzero(retina))
    if gradable == 0:
        raise RetinaError(
            name,
            "has no gradable retina, so it has no ischemic index",
            "Outline the gradable retina, or choose another image.",
        )
    return int(np.count_nonzero(npa & retina)) / gradable
