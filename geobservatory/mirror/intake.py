"""How a product comes into the archive: room is reserved, it is verified, entered, seen."""

import errno
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.hubs.keeping import keep_product
from geobservatory.hubs.model import Offer, Scene
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.books import settle
from geobservatory.mirror.leave import drop_part
from geobservatory.sentinel1.storage import DAMAGE
from geobservatory.transfer.digest import ALGORITHMS, digests_of


@dataclass(frozen=True)
class Admission:
    """What became of a product that was brought to the archive's door.

    Attributes
    ----------
    path
        Where it lies now; None where it was not taken in.
    reason
        Why not, or where it came from.
    """

    path: Path | None
    reason: str


def admit(
    archive: Archive, file: Path, offer: Offer, checksums: Mapping[str, str] | None = None
) -> Admission:
    """Take a product into the archive that came from elsewhere, whole, under the mirror's rules.

    It takes the room of the first stream that wants it, else of none; where that would pass the
    high-water mark it is not taken in. Of a product that is there already nothing is done. Where it
    is taken in the file is moved (copied, from another disk), else it stays where it is.

    Parameters
    ----------
    file
        The zip.
    offer
        The product, and what the hub that sent it told.
    checksums
        What the sender of the bytes vouches for, beside the offer's.

    Raises
    ------
    InputError
        If it is not the file that the checksums tell of, or, where none are told, no whole zip.
    OSError
        If the disk is full.
    """
    name, now = offer.product.name, archive.now()
    told = {**offer.checksums, **(checksums or {})}
    scene = Scene(offer.product, (replace(offer, checksums=told),))
    path = archive.whole(name)
    with archive.catalog.bringing(name) as ours:
        if not ours:
            return Admission(None, "somebody else is bringing it")
        there = archive.catalog.held(name)
        if there is not None and there.whole:
            return Admission(None, "it is there already")
        verify(file, told)
        archive.catalog.record_offers([offer])
        stream = next((one.name for one in archive.streams if one.wants(offer.product, now)), "")
        size, room = file.stat().st_size, archive.mark(archive.high, stream)
        sensed = offer.product.start
        if not archive.catalog.reserve(name, stream, path, sensed, size, room, now):
            return Admission(None, "no room below the high-water mark")
        try:
            _move(file, path)
        except OSError:
            settle(archive, name)
            raise
        keep_product(archive.catalog, scene, path, now, f"from {offer.hub}", stream)
        drop_part(archive, name)
    return Admission(path, f"from {offer.hub}")


def verify(file: Path, checksums: Mapping[str, str]) -> None:
    """Hold a zip against what is told of it; where no checksum is, read every member.

    Raises
    ------
    InputError
        If it is damaged.
    """
    told = {name: value.lower() for name, value in checksums.items() if name in ALGORITHMS}
    if told:
        for name, digits in digests_of(file, list(told)).items():
            if digits != told[name]:
                raise InputError(f"{file}: its {name} is {digits}, not {told[name]}")
        return
    try:
        with zipfile.ZipFile(file) as opened:
            damaged = opened.testzip()
    except DAMAGE as error:
        raise InputError(f"{file}: not a whole zip: {error}") from error
    if damaged is not None:
        raise InputError(f"{file}: its member {damaged} is damaged")


def _move(file: Path, path: Path) -> None:
    """Bring a file under its final name, whole, from this disk or another."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        try:
            file.replace(beside)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copyfile(file, beside)
            file.unlink()
