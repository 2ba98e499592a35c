"""Error messages: one clear line for the user, the details of unexpected errors for the log."""

from __future__ import annotations

import logging

from napari.utils.notifications import show_error

from napari_npa.errors import NpaError

_log = logging.getLogger(__name__)


def tell(error: Exception) -> str:
    """Notify the user of an error, without a traceback.

    Returns
    -------
    line
        The same line, for a panel to show.
    """
    if isinstance(error, NpaError):
        line = str(error)
    else:
        _log.error("unexpected error", exc_info=error)
        line = f"Unexpected error ({type(error).__name__}: {error}). Please report it."
    show_error(line)
    return line
