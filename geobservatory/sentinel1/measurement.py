"""The pixels of a swath: windows of its TIFF as complex64, at the speed of the disk.

The TIFF holds complex 16-bit integers, uncompressed. In a folder, or a zip that stored it without
compression, it is mapped into memory; in a compressed zip it is inflated as reading goes on, so
bursts are best read in order. Of a partial product only the bursts that were fetched can be read.
"""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

import numpy as np
import tifffile
from numpy.typing import NDArray

from geobservatory.errors import InputError
from geobservatory.sentinel1.annotation import Annotation
from geobservatory.sentinel1.safe import Channel, SafeProduct
from geobservatory.sentinel1.storage import DAMAGE, Storage

BYTES_PER_PIXEL = 4
_COMPLEX_INTEGER, _NO_COMPRESSION = 5, 1
# What reading a damaged TIFF raises.
TIFF_DAMAGE = (*DAMAGE, tifffile.TiffFileError, ValueError, KeyError, IndexError, TypeError)


@dataclass(frozen=True)
class TiffLayout:
    """How an image lies in its TIFF.

    Attributes
    ----------
    shape
        (lines, samples).
    dtype
        Of the two parts of a pixel.
    offsets
        (lines,) where each line begins, bytes from the start of the TIFF.
    """

    shape: tuple[int, int]
    dtype: np.dtype
    offsets: NDArray[np.int64]


class _Mapped:
    """A file in memory as the system pages it in: `content` begins at a place in it."""

    def __init__(self, pages: mmap.mmap, start: int) -> None:
        self.pages, self._start = pages, start
        self.content = np.frombuffer(pages, np.uint8)[start:]

    def let_go(self, first: int, stop: int) -> None:
        """Give back the pages of a part that was read: they stay in the system's cache.

        Else a process that reads a product once through seems to hold all of it.
        """
        begin = (self._start + first) // mmap.PAGESIZE * mmap.PAGESIZE
        self.pages.madvise(mmap.MADV_DONTNEED, begin, self._start + stop - begin)


@dataclass
class Measurement:
    """The image of one swath in one polarisation; close it, or use it in a `with` statement.

    Attributes
    ----------
    file
        Its name, for errors.
    shape
        (lines, samples).
    """

    file: str
    shape: tuple[int, int]
    _dtype: np.dtype
    _offsets: NDArray[np.int64] = field(repr=False)
    _mapped: "_Mapped | None" = field(repr=False)
    _stream: IO[bytes] | None = field(repr=False)
    # Lines of bursts that were not fetched; None where all were.
    _absent: NDArray[np.bool_] | None = field(default=None, repr=False)

    def read(self, lines: slice, samples: slice = slice(None)) -> NDArray[np.complex64]:
        """Read a window.

        Parameters
        ----------
        lines, samples
            Slices of step one; ends beyond the image are cut as NumPy does.

        Returns
        -------
        pixels
            (lines, samples) complex64, digital numbers.

        Raises
        ------
        InputError
            If the file is damaged, or lines of the window were not fetched.
        """
        first, last, step = lines.indices(self.shape[0])
        left, right, across = samples.indices(self.shape[1])
        if step != 1 or across != 1:
            raise ValueError("a window has steps of one")
        rows, cols = max(last - first, 0), max(right - left, 0)
        if rows == 0 or cols == 0:
            return np.zeros((rows, cols), np.complex64)
        if self._absent is not None and self._absent[first : first + rows].any():
            raise InputError(
                f"{self.file}: the product is partial, and of lines {first} to {first + rows - 1} "
                "not all were fetched; fetch it for a larger area"
            )
        offsets = self._offsets[first : first + rows] + left * BYTES_PER_PIXEL
        raw = self._raw(offsets, cols * BYTES_PER_PIXEL)
        parts = raw.view(self._dtype).astype(np.float32)
        if self._mapped is not None:
            self._mapped.let_go(int(offsets.min()), int(offsets.max()) + cols * BYTES_PER_PIXEL)
        return parts.view(np.complex64)

    def burst(self, annotation: Annotation, index: int) -> NDArray[np.complex64]:
        """Read burst `index` whole, invalid edges included."""
        first = index * annotation.lines_per_burst
        return self.read(slice(first, first + annotation.lines_per_burst))

    def close(self) -> None:
        """Let go of the file."""
        self._mapped = None
        if self._stream is not None:
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _raw(self, offsets: NDArray[np.int64], length: int) -> NDArray[np.uint8]:
        """Bytes of one window, (rows, length); rows of a whole image follow each other."""
        try:
            if self._mapped is not None:
                step = int(offsets[1] - offsets[0]) if len(offsets) > 1 else length
                if (np.diff(offsets) == step).all() and step >= length:
                    return np.lib.stride_tricks.as_strided(
                        self._mapped.content[offsets[0] :], (len(offsets), length), (step, 1)
                    )
                return np.stack([self._mapped.content[at : at + length] for at in offsets])
            assert self._stream is not None  # noqa: S101 - one of the two is there until closed
            rows = np.empty((len(offsets), length), np.uint8)
            for row, at in zip(rows, offsets, strict=True):
                self._stream.seek(int(at))
                if self._stream.readinto(row) != length:  # type: ignore[attr-defined]
                    raise EOFError("the file ends early")
            return rows
        except DAMAGE as error:
            raise InputError(f"{self.file}: damaged ({error}); fetch it again") from error


