"""What lies in the archive, and the only ways to change what the catalogue says of it.

Two locks guard a product, both PostgreSQL's, so that they end with the process that holds them. Who
reads it shares the first; who takes it away needs that alone. Who brings it holds the second.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from geobservatory.catalog.mirror_tables import (
    MirrorChangeRow,
    MirrorPinRow,
    MirrorRow,
    MirrorWantedRow,
)
from geobservatory.catalog.scene_tables import OfferRow
from geobservatory.catalog.session import Sessions
from geobservatory.errors import InputError

# Number spaces of PostgreSQL's advisory locks, beside those of `catalog.activations` and others.
_READING, _BRINGING, _ROOM, _CLEARING = 0x6E0B_0041, 0x6E0B_0042, 0x6E0B_0043, 0x6E0B_0045
# In which there is something to read.
READABLE = ("held", "part", "reduced")
EVICTED = "evicted"


@dataclass(frozen=True)
class Held:
    """A product in the archive.

    Attributes
    ----------
    stream
        Whose share of the disk it takes; empty where it is of none.
    state
        ``held`` (whole), ``part`` (bursts), ``reduced`` (annotation and quicklook); ``coming``,
        ``leaving`` and ``quarantined`` cannot be read.
    path
        Of the zip; of the SAFE folder where it is not whole.
    size
        Bytes on the disk; what is reserved of one that comes.
    checksum
        ``blake3:…`` of the whole; empty where it is not whole.
    upstream
        What upstream told when it came: ``sizes``, ``checksums``, ``published``.
    outdated
        Why upstream has another one under the same name; empty where it has not.
    """

    name: str
    stream: str
    state: str
    path: Path
    size: int
    checksum: str
    upstream: Mapping[str, Any]
    sensed_at: datetime
    stored_at: datetime
    verified_at: datetime | None
    outdated: str = ""

    @property
    def whole(self) -> bool:
        """Whether all of it is there, and right."""
        return self.state == "held"


@dataclass(frozen=True)
class Room:
    """How much may lie on the disk, bytes: in a stream's share, and in all."""

    stream: int
    total: int


@dataclass(frozen=True)
class Pin:
    """Somebody who wants a product kept; until a time, or for good."""

    name: str
    holder: str
    reason: str
    until: datetime | None


