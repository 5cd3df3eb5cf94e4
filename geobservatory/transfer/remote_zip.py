"""The files inside a zip that lies at a hub, without the zip: its directory is read by ranges.

A file that was stored is a range of the zip. One that was deflated is inflated from its beginning;
a range of it costs all that is before it. (Formats: APPNOTE.TXT 6.3.10, sections 4.3 and 4.5.)
"""

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import IO, cast

from geobservatory.transfer.part import WrongContentError
from geobservatory.transfer.ranged import RangedFile, ranges_ignored, take
from geobservatory.transfer.source import (
    HubUnreachableError,
    ProductGoneError,
    Reply,
    Source,
)

# The directory of a product is some 10 KB, and the last thing in the zip.
_TAIL = 1 << 16
# A directory longer than this is none of a product's.
_MOST = 1 << 24
_PIECE = 1 << 18
_LOCAL = struct.Struct("<4s22xHH")
_SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 1


@dataclass(frozen=True)
class RemoteZip:
    """A product whose zip lies at a hub; see `Inside`. The hub must send ranges.

    Attributes
    ----------
    name
        The product's name, without ``.SAFE``.
    zip
        The whole zip.
    """

    name: str
    zip: Source

    @property
    def hub(self) -> str:
        """The hub's name in the settings."""
        return self.zip.hub

    def members(self) -> Mapping[str, int]:
        """List the files: name inside the product to size in bytes.

        Raises
        ------
        RangesIgnoredError
            If the hub does not send ranges.
        WrongContentError
            If it is not a whole zip, or not that of the product.
        HubUnreachableError, HubBusyError, HubRefusedError, ProductOfflineError, ProductGoneError
            As `Source.open` does.
        """
        return {name: member.size for name, member in self._directory.items()}

    def source(self, member: str) -> Source:
        """Give a file for download; raises what `members` does.

        `ProductGoneError` where it is not there.
        """
        if member not in self._directory:
            raise ProductGoneError(f"{self.zip.name} from {self.hub}: holds no {member}")
        return self._directory[member]

    @cached_property
    def _directory(self) -> dict[str, "ZipMember"]:
        file = _Directory(self.zip)
        what = f"{self.zip.name} from {self.hub}"
        try:
            opened = cast(IO[bytes], RangedFile(file.size, file.read))
            with zipfile.ZipFile(opened) as archive:
                entries, end = archive.infolist(), archive.start_dir
        except (
            zipfile.BadZipFile,
            struct.error,
            ValueError,
            OSError,
            NotImplementedError,
        ) as error:
            raise WrongContentError(f"{what}: not a whole zip ({error})") from error
        begins = sorted({entry.header_offset for entry in entries} | {end})
        found = {}
        for entry in entries:
            if entry.is_dir():
                continue
            top, rest = PurePosixPath(entry.filename).parts[:1], entry.filename.split("/")[1:]
            if top != (f"{self.name}.SAFE",) or not all(rest) or ".." in rest or not rest:
                raise WrongContentError(f"{what}: it holds {entry.filename[:120]!r}")
            stop = next((at for at in begins if at > entry.header_offset), end)
            least = entry.header_offset + _LOCAL.size + 4 + entry.compress_size
            if entry.header_offset < 0 or least > stop:
                raise WrongContentError(f"{what}: {entry.filename} lies outside of it")
            member = ZipMember(self.zip, file.size, "/".join(rest), entry, stop)
            found[member.name] = member
        return found


