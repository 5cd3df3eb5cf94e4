"""Bring one product into the archive, if there is room: claimed, reserved, fetched, entered.

Whatever goes wrong is written where it is asked for, with the time at which it is tried again. A
disk that is full is no failure of the product: it stops all further intake.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from geobservatory.catalog.mirror import Held
from geobservatory.catalog.mirror_plan import Turn
from geobservatory.errors import GeobservatoryError, TransientError
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.choice import USUAL_BYTES
from geobservatory.hubs.keeping import keep_product
from geobservatory.hubs.model import Scene
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.books import changed_folder, quarantined, settle
from geobservatory.mirror.leave import drop_part
from geobservatory.mirror.roll import Told as Went
from geobservatory.mirror.roll import make_room
from geobservatory.transfer.archive import bytes_in
from geobservatory.transfer.attempt import Progress
from geobservatory.transfer.part import DiskFullError
from geobservatory.transfer.room import FULL

# Seconds until it is tried again: after the first failure, the second, …
_AGAIN_S = (600.0, 1800.0, 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0)


class Outcome(StrEnum):
    """What became of a product whose turn it was."""

    CAME = "came"
    THERE = "there already"
    ELSEWHERE = "somebody else brings it"
    NO_ROOM = "no room"
    FAILED = "failed"
    DISK_FULL = "disk full"


@dataclass(frozen=True)
class Brought:
    """What became of a product whose turn it was; and why, or from which hub."""

    name: str
    outcome: Outcome
    said: str
    size: int = 0


class _OutgrownError(TransientError):
    """It is larger than all hubs said, and there is no room for that."""


@dataclass(frozen=True)
class Bringer:
    """Brings the products of a stream.

    Attributes
    ----------
    stream
        Whose share of the disk they take; none where empty.
    hubs
        The upstreams, as one.
    patience_s
        How long one product is waited for.
    """

    archive: Archive
    stream: str
    hubs: Hubs
    patience_s: float = 1800.0
    wait: Callable[[float], None] = time.sleep
    told: Callable[[str, Progress], None] | None = None
    went: Went | None = None

    def bring(self, turn: Turn) -> Brought:
        """Bring a product; never raises for what may happen on a bad day."""
        catalog, name = self.archive.catalog, turn.name
        try:
            with catalog.bringing(name) as ours:
                if not ours:
                    return Brought(name, Outcome.ELSEWHERE, "")
                entry = catalog.inventory_entry(name)
                if entry is not None and entry.state == "leaving":
                    settle(self.archive, name)
                    entry = catalog.inventory_entry(name)
                if entry is not None and entry.whole and not entry.outdated:
                    return Brought(name, Outcome.THERE, "")
                # What a killed process had brought to its end is there, and only not entered.
                if self.archive.whole(name).is_file() and (entry is None or not entry.whole):
                    settle(self.archive, name)
                    entry = catalog.inventory_entry(name)
                    if entry is not None and entry.whole:
                        return self._came(name, "it lay there", entry)
                if catalog.evicted_at(self.stream, name) != turn.evicted_at:
                    # Another run let it go since it was planned; whether it comes back is planned
                    # anew.
                    return Brought(name, Outcome.NO_ROOM, "it has just had to go")
                return self._bring(name, entry)
        except DiskFullError as error:
            return self._full(name, str(error))
        except OSError as error:
            if error.errno in FULL:
                return self._full(name, f"{name}: {error.strerror}")
            return self._failed(name, f"{type(error).__name__}: {error.strerror}")
        except GeobservatoryError as error:
            return self._failed(name, str(error))

    def _bring(self, name: str, entry: Held | None) -> Brought:
        scene = self.hubs.find(name)
        size = max((one.size for one in scene.offers if one.size is not None), default=USUAL_BYTES)
        if entry is not None and entry.whole:
            return self._replace(scene, size, entry)
        if not self._reserve(scene, size):
            return Brought(name, Outcome.NO_ROOM, f"no room for {size / 1e6:.4g} MB")
        begun = [size]

        def told(progress: Progress) -> None:
            # Hubs may tell less than there is: the mark is kept all the same.
            known = max(progress.have, progress.total or 0)
            if known > begun[0]:
                if not self._reserve(scene, known):
                    raise _OutgrownError(f"{name}: {known} bytes, and hubs told of {size}")
                begun[0] = known
            if self.told is not None:
                self.told(name, progress)

        fetched = self.hubs.fetch(
            name, scene=scene, told=told, patience_s=self.patience_s, wait=self.wait
        )
        came = self.archive.catalog.inventory_entry(name)
        quarantined(self.archive, name).unlink(missing_ok=True)
        drop_part(self.archive, name)
        return self._came(name, fetched.hub or "", came)

    def _replace(self, scene: Scene, size: int, entry: Held) -> Brought:
        """Fetch what upstream has changed beside the old one, which it then takes the place of."""
        name, archive = entry.name, self.archive
        room = archive.mark(archive.high, entry.stream)
        old = archive.whole(name)
        if not archive.catalog.count_as(name, bytes_in(old) + size, room):
            return Brought(name, Outcome.NO_ROOM, "no room for the old one and the new")
        beside = changed_folder(archive, name)
        try:
            fetched = self.hubs.fetch(
                name, scene=scene, folder=beside, patience_s=self.patience_s, wait=self.wait
            )
            with archive.catalog.alone_with(name) as alone:
                if not alone:
                    return Brought(name, Outcome.ELSEWHERE, "it is read; it is replaced later")
                archive.catalog.set_entry_state(name, "coming")
                fetched.path.replace(archive.whole(name))
                said = f"from {fetched.hub}, in place of what upstream has changed"
                now, path = archive.now(), archive.whole(name)
                came = keep_product(archive.catalog, scene, path, now, said)
        finally:
            archive.catalog.count_as(name, bytes_in(old), None)
            shutil.rmtree(beside, ignore_errors=True)
        return self._came(name, fetched.hub or "", came)

    def _reserve(self, scene: Scene, size: int) -> bool:
        archive, product = self.archive, scene.product
        room = archive.mark(archive.high, self.stream)

        def reserve() -> bool:
            path = archive.whole(product.name)
            return archive.catalog.reserve(
                product.name, self.stream, path, product.start, size, room, archive.now()
            )

        if reserve():
            return True
        make_room(archive, self.stream, product.start, size, self.went)
        return reserve()

    def _came(self, name: str, hub: str, entry: Held | None) -> Brought:
        return Brought(name, Outcome.CAME, hub, 0 if entry is None else entry.size)

    def _failed(self, name: str, why: str) -> Brought:
        self._settle(name)
        self.archive.catalog.note_failure(name, why, self.archive.now(), _AGAIN_S)
        return Brought(name, Outcome.FAILED, why)

    def _full(self, name: str, why: str) -> Brought:
        self._settle(name)
        return Brought(name, Outcome.DISK_FULL, why)

    def _settle(self, name: str) -> None:
        with self.archive.catalog.bringing(name) as ours:
            if ours:
                settle(self.archive, name)
