"""URLs as they are shown and recorded."""

from __future__ import annotations

import re

# A port, and what looks like one, is no password.
_PASSWORD = re.compile(r"(://[^/\s:@]*):(?!\d{1,5}(?:/|$))\S*@")
_SECRET = re.compile(
    r"([?&;][^=&;\s]*(?:pass|pwd|token|key|secret|sig|cred)[^=&;\s]*=)[^&;\s]+", re.IGNORECASE
)


def without_password(text: str) -> str:
    """Remove the passwords and keys from the URLs in a text, for messages and records."""
    links = (_PASSWORD.sub(r"\1@", link) for link in text.split("::"))
    return _SECRET.sub(r"\1…", "::".join(links))
