"""Times in which a hub was not as it should be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from geobservatory.catalog.probe_tables import IncidentRow
from geobservatory.catalog.session import Sessions


@dataclass(frozen=True)
class Incident:
    """A time in which a hub was not as it should be.

    Attributes
    ----------
    aspect
        Of the hub: ``reachable``, ``download``, … (`geobservatory.probing.incidents`).
    began_at
        When the first measurement that tells of it was made.
    noticed_at
        When that was enough to be sure.
    ended_at
        When the first measurement was made that was well again; None while it lasts.
    cause
        In a sentence.
    evidence
        The measurements it rests on.
    """

    id: int
    hub: str
    aspect: str
    began_at: datetime
    noticed_at: datetime
    ended_at: datetime | None
    cause: str
    evidence: Mapping[str, Any]

    def lasted(self, now: datetime) -> timedelta:
        """Tell how long it lasted, or has lasted."""
        return (self.ended_at or now) - self.began_at


@dataclass(frozen=True)
class Turn:
    """An incident that has just begun, or ended."""

    incident: Incident
    began: bool


class IncidentQueries(Sessions):
    """The part of the catalogue that is about incidents."""

    def open_incident(
        self,
        hub: str,
        aspect: str,
        began_at: datetime,
        noticed_at: datetime,
        cause: str,
        evidence: Mapping[str, Any],
    ) -> Incident | None:
        """Open an incident; None where one of this hub and aspect is open."""
        row = {
            "hub": hub,
            "aspect": aspect,
            "began_at": began_at,
            "noticed_at": noticed_at,
            "cause": cause,
            "evidence": dict(evidence),
        }
        statement = upsert(IncidentRow).values(row).on_conflict_do_nothing()
        with self._transaction() as session:
            made = session.scalars(statement.returning(IncidentRow)).first()
            return None if made is None else _incident(made)

    def end_incident(self, identifier: int, ended_at: datetime) -> Incident | None:
        """End an incident; None where it had ended."""
        ended = update(IncidentRow).where(
            IncidentRow.id == identifier, IncidentRow.ended_at.is_(None)
        )
        with self._transaction() as session:
            row = session.scalars(ended.values(ended_at=ended_at).returning(IncidentRow)).first()
            return None if row is None else _incident(row)

    def open_incidents(self, hub: str | None = None) -> list[Incident]:
        """List what is open, the oldest first."""
        wanted = select(IncidentRow).where(IncidentRow.ended_at.is_(None))
        if hub is not None:
            wanted = wanted.where(IncidentRow.hub == hub)
        with self._transaction() as session:
            rows = session.scalars(wanted.order_by(IncidentRow.began_at))
            return [_incident(row) for row in rows]

    def incidents(self, since: datetime, hubs: Sequence[str] | None = None) -> list[Incident]:
        """List what was open at any time since then, the newest first."""
        wanted = select(IncidentRow).where(
            or_(IncidentRow.ended_at.is_(None), IncidentRow.ended_at >= since)
        )
        if hubs is not None:
            wanted = wanted.where(IncidentRow.hub.in_(hubs))
        with self._transaction() as session:
            rows = session.scalars(wanted.order_by(IncidentRow.began_at.desc()))
            return [_incident(row) for row in rows]

    def last_incident_end(self, hub: str, aspect: str) -> datetime | None:
        """Tell when the last incident of a hub and aspect ended."""
        ended = (
            select(IncidentRow.ended_at)
            .where(IncidentRow.hub == hub, IncidentRow.aspect == aspect)
            .where(IncidentRow.ended_at.is_not(None))
            .order_by(IncidentRow.ended_at.desc())
            .limit(1)
        )
        with self._transaction() as session:
            return session.scalars(ended).first()


def _incident(row: IncidentRow) -> Incident:
    return Incident(**{name: getattr(row, name) for name in Incident.__dataclass_fields__})