class MirrorQueries(Sessions):
    """The part of the catalogue that is about the archive."""

    def held(self, name: str) -> Held | None:
        """Find what can be read of a product; None where nothing can."""
        found = self.inventory_entry(name)
        return found if found is not None and found.state in READABLE else None

    def inventory_entry(self, name: str) -> Held | None:
        """Find a product in the inventory, in whatever state."""
        with self._transaction() as session:
            row = session.get(MirrorRow, name)
            return None if row is None else to_held(row)

    @contextmanager
    def reading(self, name: str) -> Iterator[Path | None]:
        """Keep a whole product from being taken away for as long as the block lasts.

        Yields where it is, or None where it is not there whole. Any number may read at once; the
        lock ends with the process.
        """
        with self._lock(_READING, name, wait=True, shared=True):
            found = self.held(name)
            yield found.path if found is not None and found.whole else None

    @contextmanager
    def reading_all(self, names: Iterable[str]) -> Iterator[None]:
        """Keep several products from being taken away for as long as the block lasts."""
        with ExitStack() as held:
            for name in sorted(names):
                held.enter_context(self.reading(name))
            yield

    def alone_with(self, name: str) -> AbstractContextManager[bool]:
        """Take a product away, or change it; False where somebody reads it."""
        return self._lock(_READING, name, wait=False)

    def bringing(self, name: str) -> AbstractContextManager[bool]:
        """Bring a product, or mend what is there of it; False where somebody else does."""
        return self._lock(_BRINGING, name, wait=False)

    def clearing(self) -> AbstractContextManager[bool]:
        """Make room; others who would wait, whatever their stream: all share the disk."""
        return self._lock(_CLEARING, "", wait=True)

    def reserve(
        self,
        name: str,
        stream: str,
        path: Path,
        sensed_at: datetime,
        size: int,
        room: Room,
        now: datetime,
    ) -> bool:
        """Enter a product as coming, if it fits; False where it does not.

        Whoever asks at the same time waits, so that two never take the same room. What is there of
        the product already (a part, or what a killed process left) counts as before.
        """
        with self._transaction() as session:
            there = session.get(MirrorRow, name)
            needs = size
            if there is not None and there.state not in ("coming", "leaving"):
                needs += there.size_bytes
            if not _fits(session, name, stream, needs, room):
                return False
            row = {
                "stream": stream,
                "state": "coming",
                "path": str(path),
                "sensed_at": sensed_at,
                "size_bytes": needs,
                "checksum": "",
                "stored_at": now,
            }
            entered = upsert(MirrorRow).values(scene_name=name, upstream={}, **row)
            session.execute(
                entered.on_conflict_do_update(index_elements=[MirrorRow.scene_name], set_=row)
            )
            return True

    def count_as(self, name: str, size: int, room: Room | None) -> bool:
        """Count a product that is here with so many bytes, if they fit; where no room is given, so.

        More of it comes, or another content beside it: what is here stays readable meanwhile.
        """
        with self._transaction() as session:
            row = session.get(MirrorRow, name)
            if row is None or row.state not in READABLE:
                return room is None
            if room is not None and not _fits(session, name, row.stream, size, room):
                return False
            row.size_bytes = size
            return True

    def keep_entry(self, entry: Held, what: str = "", detail: str = "") -> None:
        """Write what lies on the disk of a product, as it is now.

        Parameters
        ----------
        entry
            An empty stream leaves the one that is known.
        what, detail
            What happened, for the record of changes; nothing where empty.
        """
        row = {
            "state": entry.state,
            "path": str(entry.path),
            "size_bytes": entry.size,
            "checksum": entry.checksum,
            "upstream": dict(entry.upstream),
            "stored_at": entry.stored_at,
            "verified_at": entry.verified_at,
            "outdated": entry.outdated,
        }
        given = upsert(MirrorRow).values(
            scene_name=entry.name, stream=entry.stream, sensed_at=entry.sensed_at, **row
        )
        stream = func.coalesce(func.nullif(given.excluded.stream, ""), MirrorRow.stream)
        with self._transaction() as session:
            written = given.on_conflict_do_update(
                index_elements=[MirrorRow.scene_name], set_={**row, "stream": stream}
            )
            owner = session.execute(written.returning(MirrorRow.stream)).scalar_one()
            if entry.whole:
                _note_held(session, entry)
            if what:
                owned = replace(entry, stream=owner)
                _note(session, owned, entry.stored_at, what, detail)

    def set_entry_state(self, name: str, state: str) -> None:
        """Write that a product is leaving, say."""
        changed = update(MirrorRow).where(MirrorRow.scene_name == name).values(state=state)
        with self._transaction() as session:
            session.execute(changed)

    def note_verified(self, name: str, at: datetime) -> None:
        """Write that a product was read and found right."""
        changed = update(MirrorRow).where(MirrorRow.scene_name == name).values(verified_at=at)
        with self._transaction() as session:
            session.execute(changed)

    def drop_entry(self, entry: Held, at: datetime, what: str = "", detail: str = "") -> None:
        """Forget a product that lies there no more, or lies there in part; say what happened.

        Streams that wanted it are told why it is not there.
        """
        with self._transaction() as session:
            session.execute(delete(MirrorRow).where(MirrorRow.scene_name == entry.name))
            if what:
                _note(session, entry, at, what, detail)
                told = update(MirrorWantedRow).where(MirrorWantedRow.scene_name == entry.name)
                evicted = {"evicted_at": at} if what == EVICTED else {}
                session.execute(
                    told.where(MirrorWantedRow.state == "wanted").values(
                        reason=f"{what} {at:%F %H:%M} UTC: {detail}", **evicted
                    )
                )

    def keep_reduced(self, left: Held, freed: int, at: datetime, why: str) -> None:
        """Write that the pixels of a product are gone, and what stays; both or neither.

        Parameters
        ----------
        freed
            Bytes that are free now.
        """
        told = update(MirrorWantedRow).where(MirrorWantedRow.scene_name == left.name)
        with self._transaction() as session:
            row = session.get_one(MirrorRow, left.name)
            row.state, row.path, row.size_bytes = left.state, str(left.path), left.size
            row.checksum, row.verified_at = left.checksum, left.verified_at
            _note(session, replace(left, size=max(0, freed)), at, EVICTED, why)
            session.execute(
                told.where(MirrorWantedRow.state == "wanted").values(
                    reason=f"{EVICTED} {at:%F %H:%M} UTC: {why}", evicted_at=at
                )
            )

    def told_checksums(self, name: str) -> list[str]:
        """List what hubs tell of a product's checksum, as ``md5:…``."""
        told = select(OfferRow.checksum).where(OfferRow.scene_name == name)
        with self._transaction() as session:
            return [one for one in session.scalars(told) if one is not None]

    def unfinished(self) -> list[str]:
        """Name what is coming or leaving, by somebody who is at work or by one who died."""
        begun = select(MirrorRow.scene_name).where(MirrorRow.state.in_(("coming", "leaving")))
        with self._transaction() as session:
            return list(session.scalars(begun.order_by(MirrorRow.scene_name)))

    def pin(
        self, name: str, holder: str, reason: str, at: datetime, until: datetime | None = None
    ) -> None:
        """Have a product kept; the same holder again renews the pin.

        Raises
        ------
        InputError
            If nothing of it lies in the archive.
        """
        # Whoever takes it away asks for pins once nobody else can get at it.
        with self._lock(_READING, name, wait=True, shared=True):
            if self.held(name) is None:
                raise InputError(f"{name} is not in the archive; `geobs fetch` brings it")
            row = {"reason": reason, "pinned_at": at, "until": until}
            given = upsert(MirrorPinRow).values(scene_name=name, holder=holder, **row)
            keys = [MirrorPinRow.scene_name, MirrorPinRow.holder]
            with self._transaction() as session:
                session.execute(given.on_conflict_do_update(index_elements=keys, set_=row))

    def unpin(self, name: str, holder: str) -> bool:
        """Take a pin away; False where there was none."""
        gone = delete(MirrorPinRow).where(
            MirrorPinRow.scene_name == name, MirrorPinRow.holder == holder
        )
        with self._transaction() as session:
            return bool(session.execute(gone.returning(MirrorPinRow.scene_name)).first())

    def pins(self, at: datetime, name: str | None = None) -> list[Pin]:
        """List who wants what kept, activations aside (`mirror.priority`)."""
        wanted = select(MirrorPinRow).order_by(MirrorPinRow.scene_name, MirrorPinRow.holder)
        wanted = wanted.where(or_(MirrorPinRow.until.is_(None), MirrorPinRow.until > at))
        if name is not None:
            wanted = wanted.where(MirrorPinRow.scene_name == name)
        with self._transaction() as session:
            return [
                Pin(row.scene_name, row.holder, row.reason, row.until)
                for row in session.scalars(wanted)
            ]

    def used_bytes(self, state: str | None = None) -> dict[str, int]:
        """Count the bytes on the disk, reserved ones too, by stream; in all states or one."""
        summed = select(MirrorRow.stream, func.sum(MirrorRow.size_bytes))
        if state is not None:
            summed = summed.where(MirrorRow.state == state)
        with self._transaction() as session:
            rows = session.execute(summed.group_by(MirrorRow.stream))
            return {stream: int(size) for stream, size in rows}


