"""The retina that can be judged: where the instrument looked, and where vessels can be seen.

Everything is found on a fixed reduction of the image, so that the result belongs to the
picture and not to the resolution it was exported at. Lengths are fractions of the field's
diameter, gray levels are those of an 8-bit export.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.sparse import coo_array, csr_array
from skimage.filters import sato
from skimage.morphology import reconstruction

from napari_npa.errors import RetinaError

Field = Literal["55", "uwfa"]
"""Kind of field of view: the round frame of a 55° camera, or an irregular ultra-widefield."""

Mask = NDArray[np.bool_]
Gray = NDArray[np.float32]

# Sources: "measured" is on the development images, 42 of 55° and two of ultra-widefield.
GRAY_LEVEL = 1 / 255
"""One gray level of an 8-bit export."""
WORK_SIDE = 768
"""Longest side of the reduction, pixels: the thinnest vessels of an ultra-widefield image
(76 µm wide; 4000 pixels of 19 µm) stay about one pixel wide."""

EIGHT_NEIGHBOURS = np.ones((3, 3), np.bool_)

# The field.
SURROUND_DEPTH = 1.0
"""Gray levels above the surround at which the field begins; a dim rim has 2 or more, the noise
of a JPEG surround stays below 1 after a median (measured)."""
BLACKEST_FIELD = 4.0
"""Gray levels; an image nowhere darker than this has no black surround (measured: the dimmest
rim of a 55° field has 4.5)."""
SMALLEST_PART = 0.05
"""Parts of a field smaller than this share of the largest are marks, not retina."""
SMALLEST_FIELD = 0.01
"""Share of the image below which nothing was imaged."""
SLIVER = 0.01
"""Share of the image's longest side: anything thinner is a montage trace or lettering."""

# The round frame.
ROUND_TOLERANCE = 0.008
"""How far from the circle, in diameters, the rim of a round field may lie."""
ROUND_ARC = 0.7
"""Share of the circle's arc within the image that must be rim; dark retina hides some of it
(measured: 0.99 and more on 55° frames, 0.5 on ultra-widefield)."""
ROUND_EXCESS = 0.02
"""Share of a round field that may lie outside its circle (tabs, lettering)."""
ROUND_TRIALS = 300
"""Triples of rim points tried; with half of the rim on the circle one in eight fits."""
ROUND_SECTORS = 72
"""Sectors in which the rim is looked for, 5° each."""
ROUND_LEAST = 18
"""Sectors of the circle, a quarter turn, that the image must hold."""
RECTANGLE = 0.95
"""Share of its bounding box above which a field is a rectangle (a circle fills 0.79)."""
EDGE_MARGIN = 0.005
"""Blurred edge of the field, diameters (measured: 1 to 2 pixels of 525)."""

# Vessels, in an ultra-widefield image of DIAMETER work pixels, about 65 mm of retina.
DIAMETER = 650.0
VESSEL_SIGMAS = (1.1, 1.6, 2.3)
"""Half widths of the ridges looked for, pixels at DIAMETER: vessels of 100 to 500 µm, blur
included."""
NARROWEST = 1.01
"""Pixels: below 1, scikit-image cuts its Gaussians off ten times farther out, and takes as much
longer."""
BACKGROUND_SIGMA = 9.0
"""Scale of the brightness that vessels stand out from, pixels at DIAMETER (1 mm)."""
DARK_CURRENT = 4.0
"""Gray levels added before the logarithm, so that noise in black is not contrast."""
VESSEL_CONTRAST = (0.07, 0.15)
"""Ridge strength, in units of relative contrast, that may belong to a vessel, and that surely
does (measured: choroid and scan lines stay below the first)."""
VESSEL_NOISE = (0.8, 1.6)
"""The same two limits in standard deviations of the noise; of white noise's ridges one in a
thousand pixels is stronger than 0.73 (measured)."""
LASH = 1.5
"""Bright ridges beside dark lines this many times as strong are the flanks of lashes (measured:
vessels up to 1.25, lashes 1.6 to 2.5)."""
LASH_REACH = 4.0
"""How far from its dark line a flank may lie, pixels at DIAMETER."""
SHORTEST_VESSEL = 0.08
"""Diameters (5 mm): shorter ridges are texture, lashes or noise."""
SIGHT = 0.03
"""Diameters (2 mm): around a visible vessel the retina can be judged."""
BAY = 0.07
"""Diameters: dark bays narrower than twice this between visible vessels are retina without
perfusion rather than the end of sight."""
SMOOTH = 0.02
"""Diameters: standard deviation of the Gaussian that smooths the outline."""

