"""The angiogram within its file: without the page, window, bar, frame or lettering around it.

Exports come on white pages, in windows of viewers, with a bar of data or a line around them. Such
surroundings are even, as nothing that a camera took is: they hold the same gray level, pixel for
pixel, over wide areas that reach the sides of the image. They are peeled off, layer by layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi

from napari_npa.errors import RetinaError
from napari_npa.imaging.raster import bounding_box, dilated, enlarged, filled, opened, reduced
from napari_npa.types import Gray, Mask, Window

GRAY_LEVEL = 1 / 255
"""One gray level of an 8-bit export."""

WORK_SIDE = 768
"""Longest side of the reduction on which surroundings are looked for, pixels."""

DARKEST_PAGE = 10.0
"""Gray levels; what is darker is black surround, which is part of the angiogram's own picture."""

EVEN = 2.0
"""Gray levels by which neighbours of an even area may differ: JPEG leaves as much."""

LEAST_PAGE = 0.002
"""Share of the image that an even area must cover."""

LEAST_SIDE = 0.2
"""Share of a side of the image that an even area must lie along, unless it holds a corner."""

LINE_CONTRAST = 6.0
"""Gray levels by which a line at the side of the image is brighter than what is next to it."""

LINE_LENGTH = 0.6
"""Share of the side along which it must be."""

WIDEST_LINE = 4
"""Pixels of the reduction."""

THIN = 0.01
"""Share of the longest side: what is thinner between even areas is a line or lettering."""

RECTANGLE = 0.97
"""What fills this share of its bounding box is a picture of its own, whose black surround is part
of it; anything else (a round field) lies on the page directly."""

LINE_SPREAD = 16.0
"""Gray levels between which the middle of a line lies: retina at the side of an image varies."""

WIDEST_BAND = 0.08
"""Share of the side that a band of lettering may cover."""

LEAST_GAP = 2
"""Black lines of the reduction between lettering and field."""

DARK_LINE = 3.0
"""Gray levels above the darkest, up to which a line counts as black."""

LEAST_INK = 60.0
"""Gray levels that lettering has somewhere, and a dim rim of the retina has not."""

LEAST_WRITING = 0.3
"""Share of a side along which the lettering of a bar runs; less is a word in a corner."""

LEAST_PICTURE = 0.05
"""Share that a picture has of what is around it; in what is smaller, the eye cannot be judged."""

WIDE_END = 0.05
"""Share of a side along which a field ends that is cut by the side of its picture."""

MIXED = 2
"""Pixels of the reduction."""

LEAST_TWIN = 0.5
"""Share of the largest part that the second must have to be a picture of its own beside it."""

MOST_LAYERS = 12
"""Layers that are peeled off at most: line, page, window, line, bar … one is a side or an area."""


class Picture(NamedTuple):
    """Where the angiogram is in its file.

    Attributes
    ----------
    window
        Part of the image that holds it.
    page : (rows, columns of the window) bool
        What is not angiogram within the window; None: nothing.
    """

    window: Window
    page: Mask | None = None

    def cut(self, pixels: Gray) -> Gray:
        """Its part of an image, with black in place of the page, (rows, columns) float32."""
        part = pixels[self.window]
        return part if self.page is None else np.where(self.page, np.float32(0), part)


def find_picture(pixels: Gray, *, name: str = "image") -> Picture:
    """Find the angiogram within its surroundings.

    Parameters
    ----------
    pixels : (rows, columns) float32
        In [0, 1].
    name
        What to call the image in an error.

    Returns
    -------
    picture
        The whole image, if nothing but black is around the field.

    Raises
    ------
    RetinaError
        If there are two pictures of about the same size.
    """
    small = reduced(pixels, WORK_SIDE)
    window: Window = (slice(0, small.shape[0]), slice(0, small.shape[1]))
    page: Mask | None = None
    for _ in range(MOST_LAYERS):
        try:
            peeled = next(filter(None, (peel(small[window]) for peel in PEELS)), None)
        except _TwoPicturesError:
            raise two_eyes(name) from None
        if peeled is None:
            break
        window, page = within(window, peeled.window), peeled.page
        if page is not None:
            break
    return _enlarged(window, page, small.shape, pixels.shape)


class _TwoPicturesError(Exception):
    """A page shows two pictures, neither of which is the main one."""


def twins(parts: NDArray[np.int32], sizes: NDArray[np.int64]) -> bool:
    """Tell whether the two largest parts are about equally large, and one beside the other.

    Parameters
    ----------
    parts : (rows, columns) int32
        Number of the part that each pixel belongs to; 0: none.
    sizes : (parts + 1,) int64
        Pixels of each part; 0 for what is none.
    """
    if np.count_nonzero(sizes) < 2:
        return False
    second, first = np.argsort(sizes)[-2:]
    if sizes[second] < LEAST_TWIN * sizes[first]:
        return False
    (rows, columns), (others, beside) = (bounding_box(parts == part) for part in (first, second))
    return _apart(rows, others) or _apart(columns, beside)


def _apart(one: slice, other: slice) -> bool:
    return bool(one.stop <= other.start or other.stop <= one.start)


def two_eyes(name: str) -> RetinaError:
    """Error of an image of which nobody can say which of two pictures is meant."""
    return RetinaError(
        name, "shows two pictures side by side", "Cut it into one image for each eye."
    )


def within(outer: Window, inner: Window) -> Window:
    """Window in an image, given a window in the part of it that another one holds."""
    rows, columns = (
        slice(a.start + b.start, a.start + b.stop) for a, b in zip(outer, inner, strict=True)
    )
    return rows, columns