def to_held(row: MirrorRow) -> Held:
    """Read an entry of the inventory."""
    return Held(
        name=row.scene_name,
        stream=row.stream,
        state=row.state,
        path=Path(row.path),
        size=row.size_bytes,
        checksum=row.checksum,
        upstream=row.upstream,
        sensed_at=row.sensed_at,
        stored_at=row.stored_at,
        verified_at=row.verified_at,
        outdated=row.outdated,
    )


def _fits(session: Session, name: str, stream: str, size: int, room: Room) -> bool:
    """Tell whether a product of so many bytes fits beside all others; others wait meanwhile."""
    session.execute(select(func.pg_advisory_xact_lock(_ROOM)))
    others = MirrorRow.scene_name != name
    own = int(session.execute(_bytes(others, MirrorRow.stream == stream)).scalar_one())
    total = int(session.execute(_bytes(others)).scalar_one())
    return own + size <= room.stream and total + size <= room.total


def _bytes(*where: Any) -> Select[tuple[int]]:
    return select(func.coalesce(func.sum(MirrorRow.size_bytes), 0)).where(*where)


def _note_held(session: Session, entry: Held) -> None:
    """Tell the streams that want a product that it is there."""
    told = update(MirrorWantedRow).where(MirrorWantedRow.scene_name == entry.name)
    session.execute(
        told.where(MirrorWantedRow.state == "wanted").values(
            held_at=func.coalesce(MirrorWantedRow.held_at, entry.stored_at),
            evicted_at=None,
            attempts=0,
            retry_at=None,
            reason="",
        )
    )


def _note(session: Session, entry: Held, at: datetime, what: str, detail: str) -> None:
    session.add(
        MirrorChangeRow(
            at=at,
            stream=entry.stream,
            scene_name=entry.name,
            what=what,
            size_bytes=entry.size,
            detail=detail,
        )
    )
