"""How a product leaves: its entry says so first, then the disk is cleared, then the entry goes."""

import hashlib
import os
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from geobservatory.catalog.mirror import EVICTED, Held
from geobservatory.errors import InputError
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.priority import needed
from geobservatory.sentinel1.names import parse_name
from geobservatory.sentinel1.partial import PARTIAL, Partial, read_partial
from geobservatory.sentinel1.storage import DAMAGE, open_storage
from geobservatory.transfer.archive import bytes_in, quarantine_folder

_PIXELS, _A_DAY = "measurement/", timedelta(days=1)


def without_pixels(archive: Archive, entry: Held) -> bool:
    """Tell whether annotation and quicklook of a product stay when its pixels go."""
    of = {one.name: one.stream.after for one in archive.streams}
    return of.get(entry.stream) == "annotation"


def leave(archive: Archive, entry: Held, why: str, *, reduce: bool = False) -> None:
    """Take a product away; whoever calls holds it alone (`MirrorQueries.alone_with`).

    Parameters
    ----------
    why
        In a sentence, for the record of changes.
    reduce
        Whether its annotation and quicklook stay, as a partial product without an image.

    Raises
    ------
    OSError
        If the disk does not let it go.
    """
    name, now = entry.name, archive.now()
    archive.catalog.set_entry_state(name, "leaving")
    whole, part = archive.whole(name), archive.part(name)
    if reduce and whole.is_file() and not part.exists():
        _reduce(archive, name)
    whole.unlink(missing_ok=True)
    whole.with_name(f".{whole.name}.part").unlink(missing_ok=True)
    whole.with_name(f".{whole.name}.part.json").unlink(missing_ok=True)
    if reduce and part.is_dir():
        size = bytes_in(part)
        left = replace(entry, state="reduced", path=part, size=size, checksum="", verified_at=None)
        archive.catalog.keep_reduced(left, entry.size - size, now, f"{why}; its annotation stays")
        return
    _remove_part(archive, name)
    _remove_empty(archive, name)
    archive.catalog.drop_entry(entry, now, EVICTED, why)


def discard(archive: Archive, entry: Held) -> None:
    """Remove what came so far of a product that nobody wants any more."""
    whole, part = archive.whole(entry.name), archive.part(entry.name)
    for path in (whole, part):
        begun = path.with_name(f".{path.name}.part")
        if begun.is_dir():
            shutil.rmtree(begun)
        begun.unlink(missing_ok=True)
        begun.with_name(f"{begun.name}.json").unlink(missing_ok=True)
    part.with_name(f".{part.name}.journal").unlink(missing_ok=True)
    _remove_empty(archive, entry.name)
    archive.catalog.drop_entry(entry, archive.now())


def drop_part(archive: Archive, name: str) -> bool:
    """Remove the part of a product which is there whole; False where somebody needs it still.

    An open activation may have been told of the part before the whole came.
    """
    with archive.catalog.alone_with(name) as alone:
        if not alone or not archive.whole(name).is_file():
            return False
        part = archive.part(name)
        if part.is_dir() and not _is_annotation(part) and name in needed(archive):
            return False
        _remove_part(archive, name)
    return True


def put_aside(archive: Archive, entry: Held, why: str) -> None:
    """Put a damaged product into quarantine: it is looked for again, and nobody reads it."""
    folder = quarantine_folder(archive.folder)
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / entry.path.name
    archive.catalog.set_entry_state(entry.name, "leaving")
    entry.path.replace(aside)
    kept = replace(entry, state="quarantined", path=aside, checksum="", stored_at=archive.now())
    archive.catalog.keep_entry(kept, "damaged", why)


def _reduce(archive: Archive, name: str) -> None:
    """Write the files of a product that are no image into a folder beside it."""
    whole, part = archive.whole(name), archive.part(name)
    beside = part.with_name(f".{part.name}.{os.getpid()}.{uuid4().hex[:8]}.part")
    files = {}
    try:
        storage = open_storage(whole)
        for member in storage.members:
            if member.startswith(_PIXELS) or ".." in member.split("/"):
                continue
            file = beside / member
            file.parent.mkdir(parents=True, exist_ok=True)
            with storage.open(member) as content, file.open("wb") as copy:
                shutil.copyfileobj(content, copy)
            files[member] = hashlib.sha256(file.read_bytes()).hexdigest()
        told = Partial(product=name, hubs=(), areas=(), files=files, channels=())
        (beside / PARTIAL).write_text(told.model_dump_json(indent=2))
        beside.replace(part)
    except (InputError, *DAMAGE):
        # Damaged as it is, or no room for it: it goes as a whole.
        shutil.rmtree(beside, ignore_errors=True)


def _is_annotation(part: Path) -> bool:
    try:
        return not read_partial((part / PARTIAL).read_bytes(), str(part)).channels
    except (InputError, OSError):
        return False


def _remove_part(archive: Archive, name: str) -> None:
    part = archive.part(name)
    if part.is_dir():
        shutil.rmtree(part)
    part.with_name(f".{part.name}.journal").unlink(missing_ok=True)


def _remove_empty(archive: Archive, name: str) -> None:
    """Remove the folders of a day, a month and a year in which nothing lies, nor will."""
    now = archive.now()
    # Somebody may be about to bring what is of the window still.
    if any(parse_name(name).start >= one.window(now) - _A_DAY for one in archive.streams):
        return
    folder = archive.whole(name).parent
    for _ in range(3):
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
