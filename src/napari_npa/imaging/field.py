"""The instrument's field: which part of an image it imaged, and the outline of that part.

Gray levels are those of an 8-bit export; lengths are fractions of the field's diameter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_npa.errors import RetinaError
from napari_npa.imaging.field_of_view import CAMERA_55, ULTRA_WIDEFIELD, FieldOfView
from napari_npa.imaging.picture import GRAY_LEVEL, WORK_SIDE, find_picture, twins, two_eyes
from napari_npa.imaging.raster import (
    bounding_box,
    enlarged,
    filled,
    median_of_nine,
    opened,
    reduced,
)
from napari_npa.types import Gray, Mask, Window

SURROUND_DEPTH = 1.0
"""The field begins this many gray levels above the surround (measured: a dim rim has 2 or more,
and the noise of a JPEG surround stays below 1 after a median)."""

BLACKEST_FIELD = 4.0
"""Gray levels; an image that is nowhere darker has no black surround (measured: the dimmest rim of
a 55° field has 4.5)."""

SMALLEST_PART = 0.05
"""Parts of a field smaller than this share of the largest are marks, not retina."""

SMALLEST_FIELD = 0.01
"""A field that covers less than this share of the image is none: the image is black."""

SLIVER = 0.01
"""Share of the image's longest side: anything thinner is a montage trace or lettering."""

WIDEST_FIELD = 1.7
"""A field that is longer by this is that of two eyes, one beside the other (measured: 1.31)."""

ROUND_TOLERANCE = 0.003
"""How far the rim of a round field may lie from the circle, in diameters (measured: 55° frames
scatter by 0.0008; at 0.008, rounded ultra-widefield outlines pass for circles)."""

ROUND_ARC = 0.7
"""Rim must be seen along this share of the circle's arc within the image; dark retina hides some of
it (measured: 0.98 and more on 55° frames, 0.4 on ultra-widefield images, 0.6 on simulated ones)."""

ROUND_RIM = 0.5
"""This share of the rim must lie on the circle, because a large circle can fit one side of an
ultra-widefield outline (measured: 0.94 and more on 55° frames, 0.66 with a dark sector of 60°; 0.3
on an ultra-widefield image one side of which fits)."""

ROUND_EXCESS = 0.02
"""Share of a round field that may lie outside its circle (tabs, lettering)."""

ROUND_TRIALS = 300
"""Triples of rim points that are tried. One in eight fits if half of the rim lies on the circle."""

ROUND_SECTORS = 72
"""Number of sectors, 5° each, in which rim is looked for."""

ROUND_LEAST = 18
"""The image must hold this many sectors of the circle: a quarter turn."""

RECTANGLE = 0.95
"""A field that fills this share of its bounding box is a rectangle (a circle fills 0.79)."""


class Circle(NamedTuple):
    """Centre and radius, pixels."""

    row: float
    column: float
    radius: float


def instrument_field(pixels: Gray, *, name: str = "image") -> Mask:
    """Find the area that the instrument imaged; the rest is black surround.

    Dark retina at the rim of a round frame belongs to the field: a circle is fitted to the
    rim that can be seen. An image without a black surround is all field.

    Parameters
    ----------
    pixels : (rows, columns) float32
        Angiogram in [0, 1].
    name
        What to call the image in an error.

    Returns
    -------
    field : (rows, columns) bool
        Without holes; more than one part only when an ultra-widefield montage has gaps.

    Raises
    ------
    RetinaError
        If the image is black.
    """
    found = find_picture(pixels, name=name)
    picture = found.cut(pixels)
    small = imaged(reduced(picture, WORK_SIDE), name)
    circle = round_frame(small)
    field = np.zeros(pixels.shape, np.bool_)
    field[found.window] = (
        enlarged(small, picture.shape)
        if circle is None
        else disk(circle, small.shape, picture.shape)
    )
    return field


def field_of_view(field: Mask) -> FieldOfView:
    """Tell the kind of field of view by the outline of the field.

    Parameters
    ----------
    field : (rows, columns) bool
        Not empty; what :func:`instrument_field` returns.

    Returns
    -------
    view
        A 55° camera's, if the outline is round (whole, or cut by the sides of the image), or if
        the image is all field, as narrower cameras export it. Ultra-widefield, if the outline is
        irregular.
    """
    small = reduced(field.astype(np.float32), WORK_SIDE) > 0.5
    is_camera = round_frame(small) is not None or rectangular(small)
    return CAMERA_55 if is_camera else ULTRA_WIDEFIELD


def scale_window(field: Mask, view: FieldOfView, shape: tuple[int, int]) -> Window:
    """Choose the part of an image that is put on the canvas: it has the same size on every retina.

    Parameters
    ----------
    field : (rows, columns) bool
        Not empty; the image's own, or a reduction of it.
    view
        Kind of field of view.
    shape
        Rows and columns of the image.

    Returns
    -------
    window
        In the image's own pixels. Of a camera's frame, its bounding box, unless that is about as
        wide as the image. An ultra-widefield export is taken whole, because its field is
        irregular; if its margins are far wider than usual, they are cut to the usual width.
    """
    box = bounding_box(field)
    extent = max(span.stop - span.start for span in box)
    if extent >= view.least_share * max(field.shape):
        return slice(0, shape[0]), slice(0, shape[1])
    margin = round((extent / view.usual_share - extent) / 2)
    rows, columns = (
        slice(
            max(0, round((span.start - margin) * side / small)),
            min(side, round((span.stop + margin) * side / small)),
        )
        for span, side, small in zip(box, shape, field.shape, strict=True)
    )
    return rows, columns


