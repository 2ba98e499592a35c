"""The two kinds of field of view, and all that differs between them."""

from __future__ import annotations

from dataclasses import dataclass

from napari_npa.types import FieldName


@dataclass(frozen=True)
class FieldOfView:
    """What is known of an angiogram by the camera that took it.

    Attributes
    ----------
    name
        What weights files, tables and records call it.
    canvas_mm
        What a network's canvas spans, millimetres at the centre of the image.
    canvas
        Side of that canvas for a network that looks at whole images, pixels; a
        :class:`napari_npa.models.weights.Model` may have been trained on another.
    usual_share
        Longest side of the field as a share of the image's, in a usual export. Wider margins are
        cut to it before the image is put on the canvas.
    least_share
        Share from which the margins count as usual, and the image is put on the canvas whole.
    mirrored
        Whether networks look at the mirrored image too, and the results are averaged.
    least_area_mm2
        Size from which an area is called non-perfused, square millimetres.
    rim_mm
        Areas that lie this near to the outline of the gradable retina, millimetres, are not
        called either.
    """

    name: FieldName
    canvas_mm: float
    canvas: int
    usual_share: float
    least_share: float
    mirrored: bool
    least_area_mm2: float
    rim_mm: float


CAMERA_55 = FieldOfView(
    name="55",
    canvas_mm=16.0,
    canvas=512,  # about 0.031 mm a pixel at the centre
    usual_share=1.0,
    least_share=0.97,  # such a frame is taken for the image's full width
    # Four frames cost as much as one ultra-widefield image. On the first fold of a
    # cross-validation perfused eyes were flagged for 0.22 % instead of 1.06 %.
    mirrored=True,
    least_area_mm2=0.0,
    rim_mm=0.0,
)
"""The round frame of a 55° camera, or an image that is all field."""

ULTRA_WIDEFIELD = FieldOfView(
    name="uwfa",
    canvas_mm=77.0,
    canvas=1024,  # about 0.075 mm a pixel at the centre
    usual_share=0.9,  # measured: 0.88 and 0.92
    least_share=0.7,  # below this, the export has margins of its own
    mirrored=False,
    # One disc area. Perfused periphery is called in specks: without them, the mean IoU on 40
    # simulated eyes (seeds 61000 to 61039) was .871, not .810.
    least_area_mm2=2.54,
    # In the rim the image fades, and the eye itself has no capillaries. On 30 simulated eyes (seeds
    # 61000 to 61029) the mean IoU was .930 without areas in the rim, .863 with them, on 50 others
    # (2000 to 2049) .883 and .882; of what was called on two real images, 14 and 21 % were such
    # strips.
    rim_mm=2.5,
)
"""The irregular outline of an ultra-widefield image."""

FIELDS_OF_VIEW: dict[FieldName, FieldOfView] = {
    view.name: view for view in (CAMERA_55, ULTRA_WIDEFIELD)
}
"""Fields of view by name."""

DEFAULT_CANVASES: dict[str, int] = {view.name: view.canvas for view in FIELDS_OF_VIEW.values()}
"""Sides of the canvases by name of the field of view, pixels, as a weights file holds them."""