def open_measurement(product: SafeProduct, swath: str, polarisation: str) -> Measurement:
    """Open the image of a swath.

    Raises
    ------
    InputError
        If it is missing, is no complex 16-bit TIFF, is cut short, or is not of the size that its
        annotation says.
    """
    annotation = product.annotation(swath, polarisation)
    stem = Path(product.annotation_member(swath, polarisation)).stem
    member = f"measurement/{stem}.tiff"
    file = f"{product.path}/{member}"
    if member not in product.members:
        raise InputError(f"{product.path}: {member} is missing; its pixels cannot be read")
    try:
        with _tiff(product.storage, member) as tiff:
            layout = tiff_layout(tiff, product.members[member], file)
        place = product.storage.place(member)
    except InputError:
        raise
    except TIFF_DAMAGE as error:
        raise InputError(f"{file}: not a whole TIFF ({error}); fetch it again") from error
    shape = layout.shape
    if shape != (annotation.lines, annotation.samples):
        raise InputError(
            f"{file}: {shape[0]} lines of {shape[1]} samples, but its annotation says "
            f"{annotation.lines} of {annotation.samples}; fetch the product again"
        )
    absent = _absent(product, (swath.upper(), polarisation.upper()), annotation)
    if place is None:
        stream = product.storage.open(member)
        return Measurement(file, shape, layout.dtype, layout.offsets, None, stream, absent)
    path, start = place
    try:
        with path.open("rb") as opened:
            mapped = _Mapped(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ), start)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from error
    if start + product.members[member] > len(mapped.pages):
        raise InputError(f"{file}: the file is cut short; fetch it again")
    return Measurement(file, shape, layout.dtype, layout.offsets, mapped, None, absent)


def _absent(
    product: SafeProduct, channel: Channel, annotation: Annotation
) -> NDArray[np.bool_] | None:
    """Mark the lines of bursts that were not fetched."""
    if product.partial is None:
        return None
    absent = [not product.has_burst(*channel, burst.index) for burst in annotation.bursts]
    return np.repeat(np.array(absent, bool), annotation.lines_per_burst)


@contextmanager
def _tiff(storage: Storage, member: str) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF where it lies: a member of a zip is read through wherever its reader seeks."""
    place = storage.place(member)
    if place is None:
        with storage.open(member) as opened, tifffile.TiffFile(opened, name=member) as tiff:
            yield tiff
        return
    path, start = place
    with (
        path.open("rb") as file,
        tifffile.TiffFile(file, name=member, offset=start, size=storage.members[member]) as tiff,
    ):
        yield tiff


def tiff_layout(tiff: tifffile.TiffFile, size: int, file: str) -> TiffLayout:
    """Find out where the lines of an image lie; its header and tables are read, and no pixel.

    Parameters
    ----------
    size
        Bytes of the whole file.
    file
        Its name, for errors.

    Raises
    ------
    InputError
        If it is no uncompressed TIFF of complex 16-bit integers, or is cut short; where it is
        damaged, any of `TIFF_DAMAGE`.
    """
    page = tiff.pages[0]
    assert isinstance(page, tifffile.TiffPage)  # noqa: S101 - the first page is read whole
    shape = (int(page.imagelength), int(page.imagewidth))
    kind = (int(page.sampleformat or 0), int(page.bitspersample), int(page.compression))
    if kind != (_COMPLEX_INTEGER, 32, _NO_COMPRESSION) or page.is_tiled:
        raise InputError(f"{file}: not an uncompressed TIFF of complex 16-bit integers")
    starts = np.array(page.dataoffsets, np.int64)
    counts = np.array(page.databytecounts, np.int64)
    rows = int(page.rowsperstrip)
    dtype = np.dtype(np.int16).newbyteorder(tiff.byteorder)
    width = shape[1] * BYTES_PER_PIXEL
    strip, row = np.divmod(np.arange(shape[0]), min(rows, shape[0]))
    if len(starts) != len(counts) or strip[-1] >= len(starts):
        raise struct.error("strips are missing")
    offsets = starts[strip] + row * width
    if (offsets + width > starts[strip] + counts[strip]).any():
        raise InputError(f"{file}: its strips are shorter than its lines")
    if int(offsets.min()) < 0 or int(offsets.max()) + width > size:
        raise InputError(f"{file}: the image is cut short; fetch it again")
    return TiffLayout(shape, dtype, offsets)