def _enlarged(
    window: Window, page: Mask | None, small: tuple[int, ...], shape: tuple[int, ...]
) -> Picture:
    """Bring a window of the reduction to the image; its edges inwards, where the two are mixed."""
    rows, columns = (
        slice(ceil(span.start * side / short), floor(span.stop * side / short))
        for span, side, short in zip(window, shape, small, strict=True)
    )
    size = (rows.stop - rows.start, columns.stop - columns.start)
    return Picture((rows, columns), None if page is None else enlarged(page, size))


def _without_line(small: Gray) -> Picture | None:
    """Cut off a bright line along a side, with the black that lies outside of it."""
    for side, lines in _from_each_side(small):
        dark = _black_lines(lines)
        first = int(np.argmin(dark))
        for width in range(1, min(WIDEST_LINE, (len(lines) - first) // 4) + 1):
            line, beyond = lines[first + width - 1], lines[first + width : first + width + 2]
            contrast = line > beyond.max(axis=0) + LINE_CONTRAST * GRAY_LEVEL
            even = np.ptp(np.percentile(line, (20, 80))) <= LINE_SPREAD * GRAY_LEVEL
            if even and contrast.mean() >= LINE_LENGTH:
                return _cut(small, side, first + width)
    return None


def _without_lettering(small: Gray) -> Picture | None:
    """Cut off a bar of lettering that lies between a side and the field, on black."""
    for side, lines in _from_each_side(small):
        dark = _black_lines(lines)
        first = int(np.argmin(dark))
        last = first + int(np.argmax(dark[first:]))  # first black line after the lettering
        end = last + int(np.argmin(dark[last:]))
        is_band = 0 < last - first <= WIDEST_BAND * len(lines) and end - last >= LEAST_GAP
        if not is_band or dark[end:].all():
            continue
        ink = np.flatnonzero(lines[first:last].max(axis=0) > LEAST_INK * GRAY_LEVEL)
        if ink.size and np.ptp(ink) >= LEAST_WRITING * lines.shape[1]:
            # A field that ends in a wide straight line is cut by the side of its picture. Else the
            # margin of the bar is taken to be as wide above the lettering as below.
            is_cut = np.mean(lines[end] > lines.min() + DARK_LINE * GRAY_LEVEL) > WIDE_END
            return _cut(small, side, end if is_cut else min(last + first, end - 1))
    return None


def _from_each_side(small: Gray) -> Iterator[tuple[int, Gray]]:
    """Yield the lines of an image as they are met from the top, bottom, left and right."""
    yield from enumerate((small, small[::-1], small.T, small.T[::-1]))


def _cut(small: Gray, side: int, lines: int) -> Picture:
    """Cut lines off at a side, counted as in :func:`_from_each_side`."""
    whole = [slice(0, length) for length in small.shape]
    axis, at_the_end = divmod(side, 2)
    stop = small.shape[axis]
    whole[axis] = slice(0, stop - lines) if at_the_end else slice(lines, stop)
    return Picture((whole[0], whole[1]))


def _black_lines(lines: Gray) -> Mask:
    """Tell which lines show nothing but black surround."""
    return np.asarray(lines.max(axis=1) <= lines.min() + DARK_LINE * GRAY_LEVEL)


def _without_page(small: Gray) -> Picture | None:
    """Cut off the even areas that reach the sides, with what is enclosed by them."""
    page = _even_areas(small)
    if not page.any():
        return None
    rest = opened(~page, THIN * max(small.shape))
    parts, count = ndi.label(rest)
    if not count:
        return None
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    if twins(parts, sizes):
        raise _TwoPicturesError
    main = filled(parts == sizes.argmax())
    levels = small[main]
    is_even = np.ptp(np.percentile(levels, (5, 95))) <= EVEN * GRAY_LEVEL
    if levels.size < LEAST_PICTURE * small.size or is_even:
        return None
    window = bounding_box(main)
    field = main[window]
    if np.count_nonzero(field) >= RECTANGLE * field.size:
        return Picture(window) if field.size < main.size else None
    # The outermost pixels of the field are mixed with the page.
    return Picture(window, dilated(~field, MIXED))


def _even_areas(small: Gray) -> Mask:
    """Find areas of one gray level that lie along a side, or hold a corner."""
    spread = ndi.maximum_filter(small, 3) - ndi.minimum_filter(small, 3)
    even = (spread <= EVEN * GRAY_LEVEL) & (small >= DARKEST_PAGE * GRAY_LEVEL)
    areas, count = ndi.label(even)
    found = np.zeros(count + 1, np.bool_)
    for area in _along_the_sides(areas):
        inside = areas == area
        levels = small[inside]
        wide = levels.size >= LEAST_PAGE * small.size
        found[area] = wide and np.ptp(np.percentile(levels, (2, 98))) <= EVEN * GRAY_LEVEL
    # The last pixel of an even area differs from its neighbour outside.
    return np.asarray(ndi.binary_dilation(found[areas], np.ones((3, 3), np.bool_)))


def _along_the_sides(areas: NDArray[np.int32]) -> set[int]:
    """List the areas that lie along enough of a side, or hold a corner."""
    reached: set[int] = set()
    for side in (areas[1], areas[-2], areas[:, 1], areas[:, -2]):
        lengths = np.bincount(side)
        reached |= set(np.flatnonzero(lengths >= LEAST_SIDE * side.size).tolist())
        reached |= {int(side[1]), int(side[-2])}
    return reached - {0}


PEELS = (_without_line, _without_page, _without_lettering)
