"""Annotations kept for recovery, damaged or made up, with a digest that fits all the same."""

from __future__ import annotations

import hashlib
import json
import zlib

from napari_npa.annotation.file import DIGEST_BYTES, LENGTH_BYTES, MAGIC

PARTS = ("session", "npa", "retina")


def unpacked(content: bytes) -> tuple[dict, dict[str, bytes]]:
    """Summary and inflated parts of an annotation's file."""
    start = len(MAGIC) + DIGEST_BYTES
    length = int.from_bytes(content[start : start + LENGTH_BYTES], "little")
    start += LENGTH_BYTES
    summary = json.loads(content[start : start + length])
    start += length
    parts = {}
    for name in PARTS:
        parts[name] = zlib.decompress(content[start : start + summary["bytes"][name]])
        start += summary["bytes"][name]
    return summary, parts


def signed(content: bytes) -> bytes:
    """The file with this content after its digest."""
    return MAGIC + hashlib.sha256(content).digest() + content


def packed(summary: object, parts: dict[str, bytes], *, deflated: bool = False) -> bytes:
    """The file of an annotation, whatever it says."""
    packed = {name: part if deflated else zlib.compress(part) for name, part in parts.items()}
    if isinstance(summary, dict) and isinstance(summary.get("bytes"), dict):
        summary = {**summary, "bytes": {name: len(part) for name, part in packed.items()}}
    head = json.dumps(summary).encode()
    return signed(len(head).to_bytes(LENGTH_BYTES, "little") + head + b"".join(packed.values()))


def bomb(size: int) -> bytes:
    """Deflated zeros that inflate to a size, bytes."""
    deflater = zlib.compressobj(9)
    block = bytes(2**20)
    pieces = [deflater.compress(block) for _ in range(size >> 20)]
    return b"".join([*pieces, deflater.flush()])