# Lids.
LID_SIDE = 192
"""Longest side of the reduction on which brightness is followed in from the border, pixels."""
LID_BRIGHTNESS = 1.5
"""A lid is this many times brighter than any way from the border to the retina (measured: lids
1.6 to 5)."""
LID_MARGIN = 0.012
"""Lashes and blur beside a lid, diameters."""


class _Circle(NamedTuple):
    row: float
    column: float
    radius: float


def instrument_field(pixels: Gray, *, name: str = "image") -> Mask:
    """Area that the instrument imaged, as against the black surround.

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
    field = _imaged(_reduced(pixels, WORK_SIDE), name)
    circle = _round_frame(field)
    if circle is None:
        return _enlarged(field, pixels.shape)
    return _disk(circle, field.shape, pixels.shape)


def field_of_view(field: Mask) -> Field:
    """Kind of field of view, from its outline.

    Parameters
    ----------
    field : (rows, columns) bool
        Not empty, as :func:`instrument_field` gives it.

    Returns
    -------
    kind
        ``"55"`` for the round frame of a camera, whole or cut by the sides of the image, and
        for an image that is all field, as narrower cameras export it; ``"uwfa"`` for the
        irregular outline of an ultra-widefield image.
    """
    small = _reduced(field.astype(np.float32), WORK_SIDE) > 0.5
    return "55" if _round_frame(small) is not None or _rectangular(small) else "uwfa"


def gradable_retina(pixels: Gray, *, name: str = "image") -> Mask:
    """Retina on which perfusion can be judged.

    Of a 55° image, the round frame without its blurred edge: all of it, dark sectors too. Of
    an ultra-widefield image, the surroundings of visible vessels, dark areas between them
    included, without eyelids and sclera, their shadows, and the rim too dark to see vessels.

    Parameters
    ----------
    pixels : (rows, columns) float32
        Angiogram in [0, 1].
    name
        What to call the image in an error.

    Returns
    -------
    gradable : (rows, columns) bool
        Within :func:`instrument_field`; in one piece if ultra-widefield.

    Raises
    ------
    RetinaError
        If the image is black, or is ultra-widefield and shows no vessels.
    """
    small = _reduced(pixels, WORK_SIDE)
    field = _imaged(small, name)
    circle = _round_frame(field)
    if circle is not None:
        inner = circle._replace(radius=circle.radius * (1 - 2 * EDGE_MARGIN))
        return _disk(inner, field.shape, pixels.shape)
    diameter = 2 * float(np.sqrt(np.count_nonzero(field) / np.pi))
    inside = _eroded(field, EDGE_MARGIN * diameter)
    if not _rectangular(field):
        inside = _seen(small, field, inside, diameter, name)
    return _enlarged(inside, pixels.shape)


def _imaged(small: Gray, name: str) -> Mask:
    """Field on the reduction, as far as it is brighter than the surround."""
    calm = ndi.median_filter(small, size=3)
    black = float(calm.min())
    if black > BLACKEST_FIELD * GRAY_LEVEL:
        return np.ones(small.shape, np.bool_)
    bright = ndi.binary_fill_holes(calm > black + SURROUND_DEPTH * GRAY_LEVEL)
    parts, _ = ndi.label(_opened(bright, SLIVER * max(small.shape)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    if sizes.max() < SMALLEST_FIELD * small.size:
        raise RetinaError(name, "is black", "Choose an angiogram that shows the retina.")
    return np.asarray(ndi.binary_fill_holes((sizes >= SMALLEST_PART * sizes.max())[parts]))


def _round_frame(field: Mask) -> _Circle | None:
    """Circle of a camera's frame, if most of the rim lies on one."""
    rim = field & ~ndi.binary_erosion(field, border_value=1)
    rim[[0, -1]] = rim[:, [0, -1]] = False
    points = np.argwhere(rim).astype(np.float64)
    if len(points) < ROUND_SECTORS:
        return None
    circle = _fitted_circle(points, max(field.shape))
    if circle is None:
        return None
    wider = circle._replace(radius=circle.radius + _tolerance(circle.radius))
    beyond = ~_disk(wider, field.shape, field.shape)
    if np.count_nonzero(field & beyond) > ROUND_EXCESS * np.count_nonzero(field):
        return None

    seen = _sectors(circle, points[_near(circle, points)])
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
    """How far from a circle its rim may lie, pixels; at least the grid's own coarseness."""
    return max(ROUND_TOLERANCE * 2 * radius, 1.0)


