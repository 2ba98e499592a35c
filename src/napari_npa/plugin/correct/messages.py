"""The line of status after a correction."""

from __future__ import annotations

from napari_npa.refine import TOOLS, Action, ToolId

DONE: dict[Action, str] = {
    "add": "Added",
    "replace": "Replaced",
    "remove": "Removed",
    "certain": "Trimmed",
    "subtract": "Taken away",
}

NOTHING_FOUND = "Nothing changed: try another sensitivity or another tool."


def line_of_correction(tool: ToolId, action: Action, gained: int) -> str:
    """Say what a correction has changed; if nothing, what to do with this very tool.

    Parameters
    ----------
    gained
        Pixels that the mask has now and had not before, less those that it has lost.
    """
    if gained:
        by = "" if action == "remove" else f", {TOOLS[tool].title}"
        return f"{DONE[action]}{by}: {gained:+,} px."
    if action == "remove":
        return "Nothing to remove: the mask is empty inside the shape."
    if tool == "grow":
        if action == "subtract":
            return "Nothing to take away there: Shift-click on a marked area."
        return "Nothing grew there: click on a darker place that is not marked yet."
    if tool == "shape" and action == "certain":
        return "My outline keeps all of the mask: to trim it, choose another tool."
    if tool == "shape":
        return "Nothing changed: all of the shape is marked already."
    return NOTHING_FOUND