@dataclass(frozen=True)
class ZipMember:
    """A file inside a zip at a hub; see `Source`.

    Attributes
    ----------
    zip, zip_size
        The whole zip.
    name
        Inside the product.
    entry
        What the directory says of it.
    end
        Where what follows it in the zip begins.
    """

    zip: Source
    zip_size: int
    name: str
    entry: zipfile.ZipInfo
    end: int
    checksums: Mapping[str, str] = field(default_factory=dict)

    @property
    def hub(self) -> str:
        """The hub's name in the settings."""
        return self.zip.hub

    @property
    def size(self) -> int:
        """Bytes, inflated."""
        return self.entry.file_size

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """Ask for the bytes from `first_byte` up to, not including, `stop`; see `Source.open`.

        The checksum is held against the directory's where the whole is read. Raises
        `WrongContentError` where the zip is damaged, `RangesIgnoredError` where the hub does not
        send ranges of it.
        """
        last = self.size if stop is None else min(stop, self.size)
        if first_byte >= last:
            return Reply(min(first_byte, self.size), self.size, iter(()), lambda: None)
        method = self.entry.compress_type
        if self.entry.flag_bits & _ENCRYPTED or method not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise WrongContentError(f"{self._what()}: encrypted, or compressed by method {method}")
        if method == zipfile.ZIP_STORED and (first_byte, last) != (0, self.size):
            reply = self._ask(self._begin + first_byte, self._begin + last)
            pieces = _cut(reply.chunks, 0, last - first_byte)
            return Reply(first_byte, self.size, pieces, reply.close)
        # In one request with what stands before it: most files of a product are small.
        reply = self._ask(self.entry.header_offset, self.end)
        data = self._data(reply.chunks)
        if method == zipfile.ZIP_DEFLATED:
            data = self._inflated(data)
        return Reply(
            first_byte, self.size, _cut(self._checked(data), first_byte, last), reply.close
        )

    @cached_property
    def _begin(self) -> int:
        """Where the content begins in the zip: the directory does not tell."""
        at = self.entry.header_offset
        header = b"".join(take(self.zip, at, at + _LOCAL.size, self.zip_size))
        return at + self._header_length(header)

    def _ask(self, first: int, stop: int) -> Reply:
        reply = self.zip.open(first, stop)
        if reply.first_byte == first and reply.total in (None, self.zip_size):
            return reply
        reply.close()
        if reply.total not in (None, self.zip_size):
            raise WrongContentError(f"{self._what()}: the zip has {reply.total} bytes now")
        raise ranges_ignored(self.zip, first, reply)

    def _header_length(self, header: bytes) -> int:
        signature, name, extra = _LOCAL.unpack(header)
        length = _LOCAL.size + int(name) + int(extra)
        if signature != _SIGNATURE or (
            self.entry.header_offset + length + self.entry.compress_size > self.end
        ):
            raise WrongContentError(f"{self._what()}: does not begin where the directory says")
        return length

    def _data(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Take the header off, and what follows the content."""
        begin, left = bytearray(), self.entry.compress_size
        length = None
        for piece in chunks:
            if length is None or begin:
                begin += piece
                if length is None and len(begin) >= _LOCAL.size:
                    length = self._header_length(bytes(begin[: _LOCAL.size]))
                if length is None or len(begin) < length:
                    continue
                piece, begin = bytes(begin[length:]), bytearray()
            yield piece[:left]
            left -= len(piece[:left])
            if not left:
                return
        raise HubUnreachableError(f"{self._what()}: it ends {left} bytes early")

    def _inflated(self, data: Iterator[bytes]) -> Iterator[bytes]:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            for piece in data:
                while piece:
                    # In steps: a few bytes may stand for very many.
                    yield inflate.decompress(piece, _PIECE)
                    piece = inflate.unconsumed_tail
            while not inflate.eof and (piece := inflate.decompress(b"", _PIECE)):
                yield piece
        except zlib.error as error:
            raise WrongContentError(f"{self._what()}: damaged ({error})") from error

    def _checked(self, data: Iterator[bytes]) -> Iterator[bytes]:
        """Hold length and checksum against the directory's before the last piece is given."""
        came, checksum = 0, 0
        for piece in data:
            came += len(piece)
            checksum = zlib.crc32(piece, checksum)
            if came > self.size or (came == self.size and checksum != self.entry.CRC):
                raise WrongContentError(f"{self._what()}: damaged (its checksum or length is off)")
            yield piece
        if came < self.size:
            raise WrongContentError(f"{self._what()}: damaged ({came} of {self.size} bytes)")

    def _what(self) -> str:
        return f"{self.name} in {self.zip.name} from {self.hub}"


class _Directory:
    """The end of a zip, brought at once; what else is asked for is brought when it is."""

    def __init__(self, source: Source) -> None:
        self._source, self._came = source, 0
        self.size = source.size or self._ask_size()
        self._parts: list[tuple[int, bytes]] = []
        self.read(max(0, self.size - _TAIL), self.size)

    def read(self, first: int, stop: int) -> bytes:
        """Give the bytes from `first` up to `stop`."""
        for at, content in self._parts:
            if at <= first and stop <= at + len(content):
                return content[first - at : stop - at]
        self._came += stop - first
        if self._came > _MOST:
            raise WrongContentError(f"{self._source.name}: its directory is too long for a product")
        content = b"".join(take(self._source, first, stop, self.size))
        self._parts.append((first, content))
        return content

    def _ask_size(self) -> int:
        reply = self._source.open(0, 1)
        reply.close()
        if reply.total is None:
            raise HubUnreachableError(
                f"{self._source.name} from {self._source.hub}: its size cannot be told"
            )
        return reply.total


def _cut(pieces: Iterator[bytes], first: int, stop: int) -> Iterator[bytes]:
    """Pass the bytes from `first` up to `stop`, and end there."""
    at = 0
    for piece in pieces:
        if wanted := piece[max(0, first - at) : max(0, stop - at)]:
            yield wanted
        at += len(piece)
        if at >= stop:
            return
