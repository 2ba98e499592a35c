"""TIFF files whose first page is not the whole image: previews, pyramids, sub-images."""

import numpy as np
import tifffile

from drawing import draw_round_angiogram

EYE = draw_round_angiogram(320)
PREVIEW = EYE.reshape(160, 2, 160, 2).mean(axis=(1, 3)).round().astype(np.uint8)
THUMBNAIL = np.ascontiguousarray(EYE[::8, ::8])
"""40 pixels: too small to be an angiogram."""


def written(path, *images, **how):
    """Pages one after the other: an image, or an image and what is special about its page."""
    with tifffile.TiffWriter(path, **how) as writer:
        for image in images:
            pixels, special = image if isinstance(image, tuple) else (image, {})
            writer.write(pixels, photometric="minisblack", contiguous=False, **special)
    return path


def inside_preview(path, **how):
    """The full image as a sub-image of its preview."""
    return written(path, (PREVIEW, {"subifds": 1}), (EYE, {}), **how)


def wide_preview(path):
    """A preview that says so, with black bars beside the image."""
    wide = np.pad(PREVIEW, ((0, 0), (30, 30)))
    return written(path, (wide, {"subfiletype": 1}), EYE)


FULL_LATER = {
    "a preview first": (
        lambda p: written(p, PREVIEW, EYE),
        "page 2 of 2, since the first is a preview",
    ),
    "a thumbnail first": (
        lambda p: written(p, THUMBNAIL, EYE),
        "page 2 of 2, since the first is a preview",
    ),
    "previews first, BigTIFF": (
        lambda p: written(p, THUMBNAIL, PREVIEW, EYE, bigtiff=True),
        "page 3 of 3, since the first is a preview",
    ),
    "a preview that says so": (wide_preview, "page 2 of 2, since the first is a preview"),
    "a sub-image": (
        inside_preview,
        "image of 320 x 320 pixels inside the first page, which is a preview",
    ),
    "a sub-image, big-endian": (
        lambda p: inside_preview(p, byteorder=">", bigtiff=True),
        "image of 320 x 320 pixels inside the first page, which is a preview",
    ),
    "a colour preview": (
        lambda p: colour_preview(p),
        "page 2 of 2, since the first is a preview",
    ),
}
"""Files that hold :data:`EYE` after something smaller, and what a reader is told."""


def colour_preview(path):
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.dstack([PREVIEW] * 3), photometric="rgb")
        writer.write(EYE, photometric="minisblack", compression="zlib")
    return path


def pyramid(path):
    """The full image with smaller versions as sub-images, as OME-TIFF has them."""
    return written(
        path,
        (EYE, {"subifds": 2}),
        (PREVIEW, {"subfiletype": 1}),
        (THUMBNAIL, {"subfiletype": 1}),
    )
