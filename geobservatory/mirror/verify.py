"""Is all as the inventory says: entries without files, files without entries, what is left over.

Only names and sizes are looked at; `scrub` reads the content.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from geobservatory.catalog.mirror import Held
from geobservatory.errors import InputError
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.books import CHANGED, settle
from geobservatory.mirror.leave import drop_part
from geobservatory.sentinel1.names import parse_name
from geobservatory.transfer.archive import FOLDER, ZIP, bytes_in, quarantine_folder


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes
    ----------
    name
        Of the product, or the path of what is none.
    what
        What is wrong.
    done
        What was done about it; empty where nothing was.
    """

    name: str
    what: str
    done: str = ""


def verify(
    archive: Archive, *, repair: bool = False, told: Callable[[Finding], None] | None = None
) -> list[Finding]:
    """Hold the inventory against the disk.

    What somebody is bringing at the moment is left alone.

    Parameters
    ----------
    repair
        Make the inventory say what lies there, and remove what is left over. What is missing then
        is fetched by the next run.
    told
        Called with each finding as it is made.
    """
    findings = []
    for finding in _findings(archive):
        done = _repair(archive, finding) if repair else ""
        one = Finding(finding.name, finding.what, done)
        findings.append(one)
        if told is not None:
            told(one)
    return findings


def _findings(archive: Archive) -> Iterator[Finding]:
    known = set()
    for entry in archive.catalog.entries():
        known.add(entry.name)
        if wrong := _wrong(archive, entry):
            yield Finding(entry.name, wrong)
    seen = set()
    for name, path in _products(archive.folder):
        if name not in known and name not in seen:
            # It may have come since the entries were read.
            if archive.catalog.inventory_entry(name) is None:
                yield Finding(name, f"{path} has no entry")
            seen.add(name)
    yield from _left_over(archive, known)


def _wrong(archive: Archive, entry: Held) -> str:
    """Say what is wrong with an entry; empty where nothing is."""
    if entry.state == "quarantined":
        return "" if entry.path.is_file() else "its file in quarantine is gone"
    if entry.state in ("coming", "leaving"):
        with archive.catalog.bringing(entry.name) as ours:
            return f"{entry.state}, and nobody is at work on it" if ours else ""
    if not entry.path.exists():
        return f"{entry.path} is gone"
    usual = archive.whole(entry.name) if entry.whole else archive.part(entry.name)
    if entry.path != usual:
        return f"it lies at {entry.path}, not at {usual}"
    size = bytes_in(entry.path)
    return "" if size == entry.size else f"{entry.path} has {size} bytes, not {entry.size}"


def _products(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give each product of which something lies in the archive, day by day."""
    for day in _days(folder):
        for path in _listed(day):
            name = path.name
            for ending in (".json", ".part", ZIP, FOLDER):
                name = name.removesuffix(ending)
            name = name.removeprefix(".")
            if path.suffix in (".lock", CHANGED):
                continue
            try:
                yield str(parse_name(name)), path
            except InputError:
                continue


def _days(folder: Path) -> Iterator[Path]:
    """Give the folders of the days, the first first."""
    for year in _listed(folder):
        for month in _listed(year) if year.name.isdecimal() else ():
            yield from _listed(month)


def _listed(folder: Path) -> list[Path]:
    """List a folder; one that was removed a moment ago was empty."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _left_over(archive: Archive, known: set[str]) -> Iterator[Finding]:
    for path in sorted(quarantine_folder(archive.folder).glob(f"*{ZIP}")):
        name = path.name.removesuffix(ZIP)
        entry = archive.catalog.inventory_entry(name)
        if entry is None or entry.path != path:
            yield Finding(str(path), "left in quarantine, and there is another")
    for name in sorted(known):
        entry = archive.catalog.held(name)
        if entry is not None and entry.whole and archive.part(name).is_dir():
            yield Finding(str(archive.part(name)), "a part beside the whole")
    for day in _days(archive.folder):
        for path in _listed(day):
            if path.suffix == CHANGED:
                yield Finding(str(path), "left by a change that was broken off")


def _repair(archive: Archive, finding: Finding) -> str:
    path = Path(finding.name)
    if not path.is_absolute():
        with archive.catalog.bringing(finding.name) as ours:
            return settle(archive, finding.name) if ours else ""
    if path.name.endswith(FOLDER) and not path.name.startswith("."):
        name = path.name.removesuffix(FOLDER)
        with archive.catalog.bringing(name) as ours:
            return "removed" if ours and drop_part(archive, name) else ""
    name = path.name.removeprefix(".")
    for ending in (ZIP, CHANGED):
        name = name.removesuffix(ending)
    with archive.catalog.bringing(name) as ours, archive.catalog.alone_with(name) as alone:
        if not (ours and alone):
            return ""
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return "removed"
