"""An image made of single bursts, each in a file of its own somewhere: read as if it were one TIFF.

Its header is written here, with a strip for each burst where the annotation says that the burst
lies in the image of the whole product; the rest comes from the bursts' own files.
"""

import struct
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, cast

import numpy as np
import tifffile

from geobservatory.errors import InputError
from geobservatory.sentinel1.annotation import Annotation
from geobservatory.sentinel1.measurement import (
    BYTES_PER_PIXEL,
    TIFF_DAMAGE,
    TiffLayout,
    tiff_layout,
)
from geobservatory.transfer.part import WrongContentError
from geobservatory.transfer.ranged import RangedFile, take
from geobservatory.transfer.source import Reply, Source

_PIECE = 1 << 18
_SHORT, _LONG = 3, 4
_COMPLEX_INTEGER = 5


@dataclass(frozen=True)
class BurstFile:
    """A burst in a file of its own.

    Attributes
    ----------
    source
        Where it can be had, in ranges.
    size
        Bytes of the file.
    layout
        Where its lines lie.
    """

    source: Source
    size: int
    layout: TiffLayout


@dataclass(frozen=True)
class BurstImage:
    """The image of a channel; see `Source`.

    Attributes
    ----------
    annotation
        Of the channel.
    file
        Gives the file of a burst, by its place in the annotation; what it raises, `open` raises.
    """

    hub: str
    name: str
    size: int
    annotation: Annotation = field(repr=False)
    file: Callable[[int], BurstFile] = field(repr=False)

    @property
    def checksums(self) -> Mapping[str, str]:
        """None: nobody tells those of an image made here."""
        return {}

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """Give bytes of the image; see `Source.open`.

        Raises
        ------
        WrongContentError
            If the annotation's places cannot be, or a burst's file is not of that burst.
        """
        end = self.size if stop is None else min(stop, self.size)
        header = image_header(self.annotation, self.size, self.name)
        parts: list[tuple[int, int, bytes | BurstFile]] = [(0, len(header), header)]
        length = self.annotation.lines_per_burst * self.annotation.samples * BYTES_PER_PIXEL
        for burst in self.annotation.bursts:
            begin = burst.byte_offset
            if begin < end and begin + length > first_byte:
                # Here, and not once it has begun: a burst may have to be waited for.
                parts.append((begin, begin + length, self.file(burst.index)))
        chunks = _chunks(sorted(parts, key=lambda part: part[0]), first_byte, end)
        return Reply(first_byte, self.size, chunks, chunks.close)


def burst_file(source: Source, size: int, annotation: Annotation) -> BurstFile:
    """Find out how a burst lies in its file; the header is fetched for it.

    Raises
    ------
    WrongContentError
        If it is not a TIFF of a burst as the annotation describes it.
    GeobservatoryError
        As `take` does.
    """

    def bring(first: int, stop: int) -> bytes:
        return b"".join(take(source, first, stop, size))

    file = f"{source.name} from {source.hub}"
    try:
        opened = cast("IO[bytes]", RangedFile(size, bring))
        with tifffile.TiffFile(opened, name=source.name) as tiff:
            layout = tiff_layout(tiff, size, file)
    except InputError as error:
        raise WrongContentError(str(error)) from error
    except TIFF_DAMAGE as error:
        raise WrongContentError(f"{file}: not a whole TIFF ({error})") from error
    wanted = (annotation.lines_per_burst, annotation.samples)
    if layout.shape != wanted or layout.dtype != np.dtype("<i2"):
        raise WrongContentError(
            f"{file}: {layout.shape} of {layout.dtype}, but the annotation says {wanted} of int16"
        )
    return BurstFile(source, size, layout)


def image_header(annotation: Annotation, size: int, name: str) -> bytes:
    """Write the header of an image whose bursts lie where its annotation says.

    Source: TIFF, revision 6.0, sections 2 and 3.

    Parameters
    ----------
    size
        Bytes of the image.
    name
        Its name, for errors.

    Raises
    ------
    WrongContentError
        If they cannot lie there.
    """
    length = annotation.lines_per_burst * annotation.samples * BYTES_PER_PIXEL
    offsets = [burst.byte_offset for burst in annotation.bursts]
    count = len(offsets)
    entries = [
        (256, _LONG, annotation.samples),
        (257, _LONG, annotation.lines),
        (258, _SHORT, 8 * BYTES_PER_PIXEL),
        (259, _SHORT, 1),
        (262, _SHORT, 1),
        (273, _LONG, None),
        (277, _SHORT, 1),
        (278, _LONG, annotation.lines_per_burst),
        (279, _LONG, None),
        (284, _SHORT, 1),
        (339, _SHORT, _COMPLEX_INTEGER),
    ]
    tables = 8 + 2 + 12 * len(entries) + 4
    stop = tables + 2 * 4 * count
    ends = [0, *(offset + length for offset in offsets)]
    in_order = all(end <= offset for end, offset in zip(ends, offsets, strict=False))
    if not count or offsets[0] < stop or not in_order or not ends[-1] <= size < 1 << 32:
        raise WrongContentError(f"{name}: {count} bursts at {offsets} do not fit into {size} bytes")
    strips = {273: (offsets, tables), 279: ([length] * count, tables + 4 * count)}
    directory = b""
    for tag, kind, value in entries:
        if value is None:
            values, at = strips[tag]
            # A single value stands in the directory itself.
            directory += struct.pack("<HHII", tag, kind, count, values[0] if count == 1 else at)
        else:
            directory += struct.pack("<HHII", tag, kind, 1, value)
    header = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4)
    return header + struct.pack(f"<{2 * count}I", *offsets, *[length] * count)


def _chunks(
    parts: list[tuple[int, int, bytes | BurstFile]], at: int, stop: int
) -> Generator[bytes, None, None]:
    """Give the bytes from a place on; between the parts are zeros."""
    begins = [begin for begin, _, _ in parts]
    while at < stop:
        place = bisect_right(begins, at) - 1
        begin, end, content = parts[place] if place >= 0 else (0, 0, b"")
        if at >= end:
            following = begins[place + 1] if place + 1 < len(parts) else stop
            piece = bytes(min(_PIECE, min(following, stop) - at))
            at += len(piece)
            yield piece
            continue
        end = min(end, stop)
        pieces = (
            [content[at - begin : end - begin]]
            if isinstance(content, bytes)
            else _burst_bytes(content, at - begin, end - begin)
        )
        for piece in pieces:
            at += len(piece)
            yield piece


def _burst_bytes(file: BurstFile, first: int, stop: int) -> Iterator[bytes]:
    """Give bytes of a burst's pixels, from its file; lines that follow each other at once."""
    width = file.layout.shape[1] * BYTES_PER_PIXEL
    offsets = file.layout.offsets
    breaks = np.flatnonzero(np.diff(offsets) != width) + 1
    runs = np.concatenate([[0], breaks, [len(offsets)]])
    for begin, end in zip(runs[:-1].tolist(), runs[1:].tolist(), strict=True):
        low, high = max(first, begin * width), min(stop, end * width)
        if low < high:
            start = int(offsets[begin]) - begin * width
            yield from take(file.source, start + low, start + high, file.size)
