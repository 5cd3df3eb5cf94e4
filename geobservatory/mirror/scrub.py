"""Re-read the archive, slowly and for ever, and hold it against its checksums.

What was read longest ago is read first. What is damaged goes into quarantine and is fetched again;
a part of a product that is damaged goes, and whoever needs it fetches it.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from blake3 import blake3

from geobservatory.catalog.mirror import Held
from geobservatory.errors import InputError
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.leave import leave, put_aside
from geobservatory.mirror.verify import Finding
from geobservatory.sentinel1.partial import PARTIAL, read_partial

_PIECE = 1 << 20


@dataclass
class Scrubbed:
    """How far it came: products and bytes read, and what was found."""

    products: int = 0
    bytes: int = 0
    findings: tuple[Finding, ...] = ()


class _Pace:
    """Bytes at no more than a rate."""

    def __init__(self, bytes_per_s: float, wait: Callable[[float], None]) -> None:
        self._rate, self._wait = bytes_per_s, wait
        self._began, self.read = time.monotonic(), 0

    def took(self, count: int) -> None:
        self.read += count
        ahead = self.read / self._rate - (time.monotonic() - self._began)
        if ahead > 0:
            self._wait(ahead)


def scrub(
    archive: Archive,
    *,
    older_than: timedelta = timedelta(0),
    limit_s: float = float("inf"),
    repair: bool = True,
    told: Callable[[Held, int, str], None] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Scrubbed:
    """Read what was not read for some time.

    Parameters
    ----------
    older_than
        Since when it was last read.
    limit_s
        When nothing more is begun, seconds.
    repair
        Put what is damaged into quarantine.
    told
        Called after each product: it, bytes read in all, what is wrong with it.
    """
    done, findings = Scrubbed(), []
    pace = _Pace(archive.settings.mirror.scrub_mb_per_s * 1e6, wait)
    began, before = time.monotonic(), archive.now() - older_than
    for entry in archive.catalog.stalest(before):
        if time.monotonic() - began > limit_s:
            break
        wrong = _read(archive, entry.name, pace)
        done.products, done.bytes = done.products + 1, pace.read
        if wrong:
            said = _put_right(archive, entry.name, wrong) if repair else ""
            findings.append(Finding(entry.name, wrong, said))
        if told is not None:
            told(entry, pace.read, wrong)
    done.findings = tuple(findings)
    return done


def _read(archive: Archive, name: str, pace: _Pace) -> str:
    """Read a product; gives what is wrong with it."""
    with archive.catalog.reading(name):
        entry = archive.catalog.held(name)
        if entry is None:
            return ""
        try:
            wrong = _whole(entry, pace) if entry.whole else _part(entry.path, pace)
        except OSError as error:
            wrong = f"it cannot be read: {error.strerror or error}"
        if not wrong:
            archive.catalog.note_verified(name, archive.now())
        return wrong


def _whole(entry: Held, pace: _Pace) -> str:
    digest = blake3()
    with entry.path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            pace.took(len(piece))
    found = f"blake3:{digest.hexdigest()}"
    return "" if found == entry.checksum else f"its checksum is {found}, not {entry.checksum}"


def _part(folder: Path, pace: _Pace) -> str:
    if not (folder / PARTIAL).is_file():
        # Unpacked by somebody: nothing tells what it should be.
        return ""
    try:
        told = read_partial((folder / PARTIAL).read_bytes(), f"{folder}/{PARTIAL}")
    except InputError as error:
        return str(error)
    for member, digest in told.files.items():
        if _sha256(folder / member, 0, None, pace) != digest:
            return f"its {member} is damaged"
    for channel in told.channels:
        for span in channel.spans:
            if _sha256(folder / channel.measurement, span.first, span.stop, pace) != span.sha256:
                return f"its {channel.measurement} is damaged"
    return ""


def _sha256(file: Path, first: int, stop: int | None, pace: _Pace) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        opened.seek(first)
        left = file.stat().st_size - first if stop is None else stop - first
        while left > 0 and (piece := opened.read(min(_PIECE, left))):
            digest.update(piece)
            pace.took(len(piece))
            left -= len(piece)
    return digest.hexdigest()


def _put_right(archive: Archive, name: str, wrong: str) -> str:
    catalog = archive.catalog
    with catalog.bringing(name) as ours, catalog.alone_with(name) as alone:
        entry = catalog.held(name)
        if not (ours and alone) or entry is None:
            return "it is being read: left for the next time"
        if entry.whole:
            put_aside(archive, entry, wrong)
            return "put into quarantine; it is fetched again"
        leave(archive, entry, f"damaged: {wrong}")
        return "removed"
