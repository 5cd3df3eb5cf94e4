"""A file that comes in pieces, here and there: of its true length, with holes where nothing came.

A journal beside it says what came, and whose bytes they are; what it says is believed only where
the checksum of the bytes agrees, so that it needs no sync to outlive a crash.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from geobservatory.files import written_whole
from geobservatory.transfer.part import DiskFullError
from geobservatory.transfer.ranged import take
from geobservatory.transfer.room import FULL, allocate, give_back
from geobservatory.transfer.source import Source

# So much of what came is forgotten at most when the process is killed.
_RECORD = 1 << 20
_READ = 1 << 20
Range = tuple[int, int]


@dataclass(frozen=True)
class Entry:
    """Bytes of a file that came: from `first` up to, not including, `stop`."""

    file: str
    first: int
    stop: int
    sha256: str
    hub: str


class Journal:
    """What came of the files of one product, in a file of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[Entry]:
        """Read all; a line that a crash cut is passed over."""
        found = []
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        for line in lines:
            try:
                found.append(Entry(**json.loads(line)))
            except (ValueError, TypeError):
                continue
        return found

    def add(self, entry: Entry) -> None:
        """Write one more."""
        # A line of its own even where the one before was cut.
        line = b"\n" + json.dumps(asdict(entry)).encode() + b"\n"
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            os.write(fd, line)
        finally:
            os.close(fd)

    def forget(self, files: Iterable[str]) -> None:
        """Remove what is said of some files."""
        gone = set(files)
        left = [one for one in self.entries() if one.file not in gone]
        if not left:
            self.path.unlink(missing_ok=True)
            return
        with written_whole(self.path) as beside:
            beside.write_text("".join(json.dumps(asdict(one)) + "\n" for one in left))


class Sparse:
    """One such file; use as a context manager, by one process at a time.

    Parameters
    ----------
    root, name
        Folder of the product, and the file's name in it.
    size
        Bytes of the whole.
    journal
        Of the product.
    known
        What is there for certain.

    Attributes
    ----------
    held
        What is there, in order, no two parts touching.
    fresh
        What of it the journal tells.
    hubs
        Where that came from.
    """

    def __init__(
        self, root: Path, name: str, size: int, journal: Journal, known: Iterable[Range] = ()
    ) -> None:
        self.name, self.size = name, size
        self.hubs: set[str] = set()
        self.fresh: list[Range] = []
        self._journal = journal
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        if os.fstat(self._fd).st_size != size:
            os.ftruncate(self._fd, 0)
            os.ftruncate(self._fd, size)
            known = ()
        self.held = joined(known)
        for entry in journal.entries():
            mine = entry.file == name and 0 <= entry.first < entry.stop <= size
            if mine and self.missing([(entry.first, entry.stop)]):
                self._believe(entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Give back the room that was reserved and not used."""
        for first, stop in self.missing([(0, self.size)]):
            give_back(self._fd, stop, first)
        os.close(self._fd)

    def missing(self, wanted: Iterable[Range]) -> list[Range]:
        """Tell what of some parts is not there."""
        found = []
        for first, stop in joined(wanted):
            for begin, end in self.held:
                if end <= first or begin >= stop:
                    continue
                if begin > first:
                    found.append((first, begin))
                first = end
            if first < stop:
                found.append((first, stop))
        return found

    def reserve(self, wanted: Iterable[Range]) -> bool:
        """Reserve room for what is missing; False where that cannot be done.

        Raises
        ------
        DiskFullError
            If there is none.
        """
        try:
            return all(allocate(self._fd, stop, first) for first, stop in self.missing(wanted))
        except OSError as error:
            raise disk_failure(error, self.name) from error

    def fill(self, wanted: Iterable[Range], source: Source, took: Callable[[int], None]) -> None:
        """Bring what is missing of some parts; what came stays, whatever happens.

        Parameters
        ----------
        took
            Called with how many bytes came.

        Raises
        ------
        DiskFullError
            If there is no room.
        GeobservatoryError
            As `take` does.
        """
        for first, stop in self.missing(wanted):
            self._bring(first, stop, source, took)

    def read(self, first: int, stop: int) -> bytes:
        """Read bytes that are there."""
        return os.pread(self._fd, stop - first, first)

    def sha256(self, first: int, stop: int) -> str:
        """Compute the checksum of bytes that are there, as hexadecimal digits."""
        digest = hashlib.sha256()
        while first < stop and (piece := self.read(first, min(stop, first + _READ))):
            digest.update(piece)
            first += len(piece)
        return digest.hexdigest()

    def discard(self) -> None:
        """Forget everything."""
        os.ftruncate(self._fd, 0)
        os.ftruncate(self._fd, self.size)
        self.held, self.fresh = [], []
        self._journal.forget([self.name])

    def sync(self) -> None:
        """See to it that all is on the disk."""
        os.fsync(self._fd)

    def _believe(self, entry: Entry) -> None:
        if self.sha256(entry.first, entry.stop) == entry.sha256:
            self._have(entry)

    def _have(self, entry: Entry) -> None:
        self.held = joined([*self.held, (entry.first, entry.stop)])
        self.fresh = joined([*self.fresh, (entry.first, entry.stop)])
        self.hubs.add(entry.hub)

    def _bring(self, first: int, stop: int, source: Source, took: Callable[[int], None]) -> None:
        begin = at = first
        digest = hashlib.sha256()

        def record() -> None:
            entry = Entry(self.name, begin, at, digest.hexdigest(), source.hub)
            self._journal.add(entry)
            self._have(entry)

        try:
            for piece in take(source, first, stop, self.size):
                self._write(at, piece)
                digest.update(piece)
                at += len(piece)
                took(len(piece))
                if at - begin >= _RECORD and at < stop:
                    record()
                    begin, digest = at, hashlib.sha256()
        except OSError as error:
            raise disk_failure(error, self.name) from error
        finally:
            if at > begin:
                record()

    def _write(self, at: int, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            count = os.pwrite(self._fd, view, at)
            view, at = view[count:], at + count


def disk_failure(error: OSError, name: str) -> Exception:
    """Make a `DiskFullError` of an error that says so; any other stays what it is."""
    if error.errno not in FULL:
        return error
    return DiskFullError(
        f"{name}: the disk is full ({error.strerror}); make room and fetch it again, it goes on"
        " from there"
    )


def joined(parts: Iterable[Range], gap: int = 0) -> list[Range]:
    """Put parts in order, and join those that meet or have no more than a gap between them."""
    found: list[Range] = []
    for first, stop in sorted(parts):
        if found and first - found[-1][1] <= gap:
            found[-1] = (found[-1][0], max(found[-1][1], stop))
        elif first < stop:
            found.append((first, stop))
    return found
