"""Load triton so that its LLVM does not clash with that of Mesa's software OpenGL.

Importing torchvision or ``torch.optim`` imports triton. Under Mesa's software OpenGL (virtual
machines, remote desktops), a viewer on screen has already loaded another LLVM: the symbols clash,
and the process dies with a segmentation fault. If triton is loaded first, with ``RTLD_DEEPBIND``,
each of the two uses its own symbols.
"""

from __future__ import annotations

import contextlib
import os
import sys


def import_triton_apart() -> None:
    """Import triton with symbols of its own; do nothing if it is not installed."""
    if not hasattr(os, "RTLD_DEEPBIND") or "triton" in sys.modules:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)
    try:
        with contextlib.suppress(ImportError):
            import triton  # noqa: F401
    finally:
        sys.setdlopenflags(flags)
