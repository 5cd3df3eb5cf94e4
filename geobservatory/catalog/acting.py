"""What follows of a decision on an earthquake: an activation begins, grows, or is taken back.

An earthquake of a sequence that has an activation joins it; see `events.sequence`. An activation
that no flow run has taken up is rewritten by each revision and withdrawn when nothing speaks for it
any more; one that is under way only grows. What a person asked for is neither.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union
from sqlalchemy import select
from sqlalchemy.orm import Session

from geobservatory.catalog.activations import events_of, new_activation, write_request, write_state
from geobservatory.catalog.event_tables import ActivationRow, EventDecisionRow, EventRow
from geobservatory.catalog.reports import known_event, newest_of_each_source, solution
from geobservatory.events.area import area_of_interest
from geobservatory.events.criteria import Decision
from geobservatory.events.geojson import to_geojson
from geobservatory.events.model import (
    Action,
    ActivationRequest,
    ActivationState,
    EventType,
    GeohazardEvent,
)
from geobservatory.events.sequence import belongs, main_event
from geobservatory.settings.model import ActivationCriteria

# An area that grows by less of itself is left as it was: every revision moves it a little.
_GROWS = 0.1


@dataclass(frozen=True)
class Done:
    """What was decided and done."""

    activate: bool
    rule: str
    reason: str
    criteria: list[dict[str, Any]]
    action: Action
    starts: bool = False


def act(
    session: Session,
    row: EventRow,
    event: GeohazardEvent,
    decision: Decision,
    wanted: ActivationCriteria,
) -> Done:
    """Activate, join, widen, keep or withdraw."""
    told = decision.activate, decision.rule.value, decision.reason, decision.to_json()
    own = session.get(ActivationRow, row.activation_id) if row.activation_id else None
    if own is None:
        own = _of_its_sequence(session, event, wanted)
        if own is None and not decision.activate:
            return Done(*told, Action.NONE)
        if own is None:
            own = new_activation(session, row, _request(event, wanted), automatic=True)
            row.activation_id = own.id
            _gather(session, own, event, wanted)
            return Done(*told, Action.ACTIVATE, starts=True)
        row.activation_id = own.id
        session.flush()
        if not decision.activate:
            return Done(*told, Action.JOIN)
        grew = _renew(session, own, row)
        _ask_again(session, own, f"{row.id} is of its sequence")
        return Done(*told, Action.WIDEN if grew else Action.JOIN, starts=True)
    if own.state == ActivationState.WITHDRAWN:
        if not (decision.activate and own.automatic):
            return Done(*told, Action.KEEP)
        _renew(session, own, row)
        write_state(session, own, ActivationState.REQUESTED, f"a revision: {decision.reason}")
        return Done(*told, Action.ACTIVATE, starts=True)
    if not decision.activate:
        return Done(*told, _withdraw(session, own, row, decision.reason))
    grew = _renew(session, own, row)
    started = own.state != ActivationState.REQUESTED
    if grew:
        _ask_again(session, own, f"a revision of {row.id} widens the area")
    return Done(*told, Action.WIDEN if grew else Action.KEEP, starts=grew and started)


def drop(session: Session, row: EventRow, why: str) -> Done:
    """Take back what an event that was none has led to."""
    own = session.get(ActivationRow, row.activation_id) if row.activation_id else None
    action = Action.NONE if own is None else _withdraw(session, own, row, why)
    return Done(False, "retraction", why, [], action)


def why_retracted(session: Session, row: EventRow) -> str:
    """Say what the sources that have taken an event back say."""
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
            keep_decision(session, row, Done(False, "sequence", why, [], Action.JOIN))
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


def keep_decision(session: Session, row: EventRow, done: Done) -> None:
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