def imaged(small: Gray, name: str) -> Mask:
    """Find the part of a reduction that is brighter than the surround.

    Parameters
    ----------
    small : (rows, columns) float32
        Angiogram in [0, 1], reduced to :data:`WORK_SIDE`.
    name
        What to call the image in an error.

    Raises
    ------
    RetinaError
        If the image is black, or shows two fields.
    """
    calm = median_of_nine(small)
    black = float(calm.min())
    if black > BLACKEST_FIELD * GRAY_LEVEL:
        return np.ones(small.shape, np.bool_)
    bright = filled(calm > black + SURROUND_DEPTH * GRAY_LEVEL)
    parts, _ = ndi.label(opened(bright, SLIVER * max(small.shape)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    if sizes.max() < SMALLEST_FIELD * small.size:
        raise RetinaError(name, "is black", "Choose an angiogram that shows the retina.")
    field = filled((sizes >= SMALLEST_PART * sizes.max())[parts])
    height, width = (span.stop - span.start for span in bounding_box(field))
    if twins(parts, sizes) or max(height, width) > WIDEST_FIELD * min(height, width):
        raise two_eyes(name)
    return field


def round_frame(field: Mask) -> Circle | None:
    """Fit the circle of a camera's frame; None unless most of the rim lies on it."""
    rim = field & ~ndi.binary_erosion(field, border_value=1)
    rim[[0, -1]] = rim[:, [0, -1]] = False
    points = np.argwhere(rim).astype(np.float64)
    if len(points) < ROUND_SECTORS:
        return None
    circle = _fitted_circle(points, max(field.shape))
    if circle is None:
        return None
    wider = circle._replace(radius=circle.radius + _tolerance(circle.radius))
    beyond = ~disk(wider, field.shape, field.shape)
    if np.count_nonzero(field & beyond) > ROUND_EXCESS * np.count_nonzero(field):
        return None

    on_circle = _near(circle, points)
    if on_circle.mean() < ROUND_RIM:
        return None
    seen = _sectors(circle, points[on_circle])
    turn = np.linspace(0, 2 * np.pi, 8 * ROUND_SECTORS, endpoint=False)
    arc = np.stack(
        [
            circle.row + circle.radius * np.sin(turn),
            circle.column + circle.radius * np.cos(turn),
        ],
        axis=1,
    )
    inside = ((arc >= 1) & (arc <= np.array(field.shape) - 2)).all(axis=1)
    visible = _sectors(circle, arc[inside])
    if np.count_nonzero(visible) < ROUND_LEAST or seen[visible].mean() < ROUND_ARC:
        return None
    return circle


def _tolerance(radius: float) -> float:
    """Return how far the rim may lie from a circle, pixels: never less than one."""
    return max(ROUND_TOLERANCE * 2 * radius, 1.0)


def _fitted_circle(points: NDArray[np.float64], largest: float) -> Circle | None:
    """Fit a circle to as many points as possible: the best of many triples, then least squares."""
    rng = np.random.default_rng(0)
    points = points[:: max(1, len(points) // 600)]
    triples = points[rng.integers(0, len(points), (ROUND_TRIALS, 3))]
    # The centre c of p0, p1, p2 solves 2 (pi - p0) . c = |pi|² - |p0|², unless they are in line.
    normals = 2 * (triples[:, 1:] - triples[:, :1])
    proper = np.abs(np.linalg.det(normals)) > 1e-3 * np.ptp(points) ** 2
    triples, normals = triples[proper], normals[proper]
    squares = (triples**2).sum(axis=2)
    centres = np.linalg.solve(normals, (squares[:, 1:] - squares[:, :1])[..., None])[..., 0]
    radii = np.hypot(*(triples[:, 0] - centres).T)
    circles = [c for c in map(Circle, *centres.T, radii) if c.radius <= largest]
    if not circles:
        return None
    circle = max(circles, key=lambda c: np.count_nonzero(_near(c, points)))
    for _ in range(3):
        near = points[_near(circle, points)]
        system = np.column_stack([2 * near, np.ones(len(near))])
        row, column, rest = np.linalg.lstsq(system, (near**2).sum(axis=1))[0]
        circle = Circle(row, column, float(np.sqrt(rest + row**2 + column**2)))
    return circle


def _near(circle: Circle, points: NDArray[np.float64]) -> Mask:
    """Tell which points lie on a circle's line."""
    distances = np.hypot(points[:, 0] - circle.row, points[:, 1] - circle.column)
    return np.asarray(np.abs(distances - circle.radius) <= _tolerance(circle.radius))


def _sectors(circle: Circle, points: NDArray[np.float64]) -> Mask:
    """Tell which sectors of a circle hold a point."""
    turn = np.arctan2(points[:, 0] - circle.row, points[:, 1] - circle.column) / (2 * np.pi)
    held = np.zeros(ROUND_SECTORS, np.bool_)
    held[(turn * ROUND_SECTORS).astype(np.intp) % ROUND_SECTORS] = True
    return held


def disk(circle: Circle, small: tuple[int, int], shape: tuple[int, int]) -> Mask:
    """Draw the circle of a reduction as a mask of the whole image."""
    scales = (shape[0] / small[0], shape[1] / small[1])
    rows = ((np.arange(shape[0]) + 0.5) / scales[0] - 0.5 - circle.row).astype(np.float32)
    columns = ((np.arange(shape[1]) + 0.5) / scales[1] - 0.5 - circle.column).astype(np.float32)
    return np.asarray(columns**2 <= (circle.radius**2 - rows**2)[:, None])


def rectangular(field: Mask) -> bool:
    """Tell whether a field fills its bounding box, as that of a narrow camera does."""
    return bool(np.count_nonzero(field) >= RECTANGLE * field[bounding_box(field)].size)
