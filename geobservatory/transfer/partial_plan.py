"""Which bursts of a product meet an area, and which bytes they are.

The manifest and the annotation tell which bursts; the header of each image tells where their lines
lie. Files that are fetched whole are verified against the manifest.
"""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, cast

import tifffile
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.files import sweep, written_whole
from geobservatory.sentinel1.annotation import Annotation
from geobservatory.sentinel1.bursts import PlacedBurst, bursts_over, place_bursts
from geobservatory.sentinel1.manifest import Listed, listed_files
from geobservatory.sentinel1.measurement import BYTES_PER_PIXEL, TIFF_DAMAGE, tiff_layout
from geobservatory.sentinel1.names import parse_name
from geobservatory.sentinel1.safe import Channel, SafeProduct, channel_of
from geobservatory.sentinel1.storage import FolderStorage
from geobservatory.sentinel1.xml import MAX_BYTES, parse
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.part import WrongContentError
from geobservatory.transfer.ranged import RangedFile, take
from geobservatory.transfer.source import HubUnreachableError, ProductGoneError, Source
from geobservatory.transfer.sparse import Range, Sparse, disk_failure, joined

MANIFEST, UNLISTED = "manifest.safe", Listed(None, None)
# A request costs more time than bytes that nobody asked for.
_GAP = 1 << 16
# How much of a header is brought at a time.
_AHEAD = 1 << 16


@dataclass(frozen=True)
class Documents:
    """The small files of a product: those in a folder, and the rest from a hub.

    Attributes
    ----------
    root
        The folder; what comes is written there once it is verified.
    inside
        The product at the hub; None to make do with what is there.
    took
        Called with how many bytes came.
    """

    root: Path
    inside: Inside | None = None
    took: Callable[[int], None] = lambda count: None

    def read(self, member: str, listed: Listed) -> bytes:
        """Give a file.

        Raises
        ------
        ProductGoneError
            If it is not in the folder, and there is no hub.
        WrongContentError
            If what comes is not what the manifest lists.
        HubBusyError, HubRefusedError, HubUnreachableError, ProductOfflineError
            As `Source.open` does.
        DiskFullError
            If there is no room.
        """
        file = self.root / member
        if ".." in PurePosixPath(member).parts:
            raise WrongContentError(f"{member!r}: no name of a file inside a product")
        if file.is_file() and _wrong(content := file.read_bytes(), listed) is None:
            return content
        if self.inside is None:
            raise ProductGoneError(f"{file}: is not there")
        source = self.inside.source(member)
        content = self._bring(source, listed)
        if wrong := _wrong(content, listed):
            raise WrongContentError(f"{source.name} from {source.hub}: {wrong}")
        file.parent.mkdir(parents=True, exist_ok=True)
        sweep(file)
        try:
            with written_whole(file) as beside:
                beside.write_bytes(content)
        except OSError as error:
            raise disk_failure(error, str(file)) from error
        return content

    def forget_manifest(self) -> None:
        """Have the manifest fetched again: what it lists is not what there is."""
        (self.root / MANIFEST).unlink(missing_ok=True)

    def _bring(self, source: Source, listed: Listed) -> bytes:
        size = listed.size if source.size is None else source.size
        if not 0 < (size or 1) <= MAX_BYTES:
            raise WrongContentError(f"{source.name} from {source.hub}: {size} bytes; no annotation")
        content = bytearray()
        for piece in _whole(source) if size is None else take(source, 0, size, size):
            content += piece
            self.took(len(piece))
            if len(content) > MAX_BYTES:
                raise WrongContentError(f"{source.name} from {source.hub}: it has no end")
        return bytes(content)


@dataclass(frozen=True)
class Chosen:
    """The bursts that meet an area.

    Attributes
    ----------
    files
        What the manifest lists.
    channels
        Name of the annotation of each channel of which a burst was chosen.
    bursts
        The bursts of each, in order.
    annotations
        Of each.
    """

    files: dict[str, Listed]
    channels: dict[Channel, str]
    bursts: dict[Channel, list[PlacedBurst]] = field(repr=False)
    annotations: dict[Channel, Annotation] = field(repr=False)

    def documents(self) -> list[str]:
        """Name the listed files to have whole: annotation, calibration, noise of each channel."""
        names = []
        for member in self.channels.values():
            stem = member.removeprefix("annotation/")
            more = (f"annotation/calibration/{kind}-{stem}" for kind in ("calibration", "noise"))
            names += [member, *(name for name in more if name in self.files)]
        return names

    def measurement(self, channel: Channel) -> tuple[str, int]:
        """Name the image of a channel, and tell its size.

        Raises
        ------
        WrongContentError
            If the manifest does not.
        """
        name = f"measurement/{PurePosixPath(self.channels[channel]).stem}.tiff"
        size = self.files[name].size if name in self.files else None
        if not size:
            raise WrongContentError(f"the manifest does not list {name} and its size")
        return name, size


