"""What is heard of earthquakes becomes events, decisions and activations; each report once.

A report is recorded, joined to its event, decided on and acted upon in one transaction, one report
at a time over all processes. So a watcher that is killed has heard a report wholly or not at all,
and of two watchers that hear the same one the second changes nothing.
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from geobservatory.catalog.activations import (
    events_of,
    new_activation,
    to_activation,
    write_request,
    write_state,
)
from geobservatory.catalog.reports import (
    RECORDING,
    keep_names,
    keep_revision,
    known_event,
    new_event,
    newest_of_each_source,
    same_event,
    settle,
    solution,
)
from geobservatory.catalog.tables import (
    ActivationRow,
    EventDecisionRow,
    EventRevisionRow,
    EventRow,
    FeedRow,
)
from geobservatory.events.area import area_of_interest
from geobservatory.events.criteria import Decision, decide
from geobservatory.events.geojson import to_geojson
from geobservatory.events.model import (
    Action,
    Activation,
    ActivationRequest,
    ActivationState,
    EventType,
    GeohazardEvent,
)
from geobservatory.events.report import Report, Retraction
from geobservatory.events.sequence import belongs, main_event
from geobservatory.globe import area_km2
from geobservatory.settings.model import ActivationCriteria

# An area that grows by less of itself is left as it was: every revision moves it a little.
_GROWS = 0.1


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


class HearingQueries:
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
                done = _drop(session, row, _why(session, row))
            else:
                done = _act(session, row, best.event, decide(best.event, wanted), wanted)
            heard = _heard(session, row, report.source, done)
            for other in absorbed:
                why = f"the same earthquake as {row.id}, says {report.source}"
                _keep_decision(session, other, _drop(session, other, why))
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

    def _transaction(self) -> AbstractContextManager[Session]:
        raise NotImplementedError


@dataclass(frozen=True)
class _Done:
    """What was decided and done."""

    activate: bool
    rule: str
    reason: str
    criteria: list[dict[str, Any]]
    action: Action
    starts: bool = False


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


def _act(
    session: Session,
    row: EventRow,
    event: GeohazardEvent,
    decision: Decision,
    wanted: ActivationCriteria,
) -> _Done:
    """Activate, join, widen, keep or withdraw."""
    told = decision.activate, decision.rule.value, decision.reason, decision.to_json()
    own = session.get(ActivationRow, row.activation_id) if row.activation_id else None
    if own is None:
        own = _of_its_sequence(session, event, wanted)
        if own is None and not decision.activate:
            return _Done(*told, Action.NONE)
        if own is None:
            own = new_activation(session, row, _request(event, wanted), automatic=True)
            row.activation_id = own.id
            _gather(session, own, event, wanted)
            return _Done(*told, Action.ACTIVATE, starts=True)
        row.activation_id = own.id
        session.flush()
        if not decision.activate:
            return _Done(*told, Action.JOIN)
        grew = _renew(session, own, row)
        _ask_again(session, own, f"{row.id} is of its sequence")
        return _Done(*told, Action.WIDEN if grew else Action.JOIN, starts=True)
    if own.state == ActivationState.WITHDRAWN:
        if not (decision.activate and own.automatic):
            return _Done(*told, Action.KEEP)
        _renew(session, own, row)
        write_state(session, own, ActivationState.REQUESTED, f"a revision: {decision.reason}")
        return _Done(*told, Action.ACTIVATE, starts=True)
    if not decision.activate:
        return _Done(*told, _withdraw(session, own, row, decision.reason))
    grew = _renew(session, own, row)
    started = own.state != ActivationState.REQUESTED
    if grew:
        _ask_again(session, own, f"a revision of {row.id} widens the area")
    return _Done(*told, Action.WIDEN if grew else Action.KEEP, starts=grew and started)


def _drop(session: Session, row: EventRow, why: str) -> _Done:
    """Take back what an event that was none has led to."""
    own = session.get(ActivationRow, row.activation_id) if row.activation_id else None
    action = Action.NONE if own is None else _withdraw(session, own, row, why)
    return _Done(False, "retraction", why, [], action)


def _why(session: Session, row: EventRow) -> str:
    _, retractions = newest_of_each_source(session, row)
    return "; ".join(f"{one.source}: {one.retracted}" for one in retractions)


def _withdraw(session: Session, own: ActivationRow, row: EventRow, why: str) -> Action:
    """Withdraw an activation that has not started, unless something else wants it."""
    if not own.automatic or own.state != ActivationState.REQUESTED:
        return Action.KEEP
    if any(_activates(session, one) for one in events_of(session, own) if one is not row):
        return Action.KEEP
    write_state(session, own, ActivationState.WITHDRAWN, f"a revision of {row.id}: {why}")
    return Action.WITHDRAW


def _activates(session: Session, row: EventRow) -> bool:
    """Tell whether the last decision on an event was for an activation."""
    query = (
        select(EventDecisionRow.activate)
        .where(EventDecisionRow.event_id == row.id)
        .order_by(EventDecisionRow.id.desc())
        .limit(1)
    )
    return session.scalars(query).first() is True


def _of_its_sequence(
    session: Session, event: GeohazardEvent, wanted: ActivationCriteria
) -> ActivationRow | None:
    """Find the activation of the sequence an earthquake is of; of several that of the largest."""
    longest = timedelta(days=wanted.days_after)
    query = (
        select(ActivationRow)
        .join(EventRow, EventRow.activation_id == ActivationRow.id)
        .where(EventRow.event_type == EventType.EARTHQUAKE, EventRow.same_as.is_(None))
        .where(EventRow.time.between(event.time - longest, event.time + longest))
        .where(ActivationRow.state != ActivationState.WITHDRAWN)
        .distinct()
    )
    found = []
    for row in session.scalars(query):
        main = main_event(known_event(one) for one in events_of(session, row))
        if belongs(event, main, longest):
            found.append((-(main.magnitude or 0.0), row.id, row))
    return min(found)[2] if found else None


def _gather(
    session: Session, own: ActivationRow, event: GeohazardEvent, wanted: ActivationCriteria
) -> None:
    """Join the foreshocks, and the aftershocks that were heard of first."""
    longest = timedelta(days=wanted.days_after)
    query = (
        select(EventRow)
        .where(EventRow.activation_id.is_(None), EventRow.same_as.is_(None))
        .where(EventRow.event_type == EventType.EARTHQUAKE)
        .where(EventRow.time.between(event.time - longest, event.time + longest))
    )
    for row in session.scalars(query):
        if belongs(known_event(row), event, longest):
            row.activation_id = own.id
            why = f"of the sequence of {own.id}"
            _keep_decision(session, row, _Done(False, "sequence", why, [], Action.JOIN))
    session.flush()


def _request(event: GeohazardEvent, wanted: ActivationCriteria) -> ActivationRequest:
    return ActivationRequest(
        event=event,
        area=to_geojson(_area(event)),
        days_before=wanted.days_before,
        days_after=wanted.days_after,
    )


def _area(event: GeohazardEvent) -> BaseGeometry:
    assert event.magnitude is not None  # noqa: S101  (without one nothing activates)
    return area_of_interest(event.longitude, event.latitude, event.magnitude, event.depth_km)


def _renew(session: Session, own: ActivationRow, row: EventRow) -> bool:
    """Write what is known now into an activation; True where its area grew.

    Only before a flow run has taken it up does an area shrink. Of what a person asked for, event
    and area stay, and other earthquakes add theirs.

    Parameters
    ----------
    row
        An event that activates, whose decision is not recorded yet.
    """
    request = ActivationRequest.model_validate(own.request)
    solutions = {
        one.id: solution(session, one)
        for one in events_of(session, own)
        if one is row or _activates(session, one)
    }
    known = {name: one.event for name, one in solutions.items() if one is not None}
    adding = [event for name, event in known.items() if own.automatic or name != own.id]
    areas = [_area(event) for event in adding if event.magnitude is not None]
    old = shape(request.area)
    target = unary_union([old, *areas])
    grew = bool(target.difference(old).area > _GROWS * old.area)
    if own.automatic and own.state in (ActivationState.REQUESTED, ActivationState.WITHDRAWN):
        target = unary_union(areas)
    elif not grew:
        target = old
    event = main_event(known.values()) if own.automatic else request.event
    renewed = request.model_copy(update={"event": event, "area": to_geojson(target)})
    write_request(own, renewed)
    session.flush()
    return grew


def _ask_again(session: Session, own: ActivationRow, why: str) -> None:
    """Have a flow run take up an activation again; one that is at work stays at work."""
    if own.state not in (ActivationState.REQUESTED, ActivationState.RUNNING):
        write_state(session, own, ActivationState.REQUESTED, why)


def _heard(session: Session, row: EventRow, source: str, done: _Done) -> Heard:
    _keep_decision(session, row, done)
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


def _keep_decision(session: Session, row: EventRow, done: _Done) -> None:
    """Append a decision, unless the same was decided last."""
    query = (
        select(EventDecisionRow)
        .where(EventDecisionRow.event_id == row.id)
        .order_by(EventDecisionRow.id.desc())
        .limit(1)
    )
    last = session.scalars(query).first()
    columns = {
        "activate": done.activate,
        "rule": done.rule,
        "reason": done.reason,
        "criteria": done.criteria,
        "action": done.action,
        "activation_id": row.activation_id,
    }
    if last is not None and all(getattr(last, name) == one for name, one in columns.items()):
        return
    session.add(EventDecisionRow(event_id=row.id, **columns))
    session.flush()


def _heard_event(session: Session, row: EventRow, last: EventDecisionRow) -> HeardEvent:
    sources = select(EventRevisionRow.source, func.count()).where(
        EventRevisionRow.event_id == row.id
    )
    counted = {
        source: number
        for source, number in session.execute(sources.group_by(EventRevisionRow.source))
    }
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
