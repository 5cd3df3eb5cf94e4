"""What has come of a file so far: a `.part` beside its final name, and whose bytes they are.

The part goes on where it ended, in this process or another, if the file is the same: a checksum in
common. Where a hub publishes none, the same hub, name and size will do, and the zip is tested.
"""

import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geobservatory.errors import TransientError
from geobservatory.transfer.digest import ALGORITHMS, Digest
from geobservatory.transfer.room import FULL, allocate
from geobservatory.transfer.source import Source

_READ = 1 << 20


class DiskFullError(TransientError):
    """There is no room for the file; it can be fetched when there is."""


class WrongContentError(TransientError):
    """What came is not the file: another length or checksum, or a damaged zip."""


class Part:
    """The beginning of a file, on disk; use as a context manager, by one process at a time.

    Parameters
    ----------
    path
        Final name of the file.

    Attributes
    ----------
    have
        Bytes that are there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.have = 0
        self._file = path.with_name(f".{path.name}.part")
        self._about = path.with_name(f".{path.name}.part.json")
        self._identity: dict[str, Any] | None = None
        self._algorithm: str | None = None
        self._hash: Digest | None = None
        self._fd = -1

    def __enter__(self) -> "Part":
        """Open what is there, or nothing."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        self._identity = _read_identity(self._about)
        return self

    def __exit__(self, *_: object) -> None:
        """Give back the room that was reserved and not used."""
        self._forget_hash()
        if self._fd >= 0:
            if os.path.exists(self._file):  # noqa: PTH110  (a descriptor's name, gone when done)
                os.ftruncate(self._fd, self.have)
                if self.have == 0:
                    self.discard()
                    self._file.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1

    def continues(self, source: Source) -> bool:
        """Tell whether what is there is the beginning of a source's file."""
        return self._identity is not None and same_file(self._identity, identity(source))

    def adopt(self, source: Source) -> None:
        """Make ready to take a source's bytes: keep what is its own, and begin anew if none is.

        Raises
        ------
        DiskFullError
            If there is no room for the rest.
        """
        about = identity(source)
        if not self.continues(source):
            self.discard()
        merged = {**(self._identity or {}).get("checksums", {}), **about["checksums"]}
        if self._identity is None or merged != self._identity["checksums"]:
            self._identity = {**about, "checksums": merged}
            self._about.write_text(json.dumps(self._identity))
        algorithm = next((one for one in ALGORITHMS if one in merged), None)
        if self._hash is None or algorithm != self._algorithm:
            self._algorithm = algorithm
            self._take_in(os.fstat(self._fd).st_size)
        if source.size is not None:
            self._reserve(source.size)

    def cut(self, length: int) -> None:
        """Forget what is beyond a length: a hub sends from there."""
        if length != self.have:
            self._take_in(min(length, self.have))

    def append(self, piece: bytes) -> None:
        """Take the next bytes; `DiskFullError` where there is no room."""
        view = memoryview(piece)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError as error:
            raise self._full(error) from error
        if self._hash is not None:
            self._hash.update(piece)
        self.have += len(piece)

    def discard(self) -> None:
        """Forget everything."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._about.unlink(missing_ok=True)
        self._forget_hash()
        self.have, self._identity, self._algorithm = 0, None, None

    def verify(self, size: int | None, also: tuple[Mapping[str, str], ...] = ()) -> None:
        """Tell that the file is there and right.

        Parameters
        ----------
        size
            What the hub that sent it said, where it did.
        also
            Checksums that other hubs tell of the product: one of them may be right where the one
            of the hub that sent it is wrong.

        Raises
        ------
        WrongContentError
            If it is not.
        """
        name = self.path.name
        if self._algorithm is not None and self._hash is not None:
            assert self._identity is not None  # noqa: S101
            digest = self._hash.hexdigest()
            told = [self._identity["checksums"][self._algorithm]]
            told += [one[self._algorithm] for one in also if self._algorithm in one]
            if digest not in told:
                raise WrongContentError(
                    f"{name}: the {self._algorithm} of what came is {digest}, not {told[0]}"
                )
            return
        if size is not None and self.have != size:
            raise WrongContentError(f"{name}: {self.have} of {size} bytes came")
        if name.endswith(".zip"):
            test_zip(self._file, name)

    def finish(self) -> None:
        """Give the file its final name, once all of it is on the disk."""
        os.ftruncate(self._fd, self.have)
        os.fsync(self._fd)
        self._file.replace(self.path)
        self._about.unlink(missing_ok=True)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _take_in(self, length: int) -> None:
        """Hash what is there, up to a length; the rest is cut off."""
        self._forget_hash()
        self._hash = None if self._algorithm is None else Digest(self._algorithm)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self.have = 0
        while self._hash is not None and self.have < length:
            piece = os.read(self._fd, min(_READ, length - self.have))
            if not piece:
                break
            self._hash.update(piece)
            self.have += len(piece)
        if self._hash is None:
            self.have = min(length, os.fstat(self._fd).st_size)
        os.ftruncate(self._fd, self.have)
        os.lseek(self._fd, self.have, os.SEEK_SET)

    def _forget_hash(self) -> None:
        if self._hash is not None:
            self._hash.close()
            self._hash = None

    def _reserve(self, size: int) -> None:
        if size <= self.have:
            return
        try:
            if allocate(self._fd, size):
                return
        except OSError as error:
            raise self._full(error) from error
        free = shutil.disk_usage(self.path.parent).free - _promised(self._about)
        if free < size - self.have:
            raise DiskFullError(
                f"{self.path}: {size - self.have} bytes are to come, and the disk has {free} free;"
                " make room and fetch it again"
            )

    def _full(self, error: OSError) -> Exception:
        if error.errno not in FULL:
            return error
        return DiskFullError(
            f"{self.path}: the disk is full after {self.have} bytes ({error.strerror});"
            " make room and fetch it again, it goes on from there"
        )


def identity(source: Source) -> dict[str, Any]:
    """Tell what makes a source's file that file."""
    checksums = {name: value.lower() for name, value in source.checksums.items() if value}
    return {
        "name": source.name,
        "hub": source.hub,
        "size": source.size,
        "checksums": {name: value for name, value in checksums.items() if name in ALGORITHMS},
    }


def _read_identity(about: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(about.read_text())
        same_file(read, read)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    checked: dict[str, Any] = read
    return checked


def same_file(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two identities are of one file."""
    if None not in (one["size"], other["size"]) and one["size"] != other["size"]:
        return False
    common = one["checksums"].keys() & other["checksums"].keys()
    if common:
        return all(one["checksums"][name] == other["checksums"][name] for name in common)
    bare = not one["checksums"] and not other["checksums"]
    mine = all(one[key] == other[key] for key in ("hub", "name", "size"))
    return bare and mine and one["size"] is not None


def _promised(mine: Path) -> int:
    """Count the bytes that other transfers into the same folder are still to bring."""
    total = 0
    for about in mine.parent.glob(".*.part.json"):
        if about == mine:
            continue
        try:
            size = json.loads(about.read_text())["size"] or 0
            total += max(0, size - about.with_suffix("").stat().st_size)
        except (OSError, ValueError, KeyError):
            continue
    return total


def test_zip(file: Path, name: str) -> None:
    """Read every member of a zip; `WrongContentError` where it is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, NotImplementedError, EOFError) as error:
        raise WrongContentError(f"{name}: what came is not a whole zip: {error}") from error
    except Exception as error:  # zlib.error and others of a damaged member
        raise WrongContentError(f"{name}: what came is a damaged zip: {error}") from error
    if damaged is not None:
        raise WrongContentError(f"{name}: its member {damaged} is damaged")
