"""Load triton so that its LLVM and the one of Mesa's software OpenGL do not meet.

Importing torchvision or ``torch.optim`` pulls in triton. Under Mesa's software
OpenGL (virtual machines, remote desktops) a viewer on screen has already loaded
another LLVM; the symbols clash and the process dies with a segmentation fault.
Loading triton first with ``RTLD_DEEPBIND`` keeps each to its own symbols.
"""

from __future__ import annotations

import contextlib
import os
import sys


def import_triton_apart() -> None:
    """Import triton with its own symbols first; does nothing where there is no triton."""
    if not hasattr(os, "RTLD_DEEPBIND") or "triton" in sys.modules:
        return
    flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)
    try:
        with contextlib.suppress(ImportError):
            import triton  # noqa: F401
    finally:
        sys.setdlopenflags(flags)
