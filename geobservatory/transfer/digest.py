"""The checksum of a file that is coming, computed beside the transfer in a thread of its own.

`hashlib` lets other threads run while it computes, so a connection faster than MD5 (some 600 MB/s)
has to wait for it only on a machine without a free core.
"""

import hashlib
from collections.abc import Collection
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Protocol

from blake3 import blake3

# The first that a hub tells is the one computed, fastest first: all tell the file from any damaged
# one.
ALGORITHMS = ("blake3", "md5", "sha256")
# Pieces that may wait, of a quarter of a MiB each.
_WAITING = 32
_READ = 1 << 20


class Hash(Protocol):
    """A checksum that grows, and can be copied."""

    def update(self, data: bytes, /) -> object:
        """Take the next bytes."""

    def hexdigest(self) -> str:
        """Give the digits."""

    def copy(self) -> "Hash":
        """Copy its state."""


class Digest:
    """A checksum that grows.

    Parameters
    ----------
    algorithm
        One of `ALGORITHMS`.
    """

    def __init__(self, algorithm: str) -> None:
        self._hash = new_hash(algorithm)
        self._waiting: Queue[bytes] = Queue(_WAITING)
        self._thread: Thread | None = None

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        if self._thread is None:
            # A daemon: a process that was told to end does not wait for a checksum.
            self._thread = Thread(target=self._compute, daemon=True)
            self._thread.start()
        self._waiting.put(piece)

    def hexdigest(self) -> str:
        """Give the checksum of all that was taken; nothing can be taken after it."""
        self.close()
        return self._hash.hexdigest()

    def close(self) -> None:
        """End the thread; harmless twice."""
        if self._thread is not None:
            self._waiting.put(b"")
            self._thread.join()
            self._thread = None

    def _compute(self) -> None:
        while piece := self._waiting.get():
            self._hash.update(piece)


def new_hash(algorithm: str) -> Hash:
    """Begin a checksum."""
    if algorithm == "blake3":
        return blake3()
    return hashlib.new(algorithm, usedforsecurity=False)


def digests_of(path: Path, algorithms: Collection[str]) -> dict[str, str]:
    """Read a file once, and give its checksums; `OSError` where it cannot be read."""
    growing = {name: new_hash(name) for name in algorithms}
    with path.open("rb") as file:
        while piece := file.read(_READ):
            for one in growing.values():
                one.update(piece)
    return {name: one.hexdigest() for name, one in growing.items()}