def _fitted_circle(points: NDArray[np.float64], largest: float) -> _Circle | None:
    """Circle that passes near the most points: the best of many triples, then least squares."""
    rng = np.random.default_rng(0)
    points = points[:: max(1, len(points) // 600)]
    triples = points[rng.integers(0, len(points), (ROUND_TRIALS, 3))]
    # The centre c of p0, p1, p2 solves 2 (pi - p0) . c = |pi|² - |p0|²; not if they are in line.
    normals = 2 * (triples[:, 1:] - triples[:, :1])
    proper = np.abs(np.linalg.det(normals)) > 1e-3 * np.ptp(points) ** 2
    triples, normals = triples[proper], normals[proper]
    squares = (triples**2).sum(axis=2)
    centres = np.linalg.solve(normals, (squares[:, 1:] - squares[:, :1])[..., None])[..., 0]
    radii = np.hypot(*(triples[:, 0] - centres).T)
    circles = [c for c in map(_Circle, *centres.T, radii) if c.radius <= largest]
    if not circles:
        return None
    circle = max(circles, key=lambda c: np.count_nonzero(_near(c, points)))
    for _ in range(3):
        near = points[_near(circle, points)]
        system = np.column_stack([2 * near, np.ones(len(near))])
        row, column, rest = np.linalg.lstsq(system, (near**2).sum(axis=1))[0]
        circle = _Circle(row, column, float(np.sqrt(rest + row**2 + column**2)))
    return circle


def _near(circle: _Circle, points: NDArray[np.float64]) -> Mask:
    """Which points lie on a circle's line."""
    distances = np.hypot(points[:, 0] - circle.row, points[:, 1] - circle.column)
    return np.asarray(np.abs(distances - circle.radius) <= _tolerance(circle.radius))


def _sectors(circle: _Circle, points: NDArray[np.float64]) -> Mask:
    """Which sectors of a circle hold a point."""
    turn = np.arctan2(points[:, 0] - circle.row, points[:, 1] - circle.column) / (2 * np.pi)
    held = np.zeros(ROUND_SECTORS, np.bool_)
    held[(turn * ROUND_SECTORS).astype(np.intp) % ROUND_SECTORS] = True
    return held


def _disk(circle: _Circle, small: tuple[int, int], shape: tuple[int, int]) -> Mask:
    """Circle of a reduction as a mask of the whole image."""
    scales = (shape[0] / small[0], shape[1] / small[1])
    rows = ((np.arange(shape[0]) + 0.5) / scales[0] - 0.5 - circle.row).astype(np.float32)
    columns = ((np.arange(shape[1]) + 0.5) / scales[1] - 0.5 - circle.column).astype(np.float32)
    return np.asarray(columns**2 <= (circle.radius**2 - rows**2)[:, None])


def _rectangular(field: Mask) -> bool:
    """Whether a field fills its bounding box, as that of a narrow camera does."""
    rows, columns = (np.flatnonzero(field.any(axis=axis)) for axis in (1, 0))
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    return bool(np.count_nonzero(field) >= RECTANGLE * box)


def _seen(small: Gray, field: Mask, inner: Mask, diameter: float, name: str) -> Mask:
    """Retina of an ultra-widefield image in which vessels can be seen, on the reduction."""
    vessels = _vessels(small, field, inner, diameter)
    near = _dilated(vessels, SIGHT * diameter) & inner
    lids = _lids(small, inner, near, diameter)
    vessels = _long(vessels & ~lids, SHORTEST_VESSEL * diameter)
    reach = _dilated(vessels, (SIGHT + BAY) * diameter)
    seen = _eroded(ndi.binary_fill_holes(reach), BAY * diameter) & inner & ~lids
    smooth = ndi.gaussian_filter(ndi.binary_fill_holes(seen).astype(np.float32), SMOOTH * diameter)
    gradable = _largest((smooth > 0.5) & inner & ~lids)
    if not gradable.any():
        raise RetinaError(
            name,
            "shows no retinal vessels, so that no part of it can be judged",
            "Choose a later or sharper frame, or draw the gradable retina by hand.",
        )
    return gradable


def _vessels(small: Gray, field: Mask, inner: Mask, diameter: float) -> Mask:
    """Long bright ridges that stand out from background and noise."""
    scale = diameter / DIAMETER
    logarithm = np.log(small / np.float32(GRAY_LEVEL) + np.float32(DARK_CURRENT))
    relief = logarithm - _local_mean(logarithm, field, BACKGROUND_SIGMA * scale)
    relief[~field] = 0
    sigmas = [max(sigma * scale, NARROWEST) for sigma in VESSEL_SIGMAS]
    bright, dark = (
        sato(relief, sigmas=sigmas, black_ridges=black)  # type: ignore[no-untyped-call]
        for black in (False, True)
    )
    bright[~_eroded(inner, 2 * sigmas[-1])] = 0
    noise = _noise(relief, inner)
    low, high = (
        max(contrast, deviations * noise)
        for contrast, deviations in zip(VESSEL_CONTRAST, VESSEL_NOISE, strict=True)
    )
    parts, count = ndi.label(bright > low, structure=EIGHT_NEIGHBOURS)
    labels = np.arange(count + 1)
    beside = ndi.maximum_filter(dark, size=2 * round(LASH_REACH * scale) + 1)
    sure = ndi.maximum(bright, parts, labels) > high
    sure &= ndi.sum(beside, parts, labels) < LASH * ndi.sum(bright, parts, labels)
    sure[0] = False
    return _long(sure[parts], SHORTEST_VESSEL * diameter)


def _noise(relief: Gray, inside: Mask) -> float:
    """Estimate the pixel noise, blind to edges: Immerkaer 1996, with a median for the mean."""
    second = np.array([[1, -2, 1]], np.float32)
    residue = ndi.convolve(relief, second.T @ second)
    return float(np.median(np.abs(residue[inside])) / (0.6745 * 6)) if inside.any() else 0.0


def _lids(small: Gray, inner: Mask, near: Mask, diameter: float) -> Mask:
    """Bright bands that come in from the border: eyelid and sclera.

    The bright posterior pole is reached from the border only over darker ground. Morphological
    reconstruction gives each place the brightness of the brightest way to it; on a lid that is
    its own, on the retina that of the saddle between.
    """
    coarse = _reduced(small, LID_SIDE)
    inside = _reduced(inner.astype(np.float32), LID_SIDE) > 0.5
    ground = np.where(inside, ndi.percentile_filter(coarse, 30, size=5), 0)
    border = inside & ~_eroded(inside, 3)
    ways = reconstruction(np.where(border, ground, 0), ground)  # type: ignore[no-untyped-call]
    retina = inside & (_reduced(near.astype(np.float32), LID_SIDE) > 0.5)
    if not retina.any():
        return np.zeros(inner.shape, np.bool_)
    lids = _enlarged(ways > LID_BRIGHTNESS * np.median(ways[retina]), inner.shape)
    return _dilated(lids, LID_MARGIN * diameter)


def _local_mean(values: Gray, inside: Mask, sigma: float) -> Gray:
    """Gaussian mean over the pixels inside a mask."""
    weights = ndi.gaussian_filter(inside.astype(np.float32), sigma)
    sums = ndi.gaussian_filter(np.where(inside, values, np.float32(0)), sigma)
    return np.asarray(sums / np.maximum(weights, np.float32(1e-3)))


def _long(mask: Mask, length: float) -> Mask:
    """Parts whose bounding box is at least ``length`` pixels across."""
    parts, _ = ndi.label(mask, structure=EIGHT_NEIGHBOURS)
    boxes = ndi.find_objects(parts)
    sizes = [np.hypot(*(side.stop - side.start for side in box)) for box in boxes]
    return np.asarray(np.array([0.0, *sizes])[parts] >= length)


def _largest(mask: Mask) -> Mask:
    """Largest part of a mask."""
    parts, _ = ndi.label(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((parts == sizes.argmax()) & mask)


def _dilated(mask: Mask, radius: float) -> Mask:
    """Mask grown by a radius in pixels; what lies outside the image counts as outside."""
    if not mask.any():
        return mask
    return np.asarray(ndi.distance_transform_edt(~mask) <= radius)


def _eroded(mask: Mask, radius: float) -> Mask:
    """Mask shrunk by a radius in pixels; the sides of the image do not eat into it."""
    return ~_dilated(~mask, radius)


def _opened(mask: Mask, radius: float) -> Mask:
    """Mask without parts thinner than twice a radius in pixels."""
    return _dilated(_eroded(mask, radius), radius)


def _reduced(pixels: Gray, side: int) -> Gray:
    """Area average with the given longest side; a smaller image is returned as it is."""
    longest = max(pixels.shape)
    if longest <= side:
        return pixels
    rows, columns = (max(1, round(n * side / longest)) for n in pixels.shape)
    across = _averaging(columns, pixels.shape[1])
    down = _averaging(rows, pixels.shape[0])
    return np.ascontiguousarray((across @ (down @ pixels).T).T)


def _averaging(small: int, large: int) -> csr_array:
    """Matrix that averages ``large`` samples into ``small`` by overlap."""
    edges = np.arange(small + 1) * (large / small)
    cuts = np.union1d(edges, np.arange(large + 1))
    middles = (cuts[:-1] + cuts[1:]) / 2
    widths = np.diff(cuts).astype(np.float32) * np.float32(small / large)
    to = np.minimum((middles * small / large).astype(np.intp), small - 1)
    return coo_array((widths, (to, middles.astype(np.intp))), shape=(small, large)).tocsr()


def _enlarged(mask: Mask, shape: tuple[int, int]) -> Mask:
    """Mask of a reduction on the grid of the whole image, its outline linear between pixels."""
    if mask.shape == shape:
        return mask
    enlarged = np.empty(shape, np.bool_)
    columns = _interpolating(shape[1], mask.shape[1])
    wide = (columns @ mask.T.astype(np.float32)).T
    rows = _interpolating(shape[0], mask.shape[0])
    for start in range(0, shape[0], WORK_SIDE):
        part = slice(start, start + WORK_SIDE)
        enlarged[part] = rows[part] @ wide > 0.5
    return enlarged


def _interpolating(large: int, small: int) -> csr_array:
    """Matrix that interpolates ``small`` samples linearly to ``large``."""
    places = np.clip((np.arange(large) + 0.5) * (small / large) - 0.5, 0, small - 1)
    below = np.minimum(places.astype(np.intp), max(small - 2, 0))
    above = np.minimum(below + 1, small - 1)
    share = (places - below).astype(np.float32)
    to = np.arange(large)
    return coo_array(
        (
            np.concatenate([1 - share, share]),
            (np.concatenate([to, to]), np.concatenate([below, above])),
        ),
        shape=(large, small),
    ).tocsr()
