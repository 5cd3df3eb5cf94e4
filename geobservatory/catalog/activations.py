"""What the catalogue knows of events and activations, and the only ways to change it."""

import hashlib
import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pyproj import Geod
from shapely.geometry import shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geobservatory.catalog.session import Sessions
from geobservatory.catalog.tables import (
    ActivationChangeRow,
    ActivationRow,
    EventRevisionRow,
    EventRow,
)
from geobservatory.errors import CatalogError, NotFoundError
from geobservatory.events.model import (
    Activation,
    ActivationRequest,
    ActivationState,
    GeohazardEvent,
)
from geobservatory.globe import bounding_box

# Two reports are of one event within these (EMSC and USGS differ by less; see docs/catalogue.md).
SAME_TIME = timedelta(seconds=60)
SAME_PLACE_M = 100_000.0

# Which state may follow which. A state may always be written again, with another reason.
_NEXT: dict[ActivationState, set[ActivationState]] = {
    ActivationState.REQUESTED: {
        ActivationState.RUNNING,
        ActivationState.FAILED,
        ActivationState.WITHDRAWN,
    },
    ActivationState.RUNNING: {
        ActivationState.WAITING,
        ActivationState.COMPLETE,
        ActivationState.FAILED,
        ActivationState.WITHDRAWN,
    },
    ActivationState.WAITING: {
        ActivationState.RUNNING,
        ActivationState.WITHDRAWN,
        ActivationState.FAILED,
    },
    ActivationState.COMPLETE: {ActivationState.RUNNING},
    ActivationState.FAILED: {ActivationState.RUNNING, ActivationState.WITHDRAWN},
    ActivationState.WITHDRAWN: {ActivationState.RUNNING},
}

_WGS84 = Geod(ellps="WGS84")
# Number spaces of PostgreSQL's advisory locks: recording events, and working on an activation.
_RECORDING, _WORKING = 0x6E0B_0002, 0x6E0B_0003


@dataclass(frozen=True)
class StateChange:
    """One state an activation has had."""

    at: datetime
    state: ActivationState
    reason: str
    flow_run_id: str | None


class ActivationQueries(Sessions):
    """Events and activations of one database."""

    def request_activation(self, request: ActivationRequest) -> tuple[Activation, bool]:
        """Record an event and its activation; the same event again is the same activation.

        The same event: the same identifier of the same source, or the same kind within
        `SAME_TIME` and `SAME_PLACE_M`. What the new report says is kept as a revision.

        Returns
        -------
        activation, created
            `created` is False where the activation was there already.
        """
        with self._transaction() as session:
            # One at a time: who looks for the same event must see it once it is recorded.
            session.execute(select(func.pg_advisory_xact_lock(_RECORDING)))
            event = _same_event(session, request.event)
            if event is None:
                event = _new_event(session, request.event)
            _keep_revision(session, event, request.event)
            row = session.get(ActivationRow, event.activation_id) if event.activation_id else None
            created = row is None
            if row is None:
                row = _new_activation(session, event, request)
                event.activation_id = row.id
            return _activation(row), created

    def activations(
        self, *, state: ActivationState | None = None, limit: int = 1000
    ) -> list[Activation]:
        """List activations, the newest event first; by priority where a state is asked for."""
        query = select(ActivationRow).limit(limit)
        if state is not None:
            query = query.where(ActivationRow.state == state)
            query = query.order_by(ActivationRow.priority.desc(), ActivationRow.created_at)
        else:
            event_time = ActivationRow.request["event"]["time"].astext
            query = query.order_by(event_time.desc(), ActivationRow.id)
        with self._transaction() as session:
            return [_activation(row) for row in session.scalars(query)]

    def activation(self, identifier: str) -> Activation:
        """Find an activation by its identifier, or the start of it if that is enough.

        Raises
        ------
        NotFoundError
            If there is none, or more than one starts so.
        """
        with self._transaction() as session:
            return _activation(_find(session, identifier))

    def history(self, identifier: str) -> list[StateChange]:
        """List every state an activation has had, the first first."""
        query = select(ActivationChangeRow).order_by(ActivationChangeRow.id)
        with self._transaction() as session:
            row = _find(session, identifier)
            changes = session.scalars(query.where(ActivationChangeRow.activation_id == row.id))
            return [
                StateChange(one.at, ActivationState(one.state), one.reason, one.flow_run_id)
                for one in changes
            ]

    def revisions(self, identifier: str) -> list[GeohazardEvent]:
        """List what was ever reported of an activation's events, the first report first."""
        query = (
            select(EventRevisionRow.content)
            .join(EventRow, EventRow.id == EventRevisionRow.event_id)
            .order_by(EventRevisionRow.id)
        )
        with self._transaction() as session:
            row = _find(session, identifier)
            contents = session.scalars(query.where(EventRow.activation_id == row.id))
            return [GeohazardEvent.model_validate(content) for content in contents]

    def set_state(
        self,
        identifier: str,
        state: ActivationState,
        reason: str,
        flow_run_id: str | None = None,
    ) -> Activation:
        """Write where an activation stands, and why.

        Raises
        ------
        NotFoundError
            If there is no such activation.
        CatalogError
            If that state cannot follow the present one.
        """
        with self._transaction() as session:
            row = session.get(ActivationRow, identifier, with_for_update=True)
            if row is None:
                raise NotFoundError(f"there is no activation {identifier}")
            present = ActivationState(row.state)
            if state != present and state not in _NEXT[present]:
                raise CatalogError(f"{identifier} is {present} and cannot become {state}")
            row.state, row.state_reason = state, reason
            row.flow_run_id = flow_run_id or row.flow_run_id
            row.updated_at = session.execute(select(func.now())).scalar_one()
            _keep_change(session, row)
            return _activation(row)

    def claim(self, identifier: str) -> AbstractContextManager[bool]:
        """Work on an activation alone, across all processes and machines.

        Yields False where somebody else is at work. The claim ends with the process that holds it,
        however that ends.
        """
        return self._lock(_WORKING, identifier, wait=False)

    def is_claimed(self, identifier: str) -> bool:
        """Say whether somebody is at work on an activation."""
        return self._is_locked(_WORKING, identifier)


