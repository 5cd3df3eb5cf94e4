"""Which event a report is of, what was reported of it, and which solution of it counts."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from pyproj import Geod
from sqlalchemy import ColumnElement, exists, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from geobservatory.catalog.event_tables import EventNameRow, EventRevisionRow, EventRow
from geobservatory.events.model import GeohazardEvent
from geobservatory.events.report import Report, preferred

# Two reports are of one event within these (EMSC and USGS differ by less; see docs/watch.md).
SAME_TIME = timedelta(seconds=60)
SAME_PLACE_M = 100_000.0

# Number space of PostgreSQL's advisory locks. One at a time: who looks for the same event must see
# it once it is recorded.
RECORDING = 0x6E0B_0002

_WGS84 = Geod(ellps="WGS84")


def same_event(
    session: Session, event: GeohazardEvent, names: Sequence[str] = ()
) -> EventRow | None:
    """Find the event a report is of: by its source's identifiers, else by kind, time and place.

    Two identifiers of one source are two events until the source says that they are one, however
    close they are.
    """
    if (row := _named(session, event.source, names)) is not None:
        return row
    wanted: list[ColumnElement[bool]] = [
        EventRow.event_type == event.event_type,
        EventRow.time.between(event.time - SAME_TIME, event.time + SAME_TIME),
        EventRow.same_as.is_(None),
    ]
    if names:
        its_own = exists().where(
            EventNameRow.event_id == EventRow.id, EventNameRow.source == event.source
        )
        wanted.append(~its_own)
    candidates = [
        (abs(row.time - event.time), row.id, row)
        for row in session.scalars(select(EventRow).where(*wanted))
        if _distance_m(row, event) <= SAME_PLACE_M
    ]
    return min(candidates)[2] if candidates else None


def new_event(session: Session, event: GeohazardEvent) -> EventRow:
    """Record an event of which nothing was known."""
    identifier, number = event.slug, 1
    while session.get(EventRow, identifier) is not None:
        # Another event of the same second whose place shares four digits of the digest.
        number += 1
        identifier = f"{event.slug}-{number}"
    row = EventRow(id=identifier, activation_id=None)
    session.add(row)
    copy(event, row)
    session.flush()
    return row


def keep_names(
    session: Session, row: EventRow, source: str, names: Sequence[str]
) -> list[EventRow]:
    """Record that these identifiers are of an event.

    Returns
    -------
    list of EventRow
        Those that were thought to be other events, and are now the same as this one.
    """
    absorbed = []
    for name in names:
        there = session.get(EventNameRow, (source, name))
        if there is not None and there.event_id != row.id:
            other = session.get(EventRow, there.event_id)
            assert other is not None  # noqa: S101  (a foreign key)
            _absorb(session, row, other)
            absorbed.append(other)
        session.execute(
            insert(EventNameRow)
            .values(source=source, name=name, event_id=row.id)
            .on_conflict_do_nothing()
        )
    return absorbed


def keep_revision(
    session: Session,
    row: EventRow,
    event: GeohazardEvent,
    *,
    reported_at: datetime | None = None,
    magnitude_type: str = "",
    retracted: str = "",
) -> bool:
    """Append what was reported; False where the very same was reported before."""
    content = event.model_dump(mode="json")
    said: object = content
    if reported_at is None:
        # A request that repeats what an agency said says nothing new.
        known = select(EventRevisionRow.id).where(
            EventRevisionRow.event_id == row.id, EventRevisionRow.content == content
        )
        if session.scalars(known).first() is not None:
            return False
    else:
        said = [content, reported_at.isoformat(), magnitude_type, retracted]
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    added = session.execute(
        insert(EventRevisionRow)
        .values(
            event_id=row.id,
            source=event.source,
            source_id=event.source_id,
            content=content,
            digest=digest,
            reported_at=reported_at,
            magnitude_type=magnitude_type,
            retracted=retracted,
        )
        .on_conflict_do_nothing()
        .returning(EventRevisionRow.id)
    )
    return added.first() is not None


def newest_of_each_source(
    session: Session, row: EventRow
) -> tuple[list[Report], list[EventRevisionRow]]:
    """Read the newest word of each source on an event, by the source's own clock.

    Returns
    -------
    solutions, retractions
        A source is in one of them.
    """
    order = EventRevisionRow.reported_at.desc().nulls_last(), EventRevisionRow.id.desc()
    newest = (
        select(EventRevisionRow)
        .where(EventRevisionRow.event_id == row.id)
        .distinct(EventRevisionRow.source)
        .order_by(EventRevisionRow.source, *order)
    )
    solutions, retractions = [], []
    for one in session.scalars(newest):
        if one.retracted:
            retractions.append(one)
            continue
        event = GeohazardEvent.model_validate(one.content)
        solutions.append(Report(event, one.reported_at, one.magnitude_type))
    return solutions, retractions


def solution(session: Session, row: EventRow) -> Report | None:
    """Read the solution that counts; None where every source has taken the event back."""
    return preferred(newest_of_each_source(session, row)[0])


def settle(session: Session, row: EventRow) -> Report | None:
    """Write the solution that counts into the event as it is known now, and read it."""
    best = solution(session, row)
    if best is not None:
        copy(best.event, row)
        session.flush()
    return best


def copy(event: GeohazardEvent, row: EventRow) -> None:
    """Write a solution into the event as it is known now."""
    for name in ("time", "longitude", "latitude", "magnitude", "depth_km", "name"):
        setattr(row, name, getattr(event, name))
    row.event_type = event.event_type


def known_event(row: EventRow) -> GeohazardEvent:
    """Read an event as it is known now."""
    columns = ("event_type", "time", "longitude", "latitude", "name", "magnitude", "depth_km")
    return GeohazardEvent(**{name: getattr(row, name) for name in columns}, source="catalogue")


def _named(session: Session, source: str, names: Sequence[str]) -> EventRow | None:
    """Find the event that one of these identifiers is of; the first of them counts most."""
    if not names:
        return None
    wanted = tuple_(EventNameRow.source, EventNameRow.name).in_([(source, one) for one in names])
    found = {one.name: one.event_id for one in session.scalars(select(EventNameRow).where(wanted))}
    for name in names:
        if name in found:
            return session.get(EventRow, found[name])
    return None


def _absorb(session: Session, row: EventRow, other: EventRow) -> None:
    """Make another event the same as this one: its identifiers, and its activation if need be."""
    of_other = select(EventNameRow).where(EventNameRow.event_id == other.id)
    for name in session.scalars(of_other):
        name.event_id = row.id
    if row.activation_id is None:
        row.activation_id = other.activation_id
    other.same_as = row.id
    session.flush()


def _distance_m(row: EventRow, event: GeohazardEvent) -> float:
    return float(_WGS84.inv(row.longitude, row.latitude, event.longitude, event.latitude)[2])
