"""Bytes of a file from one place to another, exactly those; and a file that is read so."""

import io
from collections.abc import Callable, Iterator

from geobservatory.transfer.part import WrongContentError
from geobservatory.transfer.source import HubUnreachableError, Reply, Source


class RangesIgnoredError(HubUnreachableError):
    """The hub sends a file from its beginning, whatever range of it is asked for."""


def take(source: Source, first: int, stop: int, size: int) -> Iterator[bytes]:
    """Bring the bytes from `first` up to, not including, `stop`.

    Parameters
    ----------
    size
        What the whole file has, as everybody says.

    Raises
    ------
    HubBusyError, HubRefusedError, ProductGoneError, ProductOfflineError
        As `Source.open` does.
    RangesIgnoredError
        If other bytes would come; none is read.
    HubUnreachableError
        If it fails, or ends early; what came until then was given.
    WrongContentError
        If the hub says that the file is of another size.
    """
    at, reply = first, source.open(first, stop)
    try:
        if reply.total not in (None, size):
            raise WrongContentError(
                f"{source.name} from {source.hub}: {reply.total} bytes, and not {size}"
            )
        if reply.first_byte != first:
            raise ranges_ignored(source, first, reply)
        for piece in reply.chunks:
            wanted = piece[: stop - at]
            at += len(wanted)
            yield wanted
            if at == stop:
                return
    finally:
        reply.close()
    raise HubUnreachableError(
        f"{source.name} from {source.hub}: of bytes {first} to {stop} it sends {at - first}"
    )


def ranges_ignored(source: Source, first: int, reply: Reply) -> RangesIgnoredError:
    """Make the error of a reply that begins elsewhere than was asked."""
    return RangesIgnoredError(
        f"{source.name} from {source.hub}: asked from byte {first}, it sends from"
        f" {reply.first_byte}; only the whole can be had there"
    )


class RangedFile(io.RawIOBase):
    """A file that can be searched, whose bytes are had as they are read.

    Parameters
    ----------
    size
        Bytes.
    bring
        Gives the bytes from one place up to another, both within the file.
    """

    def __init__(self, size: int, bring: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size, self._bring, self._at = size, bring, 0

    def readable(self) -> bool:
        """Tell that it is."""
        return True

    def seekable(self) -> bool:
        """Tell that it is."""
        return True

    def tell(self) -> int:
        """Give the place."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; `ValueError` before the beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"a place before the beginning: {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Read as much as the buffer holds, or until the end."""
        stop = max(self._at, min(self._size, self._at + len(buffer)))
        content = self._bring(self._at, stop) if stop > self._at else b""
        buffer[: len(content)] = content
        self._at = stop
        return len(content)
