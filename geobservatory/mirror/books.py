"""The inventory made to say what lies on the disk: after a crash, after a failure, in doubt.

What is begun is entered before the disk is touched, and what is done after it. So whatever a killed
process leaves is either entered as coming or leaving, or a file that nobody knows: all of it is
found here and brought to an end.
"""

from dataclasses import replace
from pathlib import Path

from geobservatory.catalog.mirror import Held
from geobservatory.errors import InputError
from geobservatory.files import sweep
from geobservatory.hubs.folder import read_product
from geobservatory.hubs.keeping import OWN
from geobservatory.hubs.model import Scene
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.leave import leave, put_aside, without_pixels
from geobservatory.sentinel1.partial import PARTIAL, read_partial
from geobservatory.sentinel1.safe import open_product
from geobservatory.transfer.archive import bytes_in, quarantine_folder
from geobservatory.transfer.digest import ALGORITHMS, digests_of
from geobservatory.transfer.part import WrongContentError, test_zip

# Ends the name of a folder in which what upstream has changed comes.
CHANGED = ".changed"


def settle(archive: Archive, name: str) -> str:
    """Make the inventory say what lies on the disk of a product; gives what was done, in words.

    The caller holds `MirrorQueries.bringing`. Of a product that is being read nothing is done.
    """
    with archive.catalog.alone_with(name) as alone:
        if not alone:
            return ""
        entry = archive.catalog.inventory_entry(name)
        whole, part = archive.whole(name), archive.part(name)
        if whole.parent.is_dir():
            sweep(whole)
            sweep(part)
        if entry is not None and entry.state == "leaving":
            leave(archive, entry, "its going was broken off", reduce=without_pixels(archive, entry))
            return "taken away to the end"
        if whole.is_file():
            return _settle_whole(archive, name, entry, whole)
        if part.is_dir():
            return _settle_part(archive, name, entry, part)
        if (begun := begun_bytes(archive, name)) is not None:
            return _settle_begun(archive, name, entry, begun)
        if entry is not None and not (entry.state == "quarantined" and entry.path.is_file()):
            what = "" if entry.state == "coming" else "lost"
            archive.catalog.drop_entry(entry, archive.now(), what, "its file was gone")
            return "forgotten: nothing of it lies there"
    return ""


def begun_bytes(archive: Archive, name: str) -> int | None:
    """Count the bytes of a transfer that was begun; None where none was."""
    left = [
        one
        for path in (archive.whole(name), archive.part(name))
        if (one := path.with_name(f".{path.name}.part")).exists()
    ]
    return (
        sum(one.stat().st_blocks * 512 if one.is_file() else bytes_in(one) for one in left)
        if (left)
        else None
    )


def changed_folder(archive: Archive, name: str) -> Path:
    """Name the folder in which another content of a product comes, beside the one that is held."""
    return archive.whole(name).with_name(f".{name}{CHANGED}")


def is_right(file: Path, sums: dict[str, set[str]]) -> bool:
    """Tell whether a zip is what one of its checksums tells; where none is told, whether whole."""
    told = [name for name in (OWN, *ALGORITHMS) if sums.get(name)]
    if told:
        return digests_of(file, [told[0]])[told[0]] in sums[told[0]]
    try:
        test_zip(file, file.name)
    except WrongContentError:
        return False
    return True


def _settle_whole(archive: Archive, name: str, entry: Held | None, path: Path) -> str:
    size = bytes_in(path)
    if entry is not None and entry.whole and entry.size == size and entry.path == path:
        return ""
    outdated = entry.outdated if entry is not None else ""
    right = is_right(path, _known_sums(archive, name, entry))
    if not right and entry is not None and entry.state == "coming" and entry.checksum:
        # Whoever was putting another content in its place may have done so before dying.
        right, outdated = is_right(path, _told_sums(archive, name)), ""
    if not right:
        put_aside(
            archive, entry or archive.blank(name, "held", path, size), "not what it should be"
        )
        return "damaged: put into quarantine"
    if entry is None and not _scene_is_known(archive, name, path):
        return "not entered: what it is cannot be read"
    made = entry or archive.blank(name, "held", path, size)
    digest = digests_of(path, [OWN])[OWN]
    now = archive.now()
    # What was entered before, and is the same, has not come again.
    same = entry is not None and entry.checksum == f"{OWN}:{digest}"
    archive.catalog.keep_entry(
        replace(
            made,
            state="held",
            path=path,
            size=size,
            checksum=f"{OWN}:{digest}",
            stored_at=now if entry is None or entry.state == "coming" else entry.stored_at,
            verified_at=now,
            outdated=outdated,
        ),
        "" if same else "found",
        "it lay there and was not entered",
    )
    return "entered: it lay there"


def _settle_part(archive: Archive, name: str, entry: Held | None, path: Path) -> str:
    size = bytes_in(path)
    try:
        partial = read_partial((path / PARTIAL).read_bytes(), f"{path}/{PARTIAL}")
    except (InputError, OSError):
        # An unpacked product of somebody: what it is cannot be told, so it is left as it is.
        state = "part"
    else:
        state = "part" if partial.channels else "reduced"
    same = entry is not None and (entry.state, entry.size, entry.path) == (state, size, path)
    if same:
        return ""
    if not _scene_is_known(archive, name, path):
        return "not entered: what it is cannot be read"
    made = entry or archive.blank(name, state, path, size)
    archive.catalog.keep_entry(replace(made, state=state, path=path, size=size, checksum=""))
    return "entered as it lies there"


def _settle_begun(archive: Archive, name: str, entry: Held | None, begun: int) -> str:
    if entry is not None and entry.state == "coming" and entry.size >= begun:
        return ""
    if not archive.catalog.knows_scene(name):
        return "begun, and of a product that nobody knows: remove it"
    made = entry or archive.blank(name, "coming", archive.whole(name), begun)
    coming = replace(made, state="coming", path=archive.whole(name), size=begun, checksum="")
    archive.catalog.keep_entry(coming)
    return "entered as coming"


def _known_sums(archive: Archive, name: str, entry: Held | None) -> dict[str, set[str]]:
    """Gather the checksums that are known of a product: our own alone, where there is one."""
    if entry is not None and entry.checksum:
        algorithm, _, digits = entry.checksum.partition(":")
        return {algorithm: {digits}}
    return _told_sums(archive, name)


def _told_sums(archive: Archive, name: str) -> dict[str, set[str]]:
    sums: dict[str, set[str]] = {}
    for told in archive.catalog.told_checksums(name):
        algorithm, _, digits = told.partition(":")
        sums.setdefault(algorithm, set()).add(digits)
    return sums


def _scene_is_known(archive: Archive, name: str, path: Path) -> bool:
    """Have the catalogue know the product, by its own manifest where it does not."""
    if archive.catalog.knows_scene(name):
        return True
    try:
        product = read_product(open_product(path))
    except (InputError, ValueError, OSError):
        return False
    if product.name != name:
        return False
    archive.catalog.record_scenes([Scene(product, ())])
    return True


def quarantined(archive: Archive, name: str) -> Path:
    """Name the place of a product in quarantine."""
    return quarantine_folder(archive.folder) / archive.whole(name).name


def settle_unfinished(archive: Archive) -> list[str]:
    """Bring to an end what killed processes had begun; gives what was done, a line each."""
    done = []
    for name in archive.catalog.unfinished():
        with archive.catalog.bringing(name) as ours:
            if ours and (what := settle(archive, name)):
                done.append(f"{name}: {what}")
    return done