def _same_event(session: Session, event: GeohazardEvent) -> EventRow | None:
    if event.source_id:
        known = (
            select(EventRow)
            .join(EventRevisionRow, EventRevisionRow.event_id == EventRow.id)
            .where(EventRevisionRow.source == event.source)
            .where(EventRevisionRow.source_id == event.source_id)
        )
        if (row := session.scalars(known).first()) is not None:
            return row
    near_in_time = select(EventRow).where(
        EventRow.event_type == event.event_type,
        EventRow.time.between(event.time - SAME_TIME, event.time + SAME_TIME),
    )
    candidates = [
        (abs(row.time - event.time), row)
        for row in session.scalars(near_in_time)
        if _distance_m(row, event) <= SAME_PLACE_M
    ]
    return min(candidates, key=lambda found: found[0])[1] if candidates else None


def _distance_m(row: EventRow, event: GeohazardEvent) -> float:
    return float(_WGS84.inv(row.longitude, row.latitude, event.longitude, event.latitude)[2])


def _new_event(session: Session, event: GeohazardEvent) -> EventRow:
    identifier, number = event.slug, 1
    while session.get(EventRow, identifier) is not None:
        # Another event of the same second whose place shares four digits of the digest.
        number += 1
        identifier = f"{event.slug}-{number}"
    row = EventRow(id=identifier, activation_id=None)
    session.add(row)
    _copy(event, row)
    session.flush()
    return row


def _keep_revision(session: Session, row: EventRow, event: GeohazardEvent) -> None:
    """Append what was reported, unless the same was reported before."""
    content = event.model_dump(mode="json")
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    seen = select(EventRevisionRow.id).where(
        EventRevisionRow.event_id == row.id, EventRevisionRow.digest == digest
    )
    if session.scalars(seen).first() is not None:
        return
    session.add(
        EventRevisionRow(
            event_id=row.id,
            source=event.source,
            source_id=event.source_id,
            content=content,
            digest=digest,
        )
    )
    _copy(event, row)
    session.flush()


def _copy(event: GeohazardEvent, row: EventRow) -> None:
    for name in ("time", "longitude", "latitude", "magnitude", "depth_km", "name"):
        setattr(row, name, getattr(event, name))
    row.event_type = event.event_type


def _new_activation(session: Session, event: EventRow, request: ActivationRequest) -> ActivationRow:
    west, south, east, north = bounding_box(shape(request.area))
    row = ActivationRow(
        id=event.id,
        state=ActivationState.REQUESTED,
        state_reason="no flow run has taken it up yet",
        request=request.model_dump(mode="json"),
        priority=request.priority,
        west=west,
        south=south,
        east=east,
        north=north,
    )
    session.add(row)
    session.flush()
    _keep_change(session, row)
    return row


def _keep_change(session: Session, row: ActivationRow) -> None:
    session.add(
        ActivationChangeRow(
            activation_id=row.id,
            state=row.state,
            reason=row.state_reason,
            flow_run_id=row.flow_run_id,
        )
    )


def _find(session: Session, identifier: str) -> ActivationRow:
    exact = session.get(ActivationRow, identifier)
    if exact is not None:
        return exact
    start = ActivationRow.id.startswith(identifier, autoescape=True)
    rows = list(session.scalars(select(ActivationRow).where(start).limit(3)))
    if len(rows) == 1:
        return rows[0]
    if not rows:
        raise NotFoundError(f"there is no activation {identifier}; `geobs events` lists them")
    names = ", ".join(row.id for row in rows)
    raise NotFoundError(f"more than one activation starts with {identifier}: {names}")


def _activation(row: ActivationRow) -> Activation:
    columns: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("id", "state", "state_reason", "request", "flow_run_id")
    }
    return Activation(**columns, created_at=row.created_at, updated_at=row.updated_at)
