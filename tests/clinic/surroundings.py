"""Angiograms as exports show them: with a bar, a line, a page, a window or lettering around.

Each function takes an 8-bit angiogram and returns another, and where the first lies in it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Eye = NDArray[np.uint8]
Place = tuple[slice, slice]


def _lettered(picture: Eye, row: int, column: int, text: str, size: int, level: int) -> Eye:
    image = Image.fromarray(picture)
    font = ImageFont.load_default(max(8, size))
    ImageDraw.Draw(image).text((column, row), text, fill=level, font=font)
    return np.asarray(image).copy()


def _placed(
    eye: Eye, top: int, left: int, bottom: int, right: int, level: int
) -> tuple[Eye, Place]:
    around = np.pad(eye, ((top, bottom), (left, right)), constant_values=level)
    rows, columns = eye.shape
    return around, (slice(top, top + rows), slice(left, left + columns))


def bar_below(eye: Eye, level: int = 60, ink: int = 255) -> tuple[Eye, Place]:
    """A bar of data below the picture."""
    height = max(24, len(eye) // 14)
    picture, place = _placed(eye, 0, 0, height, 0, level)
    text = "OD  FA 02:41  55 deg  ART 12  Q 31  P-0042  1971-03-12"
    return _lettered(picture, len(eye) + height // 4, 8, text, height // 2, ink), place


def bar_above(eye: Eye) -> tuple[Eye, Place]:
    """A white bar above the picture, with black lettering."""
    height = max(24, len(eye) // 14)
    picture, place = _placed(eye, height, 0, 0, 0, 255)
    return _lettered(picture, height // 4, 8, "Fluorescein angiography 3:05", height // 2, 0), place


def black_bar(eye: Eye) -> tuple[Eye, Place]:
    """A bar as black as the surround, with white lettering."""
    return bar_below(eye, level=0)


def bar_beside(eye: Eye) -> tuple[Eye, Place]:
    """A gray column with lettering at the left."""
    width = max(60, eye.shape[1] // 6)
    picture, place = _placed(eye, 0, width, 0, 0, 128)
    for line in range(6):
        row = len(eye) * (line + 1) // 8
        picture = _lettered(picture, row, 6, "L 02:4" + str(line), max(10, width // 6), 0)
    return picture, place


def line_around(eye: Eye, level: int = 255) -> tuple[Eye, Place]:
    """A frame one pixel wide."""
    return _placed(eye, 1, 1, 1, 1, level)


def gray_line_around(eye: Eye) -> tuple[Eye, Place]:
    """A gray frame two pixels wide."""
    return _placed(eye, 2, 2, 2, 2, 90)


def inset_line(eye: Eye) -> tuple[Eye, Place]:
    """A white frame with black outside of it."""
    framed, _ = line_around(eye)
    margin = len(eye) // 20
    picture, (rows, columns) = _placed(framed, margin, margin, margin, margin, 0)
    return picture, (
        slice(rows.start + 1, rows.stop - 1),
        slice(columns.start + 1, columns.stop - 1),
    )


def white_page(eye: Eye) -> tuple[Eye, Place]:
    """A page of a report: wide white margins, a heading and a caption."""
    rows, columns = eye.shape
    picture, place = _placed(eye, rows // 5, columns // 6, rows // 3, columns // 6, 255)
    size = max(12, rows // 24)
    picture = _lettered(picture, rows // 12, columns // 6, "Retina clinic", size, 0)
    below = rows + rows // 4
    return _lettered(picture, below, columns // 6, "Right eye, 2 min 41 s", size, 0), place


def gray_page(eye: Eye) -> tuple[Eye, Place]:
    """A gray margin on all sides."""
    margin = len(eye) // 10
    return _placed(eye, margin, margin, margin, margin, 200)


def window_of_a_viewer(eye: Eye) -> tuple[Eye, Place]:
    """A screenshot: title bar, a panel with thumbnails, the picture on dark gray."""
    rows, columns = eye.shape
    picture, place = _placed(eye, rows // 10, columns // 4, rows // 16, columns // 20, 45)
    bar = rows // 20
    picture[:bar] = 230
    picture[bar:, : columns // 5] = 205
    for number in range(3):
        side = columns // 7
        top = bar + side // 4 + number * (side + side // 4)
        small = Image.fromarray(eye).resize((side, side))
        picture[top : top + side, 10 : 10 + side] = np.asarray(small)
    picture = _lettered(picture, bar // 4, 8, "Viewer  File  Edit  View", bar // 2, 20)
    return picture, place


def lettered_corners(eye: Eye) -> tuple[Eye, Place]:
    """A name and a time burned into the corners."""
    rows, columns = eye.shape
    size = max(10, rows // 36)
    picture = _lettered(eye, 4, 4, "OD 02:41", size, 255)
    return _lettered(picture, rows - size - 8, columns - 6 * size, "55 deg", size, 255), (
        slice(0, rows),
        slice(0, columns),
    )


AROUND: dict[str, Callable[[Eye], tuple[Eye, Place]]] = {
    function.__name__: function
    for function in (
        bar_below,
        bar_above,
        black_bar,
        bar_beside,
        line_around,
        gray_line_around,
        inset_line,
        white_page,
        gray_page,
        window_of_a_viewer,
        lettered_corners,
    )
}
"""Surroundings by name."""


def on_gray(eye: Eye, field: NDArray[np.bool_], level: int = 200) -> Eye:
    """The field of an eye cut out and put on a gray page, without its black surround."""
    return np.where(field, eye, np.uint8(level))


def two_eyes(eye: Eye, gap: int = 0) -> Eye:
    """Two eyes side by side in one picture."""
    between = np.zeros((len(eye), gap), np.uint8)
    return np.hstack([eye, between, eye[:, ::-1]])
