"""Stores of fsspec for tests: one in memory, and one that refuses files."""

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class Unreliable(MemoryFileSystem):
    """A store that refuses some files, as a server in trouble does."""

    protocol = "unreliable"
    refused = ()

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.replace("unreliable://", "memory://"))

    def _open(self, path, *arguments, **options):
        if path.rpartition("/")[2] in self.refused:
            raise RuntimeError("503 Slow Down")
        return super()._open(path, *arguments, **options)

    def find(self, path, *arguments, **options):
        if "listing" in self.refused:
            raise RuntimeError("403 Forbidden")
        return super().find(path, *arguments, **options)


fsspec.register_implementation("unreliable", Unreliable, clobber=True)


def empty_store():
    """Empty the store in memory."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    return store


def unreliable_store(monkeypatch, *refused):
    """Have the store of the URLs ``unreliable://`` refuse files, or its listing."""
    monkeypatch.setattr(Unreliable, "refused", refused)
    return Unreliable.protocol
