"""What the commands print: names and messages as they are, and never commands to the terminal."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Console
from rich.text import Text

# Control characters, and those that turn the direction of writing: a file name may hold them.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Terminal(Console):
    """A console that shows texts as they stand: no markup, no highlights, no line broken."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, soft_wrap=True, markup=False, highlight=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 - rich's own
        """Make a text renderable."""
        return super().render_str(printable(text), **options)


def printable(text: str) -> str:
    """Escape what a terminal would obey, and what is no character."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


console = Terminal()
errors = Terminal(stderr=True)
