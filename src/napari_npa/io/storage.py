"""Storage that a batch reads and writes: a folder of this machine, or a URL for fsspec.

Files at a URL are copied to this machine before work; results are made here and copied back.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote

from napari_npa.errors import AngiogramError, NpaError, SaveError
from napari_npa.io.locking import locked
from napari_npa.io.names import stays_inside
from napari_npa.io.texts.ordinary import ordinary_bytes
from napari_npa.io.texts.urls import without_password
from napari_npa.io.writing import make_folder, remove_partials, write_bytes


@dataclass(frozen=True)
class Listed:
    """A file in storage, or a subfolder that could not be read.

    Attributes
    ----------
    path
        Path relative to the root of the storage.
    problem
        Why the subfolder could not be read; empty for a file.
    """

    path: PurePosixPath
    problem: str = ""


class Workspace(Protocol):
    """A folder of this machine that stands for a folder in storage."""

    @property
    def folder(self) -> Path:
        """Folder to write results into."""

    def fetch(self, name: str) -> bool:
        """Copy the stored file of that name into the folder; False if there is none."""

    def publish(self, files: tuple[Path, ...]) -> None:
        """Store written files in this order, each whole or not at all."""


class Storage(Protocol):
    """A folder tree on this machine or at a URL."""

    def files(self, *, recursive: bool, leave_out: str | None) -> Iterator[Listed]:
        """List the files, optionally those of subfolders, except of a subfolder to leave out.

        Raises
        ------
        NpaError
            The folder itself is absent or cannot be read.
        """

    @contextmanager
    def file(self, path: PurePosixPath) -> Iterator[Path]:
        """Provide one file on this machine."""

    @contextmanager
    def workspace(self, path: PurePosixPath) -> Iterator[Workspace]:
        """Provide a folder to write the results of a subfolder into."""

    def read(self, name: str, most: int) -> bytes | None:
        """Read a file of at most so many bytes; None if there is none.

        Raises
        ------
        NpaError
            The file is there and cannot be read.
        """

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole or not at all."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the root alone while a file of it is read, changed and written."""


def storage_of(where: str | Path) -> Storage:
    """Open the storage of a folder, or of a URL such as ``s3://bucket/folder``.

    Raises
    ------
    NpaError
        fsspec does not know this kind of URL, or needs a package that is absent.
    """
    text = str(where)
    if not text.strip():
        raise NpaError("the folder", "has an empty name", "Give a folder, or a URL.")
    if isinstance(where, Path) or "://" not in text:
        return _local(Path(where))
    scheme, _, rest = text.partition("://")
    if scheme in ("file", "local"):
        return _local(Path(unquote(rest)))
    if len(scheme) == 1 and os.name == "nt":  # a drive
        return _local(Path(text))
    if re.fullmatch(r"[A-Za-z][\w.:+-]+", scheme) is None:  # fsspec takes it for a path
        raise NpaError(without_password(text), "is not a URL", "Give a folder, or another URL.")
    return _remote(text)


def _local(root: Path) -> LocalStorage:
    if "\0" in str(root):
        raise NpaError(str(root), "cannot be the name of a folder", "Give a folder, or a URL.")
    return LocalStorage(root)


def inside(inner: str | Path, outer: str | Path) -> str | None:
    """Return the path of one storage inside another; None if it is outside, or the same."""
    below, above = _address(inner), _address(outer).rstrip("/") + "/"
    return below.removeprefix(above) if below.startswith(above) else None


def _address(where: str | Path) -> str:
    place = storage_of(where)
    if isinstance(place, LocalStorage):
        return Path(os.path.realpath(place.root)).as_posix()  # Path.resolve fails on link loops
    return str(where).rstrip("/")


