"""What is heard of earthquakes becomes events, decisions and activations; each report once.

A report is recorded, joined to its event, decided on and acted upon in one transaction, one report
at a time over all processes. So a watcher that is killed has heard a report wholly or not at all,
and of two watchers that hear the same one the second changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from geobservatory.catalog.acting import Done, act, drop, keep_decision, why_retracted
from geobservatory.catalog.activations import to_activation
from geobservatory.catalog.event_tables import (
    ActivationRow,
    EventDecisionRow,
    EventRevisionRow,
    EventRow,
    FeedRow,
)
from geobservatory.catalog.reports import (
    RECORDING,
    keep_names,
    keep_revision,
    known_event,
    new_event,
    same_event,
    settle,
)
from geobservatory.catalog.session import Sessions
from geobservatory.events.criteria import decide
from geobservatory.events.model import Action, Activation, GeohazardEvent
from geobservatory.events.report import Report, Retraction
from geobservatory.settings.model import ActivationCriteria


@dataclass(frozen=True)
class Heard:
    """What a report led to.

    Attributes
    ----------
    event_id
        In the catalogue.
    source
        Whose report it was.
    event
        As it is known now; the report's own solution need not be the one that counts.
    activate, reason
        What was decided, and why.
    action
        What was done.
    activation
        The event's; None where it has none.
    starts
        Whether a flow is to be started for the activation.
    """

    event_id: str
    source: str
    event: GeohazardEvent
    activate: bool
    reason: str
    action: Action
    activation: Activation | None
    starts: bool


@dataclass(frozen=True)
class HeardEvent:
    """An earthquake of the catalogue with the last decision on it."""

    id: str
    event: GeohazardEvent
    sources: tuple[str, ...]
    revisions: int
    decided_at: datetime
    activate: bool
    rule: str
    reason: str
    criteria: list[dict[str, Any]]
    action: Action
    activation_id: str | None


class HearingQueries(Sessions):
    """The part of the catalogue that is about what was heard."""

    def hear(
        self,
        report: Report | Retraction,
        wanted: ActivationCriteria,
        least_magnitude: float,
    ) -> Heard | None:
        """Record a report, decide on its earthquake, and do what follows.

        Parameters
        ----------
        report
            Of an agency.
        wanted
            The criteria.
        least_magnitude
            Smaller earthquakes are not recorded, unless they are known already.

        Returns
        -------
        Heard or None
            None where nothing is new: the report was heard before, or is of nothing known.
        """
        with self._transaction() as session:
            session.execute(select(func.pg_advisory_xact_lock(RECORDING)))
            row, absorbed = _record(session, report, least_magnitude)
            if row is None:
                return None
            best = settle(session, row)
            if best is None:
                done = drop(session, row, why_retracted(session, row))
            else:
                done = act(session, row, best.event, decide(best.event, wanted), wanted)
            heard = _heard(session, row, report.source, done)
            for other in absorbed:
                why = f"the same earthquake as {row.id}, says {report.source}"
                keep_decision(session, other, drop(session, other, why))
            return heard

    def heard(self, *, limit: int = 100, since: datetime | None = None) -> list[HeardEvent]:
        """List the earthquakes that were decided on, the newest first."""
        last = (
            select(EventDecisionRow)
            .distinct(EventDecisionRow.event_id)
            .order_by(EventDecisionRow.event_id, EventDecisionRow.id.desc())
            .subquery()
        )
        query = (
            select(EventRow, EventDecisionRow)
            .join(last, last.c.event_id == EventRow.id)
            .join(EventDecisionRow, EventDecisionRow.id == last.c.id)
            .order_by(EventRow.time.desc(), EventRow.id)
            .limit(limit)
        )
        if since is not None:
            query = query.where(EventRow.time >= since)
        with self._transaction() as session:
            return [_heard_event(session, row, last) for row, last in session.execute(query)]

    def seen_until(self, feed: str) -> datetime | None:
        """Tell how far a feed has been read; None where it never was."""
        with self._transaction() as session:
            row = session.get(FeedRow, feed)
            return None if row is None else row.seen_until

    def note_seen(self, feed: str, until: datetime) -> None:
        """Note how far a feed has been read; never back."""
        added = insert(FeedRow).values(name=feed, seen_until=until)
        kept = added.on_conflict_do_update(
            index_elements=[FeedRow.name],
            set_={
                "seen_until": func.greatest(FeedRow.seen_until, added.excluded.seen_until),
                "read_at": func.now(),
            },
        )
        with self._transaction() as session:
            session.execute(kept)


def _record(
    session: Session, report: Report | Retraction, least_magnitude: float
) -> tuple[EventRow | None, list[EventRow]]:
    """Record a report; no event where it says nothing new. And events that turn out to be it."""
    if isinstance(report, Retraction):
        return _record_retraction(session, report), []
    row = same_event(session, report.event, report.names)
    if row is None:
        magnitude = report.event.magnitude
        if magnitude is None or magnitude < least_magnitude:
            return None, []
        row = new_event(session, report.event)
    absorbed = keep_names(session, row, report.source, report.names)
    new = keep_revision(
        session,
        row,
        report.event,
        reported_at=report.updated,
        magnitude_type=report.magnitude_type,
    )
    return (row if new or absorbed else None), absorbed


def _record_retraction(session: Session, report: Retraction) -> EventRow | None:
    # The last solution stays beside the retraction: what is taken back has to be named.
    query = (
        select(EventRevisionRow)
        .where(EventRevisionRow.source == report.source)
        .where(EventRevisionRow.source_id.in_(report.names))
        .order_by(EventRevisionRow.id.desc())
        .limit(1)
    )
    last = session.scalars(query).first()
    if last is None:
        return None
    event = GeohazardEvent.model_validate(last.content)
    row = same_event(session, event, report.names)
    if row is None:
        return None
    new = keep_revision(
        session, row, event, reported_at=report.updated, retracted=report.why or "taken back"
    )
    return row if new else None


def _heard(session: Session, row: EventRow, source: str, done: Done) -> Heard:
    keep_decision(session, row, done)
    own = session.get(ActivationRow, row.activation_id) if row.activation_id else None
    return Heard(
        event_id=row.id,
        source=source,
        event=known_event(row),
        activate=done.activate,
        reason=done.reason,
        action=done.action,
        activation=None if own is None else to_activation(own),
        starts=done.starts,
    )


def _heard_event(session: Session, row: EventRow, last: EventDecisionRow) -> HeardEvent:
    sources = select(EventRevisionRow.source, func.count()).where(
        EventRevisionRow.event_id == row.id
    )
    counted = dict(session.execute(sources.group_by(EventRevisionRow.source)).tuples().all())
    return HeardEvent(
        id=row.id,
        event=known_event(row),
        sources=tuple(sorted(counted)),
        revisions=sum(counted.values()),
        decided_at=last.at,
        activate=last.activate,
        rule=last.rule,
        reason=last.reason,
        criteria=last.criteria,
        action=Action(last.action),
        activation_id=last.activation_id,
    )
