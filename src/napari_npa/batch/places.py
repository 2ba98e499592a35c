"""Where a batch reads and writes: a folder of this machine, or a URL that fsspec knows.

Files of a URL are copied here to be worked on, results are made here and copied there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from napari_npa.errors import AngiogramError, NpaError, SaveError
from napari_npa.results import make_folder
from napari_npa.writing import write_bytes


@dataclass(frozen=True)
class Listed:
    """A file of a folder tree, or a subfolder that could not be read.

    Attributes
    ----------
    path
        Relative to the tree.
    problem
        Why the subfolder could not be read; empty for a file.
    """

    path: PurePosixPath
    problem: str = ""


class Workspace(Protocol):
    """A folder of this machine that stands for one of a place."""

    @property
    def folder(self) -> Path:
        """Where results are to be written."""

    def fetch(self, name: str) -> bool:
        """Have the place's file of that name in the folder; False where there is none."""

    def publish(self, files: tuple[Path, ...]) -> None:
        """Bring written files to the place, in this order, each whole or not at all."""


class Place(Protocol):
    """A folder tree somewhere."""

    def files(self, *, recursive: bool, leave_out: frozenset[str]) -> Iterator[Listed]:
        """Files, those of subfolders too if wanted, but for subfolders to be left out.

        Raises
        ------
        NpaError
            The folder itself is absent or cannot be read.
        """

    @contextmanager
    def file(self, path: PurePosixPath) -> Iterator[Path]:
        """One file, on this machine."""

    @contextmanager
    def workspace(self, path: PurePosixPath) -> Iterator[Workspace]:
        """Where results of a subfolder are written."""

    def read_text(self, name: str) -> str | None:
        """Content of a file, None where there is none."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""


def place_of(where: str | Path) -> Place:
    """A folder, or a URL such as ``s3://bucket/folder``.

    Raises
    ------
    NpaError
        The URL is of a kind that fsspec does not know, or needs a package that is absent.
    """
    text = str(where)
    if isinstance(where, Path) or "://" not in text:
        return LocalPlace(Path(where))
    parts = urlsplit(text)
    if parts.scheme in ("file", "local"):
        return LocalPlace(Path(unquote(parts.netloc + parts.path)))
    return _remote(text)


def inside(inner: str | Path, outer: str | Path) -> str | None:
    """Path of a place below another, None where it is not below; "" where both are the same."""
    ends = [str(where).rstrip("/") for where in (inner, outer)]
    if not any("://" in end for end in ends):
        ends = [str(Path(end).resolve()) for end in ends]
        ends = [end.replace(os.sep, "/") for end in ends]
    below, above = ends
    if below == above:
        return ""
    return below.removeprefix(f"{above}/") if below.startswith(f"{above}/") else None


@dataclass(frozen=True)
class LocalPlace:
    """A folder of this machine, or one that it shares with others."""

    root: Path

    def files(self, *, recursive: bool, leave_out: frozenset[str]) -> Iterator[Listed]:
        """See :class:`Place`; linked folders are followed, each folder is looked at once."""
        if not self.root.is_dir():
            raise AngiogramError(self.root, "is not a folder", "Give a folder of angiograms.")
        seen: set[tuple[int, int]] = set()
        pending = [PurePosixPath()]
        while pending:
            folder = pending.pop()
            try:
                entries = sorted(os.scandir(self.root / folder), key=lambda entry: entry.name)
            except OSError as error:
                if not folder.parts:
                    raise AngiogramError(
                        self.root, f"cannot be read ({error.strerror})", "Ask its owner."
                    ) from error
                yield Listed(folder, f"cannot be read ({error.strerror})")
                continue
            folders = []
            for entry in entries:
                path = folder / entry.name
                if not _is_folder(entry):
                    yield Listed(path)
                elif recursive and str(path) not in leave_out and _is_new(entry, seen):
                    folders.append(path)
            pending.extend(reversed(folders))

    @contextmanager
    def file(self, path: PurePosixPath) -> Iterator[Path]:
        """See :class:`Place`."""
        yield self.root / path

    @contextmanager
    def workspace(self, path: PurePosixPath) -> Iterator[Workspace]:
        """See :class:`Place`."""
        yield _LocalWorkspace(self.root / path)

    def read_text(self, name: str) -> str | None:
        """See :class:`Place`."""
        path = self.root / name
        try:
            return path.read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SaveError(
                path, "is there and cannot be read", "Close it in other programs, or move it away."
            ) from error

    def write(self, name: str, content: bytes) -> None:
        """See :class:`Place`."""
        make_folder(self.root)
        write_bytes(self.root / name, content)


@dataclass(frozen=True)
class _LocalWorkspace:
    folder: Path

    def fetch(self, name: str) -> bool:
        return (self.folder / name).is_file()

    def publish(self, files: tuple[Path, ...]) -> None:
        """Nothing to do: they are where they belong."""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link to nowhere, or to itself
        return entry.is_dir()
    return False


def _is_new(entry: os.DirEntry[str], seen: set[tuple[int, int]]) -> bool:
    """Whether a folder was not seen yet, under whatever name: links may form a loop."""
    try:
        status = os.stat(entry.path)  # noqa: PTH116 - the entry's own is 0 on Windows
    except OSError:
        return True  # to be told when it is opened
    known = (status.st_dev, status.st_ino)
    if known in seen:
        return False
    seen.add(known)
    return True


def _remote(url: str) -> RemotePlace:
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise NpaError(url, f"cannot be used ({error})", "Give a folder, or another URL.") from (
            error
        )
    return RemotePlace(url, system, root.rstrip("/"))


@dataclass(frozen=True)
class RemotePlace:
    """A folder that fsspec reaches: of an object store, a server, another machine."""

    url: str
    system: Any = field(repr=False)
    root: str = field(repr=False)

    def files(self, *, recursive: bool, leave_out: frozenset[str]) -> Iterator[Listed]:
        """See :class:`Place`."""
        try:
            if not self.system.isdir(self.root):
                raise AngiogramError(self.url, "is not a folder", "Give a folder of angiograms.")
            found = self.system.find(self.root, maxdepth=None if recursive else 1)
        except Exception as error:  # the errors of a store are its own
            if isinstance(error, NpaError):
                raise
            raise AngiogramError(
                self.url, f"cannot be read ({error})", "Check the address and your rights."
            ) from error
        for name in sorted(found):
            path = PurePosixPath(name.removeprefix(self.root).lstrip("/"))
            if not any(str(above) in leave_out for above in path.parents):
                yield Listed(path)

    @contextmanager
    def file(self, path: PurePosixPath) -> Iterator[Path]:
        """See :class:`Place`."""
        with tempfile.TemporaryDirectory(prefix="napari-npa-") as folder:
            local = Path(folder) / path.name
            if not self._get(f"{self.root}/{path}", local):
                raise AngiogramError(
                    path.name, "does not exist any more", "Was it moved during the run?"
                )
            yield local

    @contextmanager
    def workspace(self, path: PurePosixPath) -> Iterator[Workspace]:
        """See :class:`Place`."""
        folder = self.root if path == PurePosixPath() else f"{self.root}/{path}"
        with tempfile.TemporaryDirectory(prefix="napari-npa-") as local:
            yield _RemoteWorkspace(Path(local), folder, self)

    def read_text(self, name: str) -> str | None:
        """See :class:`Place`."""
        with tempfile.TemporaryDirectory(prefix="napari-npa-") as folder:
            local = Path(folder) / "text"
            return local.read_text("utf-8") if self._get(f"{self.root}/{name}", local) else None

    def write(self, name: str, content: bytes) -> None:
        """See :class:`Place`."""
        with tempfile.TemporaryDirectory(prefix="napari-npa-") as folder:
            local = Path(folder) / "file"
            write_bytes(local, content)
            self._put(local, f"{self.root}/{name}")

    def _get(self, remote: str, local: Path) -> bool:
        try:
            # Not get_file: where a file is absent, some stores leave an empty one.
            with self.system.open(remote, "rb") as source, local.open("wb") as target:
                shutil.copyfileobj(source, target)
        except FileNotFoundError:
            local.unlink(missing_ok=True)
            return False
        except Exception as error:
            raise AngiogramError(
                remote.rpartition("/")[2],
                f"could not be copied here ({error})",
                "Check the connection and run again with --resume.",
            ) from error
        return True

    def _put(self, local: Path, remote: str) -> None:
        folder, _, name = remote.rpartition("/")
        partial = f"{folder}/.{uuid.uuid4().hex}{Path(name).suffix}"
        try:
            self.system.makedirs(folder, exist_ok=True)
            self.system.put_file(str(local), partial)
            if self.system.exists(remote):
                self.system.rm_file(remote)
            self.system.mv(partial, remote)
        except Exception as error:
            raise SaveError(
                name,
                f"could not be copied to its place ({error})",
                "Check the connection and run again with --resume.",
            ) from error


@dataclass(frozen=True)
class _RemoteWorkspace:
    folder: Path
    remote: str
    place: RemotePlace

    def fetch(self, name: str) -> bool:
        return self.place._get(f"{self.remote}/{name}", self.folder / name)

    def publish(self, files: tuple[Path, ...]) -> None:
        for file in files:
            self.place._put(file, f"{self.remote}/{file.name}")