def choose(
    documents: Documents,
    name: str,
    area: BaseGeometry,
    polarisations: Collection[str] | None,
    swaths: Collection[str] | None,
) -> Chosen:
    """Find the bursts that meet an area; the manifest and annotation are fetched for it.

    Parameters
    ----------
    name
        Of the product, without ``.SAFE``.
    area
        EPSG:4326.
    polarisations, swaths
        Only these; all that the product has where None.

    Raises
    ------
    InputError
        If no burst meets the area, or the product has not what is asked for.
    GeobservatoryError
        As `Documents.read` does.
    """
    content = documents.read(MANIFEST, UNLISTED)
    try:
        files = listed_files(parse(content, f"{name}/{MANIFEST}"))
    except InputError as error:
        raise WrongContentError(str(error)) from error
    held = {channel: member for member in sorted(files) if (channel := channel_of(member))}
    if not held:
        raise WrongContentError(f"{name}: its manifest lists no annotation")
    for asked, at, what in ((swaths, 0, "swath"), (polarisations, 1, "polarisation")):
        there = {channel[at] for channel in held}
        if lacking := set(asked or ()) - there:
            raise InputError(
                f"{name}: has no {what} {min(lacking)}; it has {', '.join(sorted(there))}"
            )
    wanted = {
        channel: member
        for channel, member in held.items()
        if (swaths is None or channel[0] in swaths)
        and (polarisations is None or channel[1] in polarisations)
    }
    read = {MANIFEST: len(content)}
    for member in wanted.values():
        read[member] = len(documents.read(member, files[member]))
    folder = FolderStorage(documents.root, f"{name}.SAFE", read)
    product = SafeProduct(documents.root, parse_name(name), folder)
    found: dict[Channel, list[PlacedBurst]] = {}
    for polarisation in sorted({channel[1] for channel in wanted}):
        for one in bursts_over(place_bursts(product, polarisation), area):
            found.setdefault((one.swath, polarisation), []).append(one)
    if not found:
        raise InputError(f"{name}: no burst meets the area")
    chosen = {channel: wanted[channel] for channel in sorted(found)}
    return Chosen(
        files, chosen, found, {channel: product.annotation(*channel) for channel in chosen}
    )


def burst_ranges(
    sparse: Sparse,
    source: Source,
    annotation: Annotation,
    bursts: Collection[int],
    took: Callable[[int], None],
) -> list[Range]:
    """Find the bytes of bursts in an image; its header and tables are fetched for it.

    Parameters
    ----------
    sparse
        What is there of the image.
    source
        Where the rest can be had.
    bursts
        By their place in the annotation.
    took
        Called with how many bytes came.

    Returns
    -------
    ranges
        In order; neighbours with a small gap between them are one.

    Raises
    ------
    WrongContentError
        If it is not the TIFF that the annotation describes.
    GeobservatoryError
        As `Sparse.fill` does.
    """

    def bring(first: int, stop: int) -> bytes:
        if sparse.missing([(first, stop)]):
            ahead = max(stop, min(first + _AHEAD, sparse.size))
            sparse.fill([(first, ahead)], source, took)
        return sparse.read(first, stop)

    file = f"{source.name} from {source.hub}"
    try:
        opened = cast(IO[bytes], RangedFile(sparse.size, bring))
        with tifffile.TiffFile(opened, name=sparse.name) as tiff:
            layout = tiff_layout(tiff, sparse.size, file)
    except InputError as error:
        raise WrongContentError(str(error)) from error
    except TIFF_DAMAGE as error:
        raise WrongContentError(f"{file}: not a whole TIFF ({error})") from error
    if layout.shape != (annotation.lines, annotation.samples):
        raise WrongContentError(
            f"{file}: {layout.shape[0]} lines of {layout.shape[1]} samples, but its annotation says"
            f" {annotation.lines} of {annotation.samples}"
        )
    lines, width = annotation.lines_per_burst, annotation.samples * BYTES_PER_PIXEL
    starts = [layout.offsets[index * lines : (index + 1) * lines] for index in bursts]
    return joined(((at, at + width) for part in starts for at in part.tolist()), _GAP)


def _whole(source: Source) -> list[bytes]:
    """Bring a small file of a length that nobody tells."""
    pieces, reply = [], source.open()
    came = 0
    try:
        for piece in reply.chunks:
            pieces.append(piece)
            came += len(piece)
            if came > MAX_BYTES:
                break
    finally:
        reply.close()
    if reply.first_byte != 0 or (reply.total is not None and came < reply.total):
        raise HubUnreachableError(f"{source.name} from {source.hub}: it ends after {came} bytes")
    return pieces


def _wrong(content: bytes, listed: Listed) -> str | None:
    """Say what is wrong with a file; None where nothing is."""
    if listed.size not in (None, len(content)):
        return f"{len(content)} bytes, and the manifest lists {listed.size}"
    if listed.md5 is None:
        return None
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return None if digest == listed.md5 else f"its md5 is {digest}, not {listed.md5}"