@dataclass(frozen=True)
class LocalStorage:
    """A folder of this machine, possibly shared with others."""

    root: Path

    def files(self, *, recursive: bool, leave_out: str | None) -> Iterator[Listed]:
        """See :class:`Storage`; links to folders are followed, and each folder is listed once."""
        if not os.path.isdir(self.root):  # noqa: PTH112 - Path.is_dir may raise
            raise AngiogramError(self.root, "is not a folder", "Give a folder of angiograms.")
        seen: set[tuple[int, int]] = set()
        _is_new(self.root, seen)
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
                elif recursive and str(path) != leave_out and _is_new(entry, seen):
                    folders.append(path)
            pending.extend(reversed(folders))

    @contextmanager
    def file(self, path: PurePosixPath) -> Iterator[Path]:
        """See :class:`Storage`."""
        file = self.root / path
        if file.exists() and not file.is_file():  # reading a pipe could block for ever
            raise AngiogramError(file, "is not an ordinary file", "Leave it out.")
        yield file

    @contextmanager
    def workspace(self, path: PurePosixPath) -> Iterator[Workspace]:
        """See :class:`Storage`.

        Raises
        ------
        SaveError
            It is behind a link, which may lead anywhere.
        """
        for folder in (path, *path.parents):
            if folder.parts and os.path.islink(self.root / folder):  # noqa: PTH114 - never raises
                raise SaveError(
                    str(folder),
                    "is a link in the folder of results, which is not followed",
                    "Put the folder itself there, or give another folder for the results.",
                )
        yield _LocalWorkspace(self.root / path)

    def read(self, name: str, most: int) -> bytes | None:
        """See :class:`Storage`."""
        return _content(name, self.root / name, most)

    def write(self, name: str, content: bytes) -> None:
        """See :class:`Storage`."""
        make_folder(self.root)
        write_bytes(self.root / name, content)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See :class:`Storage`."""
        make_folder(self.root)
        with locked(self.root):
            yield

    def remove_partials(self, folders: Iterable[PurePosixPath]) -> None:
        """Remove files that killed runs left half-written in subfolders."""
        for folder in folders:
            remove_partials(self.root / folder)


@dataclass(frozen=True)
class _LocalWorkspace:
    folder: Path

    def fetch(self, name: str) -> bool:
        return os.path.isfile(self.folder / name)  # noqa: PTH113 - False for a name too long

    def publish(self, files: tuple[Path, ...]) -> None:
        """Do nothing: the files are in their place."""


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link to nowhere, or to itself
        return entry.is_dir()
    return False


def _content(name: str, file: Path, most: int) -> bytes | None:
    try:
        return ordinary_bytes(file, most)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SaveError(
            name,
            f"is there and cannot be read ({error.strerror})",
            "Close it in other programs, or move it away.",
        ) from error


def _is_new(folder: os.DirEntry[str] | Path, seen: set[tuple[int, int]]) -> bool:
    """Tell whether a folder was not seen yet under any name: links may form a loop."""
    try:
        status = os.stat(folder)  # noqa: PTH116 - an entry's own is 0 on Windows
    except OSError:
        return True  # reported when it is opened
    known = (status.st_dev, status.st_ino)
    if known in seen:
        return False
    seen.add(known)
    return True


def _remote(url: str) -> RemoteStorage:
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(url)
    except Exception as error:  # a package is absent, the URL is not valid, or the store refuses
        raise NpaError(
            without_password(url),
            f"cannot be used ({_said(error)})",
            "Give a folder, or another URL.",
        ) from error
    return RemoteStorage(without_password(url), system, root.rstrip("/"))


def _said(error: Exception) -> str:
    return without_password(str(error))


@dataclass(frozen=True)
class RemoteStorage:
    """A folder that fsspec reaches, in an object store or on a server.

    Attributes
    ----------
    url
        Without the password.
    """

    url: str
    system: Any = field(repr=False)
    root: str = field(repr=False)

    def files(self, *, recursive: bool, leave_out: str | None) -> Iterator[Listed]:
        """See :class:`Storage`."""
        try:
            if not self.system.isdir(self.root):
                raise AngiogramError(self.url, "is not a folder", "Give a folder of angiograms.")
            found = self.system.find(self.root, maxdepth=None if recursive else 1)
        except Exception as error:  # each store has its own errors
            if isinstance(error, NpaError):
                raise
            raise AngiogramError(
                self.url, f"cannot be read ({_said(error)})", "Check the address and your rights."
            ) from error
        for name in sorted(found):
            path = PurePosixPath(name.removeprefix(self.root).lstrip("/"))
            if not stays_inside(str(path)):
                yield Listed(path, "has a name that leads out of its folder")
            elif leave_out not in [str(above) for above in path.parents]:
                yield Listed(path)

    @contextmanager
    def file(self, path: PurePosixPath) -> Iterator[Path]:
        """See :class:`Storage`."""
        with tempfile.TemporaryDirectory(prefix="napari-npa-") as folder:
            local = Path(folder) / path.name
            if not self._get(str(path), local):
                raise AngiogramError(
                    path.name, "does not exist any more", "Was it moved during the run?"
                )
            yield local

    @contextmanager
    def workspace(self, path: PurePosixPath) -> Iterator[Workspace]:
        """See :class:`Storage`."""
        with tempfile.TemporaryDirectory(prefix="napari-npa-") as folder:
            yield _RemoteWorkspace(Path(folder), path, self)

    def read(self, name: str, most: int) -> bytes | None:
        """See :class:`Storage`."""
        with tempfile.TemporaryDirectory(prefix="napari-npa-") as folder:
            local = Path(folder) / "file"
            return _content(name, local, most) if self._get(name, local) else None

    def write(self, name: str, content: bytes) -> None:
        """See :class:`Storage`."""
        with tempfile.TemporaryDirectory(prefix="napari-npa-") as folder:
            local = Path(folder) / "file"
            write_bytes(local, content)
            self._put(local, name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See :class:`Storage`; stores at URLs have no locks: the later of two writers counts."""
        yield

    def _get(self, name: str, local: Path) -> bool:
        remote = f"{self.root}/{name}"
        try:
            # Not get_file: if the file is absent, some stores leave an empty one.
            with self.system.open(remote, "rb") as source, local.open("wb") as target:
                shutil.copyfileobj(source, target)
        except FileNotFoundError:
            local.unlink(missing_ok=True)
            return False
        except Exception as error:
            raise AngiogramError(
                name,
                f"could not be copied here ({_said(error)})",
                "Check the connection and run again with --resume.",
            ) from error
        return True

    def _put(self, local: Path, name: str) -> None:
        # An object store keeps the earlier file until all bytes have arrived. On other stores, a
        # run that is killed meanwhile leaves a file whose hash is not in its record.
        remote = f"{self.root}/{name}"
        try:
            self.system.makedirs(remote.rpartition("/")[0], exist_ok=True)
            self.system.put_file(str(local), remote)
        except Exception as error:
            raise SaveError(
                name,
                f"could not be copied to its storage ({_said(error)})",
                "Check the connection and run again with --resume.",
            ) from error


@dataclass(frozen=True)
class _RemoteWorkspace:
    folder: Path
    path: PurePosixPath
    place: RemoteStorage

    def fetch(self, name: str) -> bool:
        return self.place._get(str(self.path / name), self.folder / name)

    def publish(self, files: tuple[Path, ...]) -> None:
        for file in files:
            self.place._put(file, str(self.path / file.name))
