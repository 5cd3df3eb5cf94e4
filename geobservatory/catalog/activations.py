"""What the catalogue knows of events and activations, and the only ways to change it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shapely.geometry import shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geobservatory.catalog.event_tables import (
    ActivationChangeRow,
    ActivationRow,
    EventRevisionRow,
    EventRow,
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
from geobservatory.errors import CatalogError, NotFoundError
from geobservatory.events.model import (
    FEEDS,
    Activation,
    ActivationRequest,
    ActivationState,
    GeohazardEvent,
)
from geobservatory.globe import bounding_box

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
    # Asked for again: the area has grown, or the sequence has another earthquake.
    ActivationState.WAITING: {
        ActivationState.REQUESTED,
        ActivationState.RUNNING,
        ActivationState.WITHDRAWN,
        ActivationState.FAILED,
    },
    ActivationState.COMPLETE: {ActivationState.REQUESTED, ActivationState.RUNNING},
    ActivationState.FAILED: {
        ActivationState.REQUESTED,
        ActivationState.RUNNING,
        ActivationState.WITHDRAWN,
    },
    ActivationState.WITHDRAWN: {ActivationState.REQUESTED, ActivationState.RUNNING},
}

# Number space of PostgreSQL's advisory locks.
_WORKING = 0x6E0B_0003


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

        The same event: see `catalog.reports.same_event`. What the new report says is kept as a
        revision.

        Returns
        -------
        activation, created
            `created` is False where the activation was there already.
        """
        with self._transaction() as session:
            session.execute(select(func.pg_advisory_xact_lock(RECORDING)))
            names = [request.event.source_id] if request.event.source_id else []
            event = same_event(session, request.event, names)
            if event is None:
                event = new_event(session, request.event)
            keep_names(session, event, request.event.source, names)
            keep_revision(session, event, request.event)
            settle(session, event)
            row = session.get(ActivationRow, event.activation_id) if event.activation_id else None
            created = row is None
            if row is None:
                row = new_activation(session, event, request)
                event.activation_id = row.id
            elif request.event.source not in FEEDS:
                _asked_by_a_person(session, row)
            return to_activation(row), created

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
            return [to_activation(row) for row in session.scalars(query)]

    def activation(self, identifier: str) -> Activation:
        """Find an activation by its identifier, or the start of it if that is enough.

        Raises
        ------
        NotFoundError
            If there is none, or more than one starts so.
        """
        with self._transaction() as session:
            return to_activation(_find(session, identifier))

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

    def events_of(self, identifier: str) -> list[GeohazardEvent]:
        """List the events of an activation as they are known now, the first first.

        Raises
        ------
        NotFoundError
            If there is no such activation.
        """
        with self._transaction() as session:
            row = _find(session, identifier)
            return [known_event(one) for one in events_of(session, row)]

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
            row.flow_run_id = flow_run_id or row.flow_run_id
            write_state(session, row, state, reason)
            return to_activation(row)

    def claim(self, identifier: str) -> AbstractContextManager[bool]:
        """Work on an activation alone, across all processes and machines.

        Yields False where somebody else is at work. The claim ends with the process that holds it,
        however that ends.
        """
        return self._lock(_WORKING, identifier, wait=False)

    def is_claimed(self, identifier: str) -> bool:
        """Say whether somebody is at work on an activation."""
        return self._is_locked(_WORKING, identifier)


def events_of(session: Session, row: ActivationRow) -> list[EventRow]:
    """List the events of an activation, the first first, each earthquake once."""
    query = select(EventRow).where(EventRow.activation_id == row.id, EventRow.same_as.is_(None))
    return list(session.scalars(query.order_by(EventRow.time, EventRow.id)))


def new_activation(
    session: Session, event: EventRow, request: ActivationRequest, *, automatic: bool = False
) -> ActivationRow:
    """Record an activation that nobody has taken up yet."""
    row = ActivationRow(
        id=event.id,
        state=ActivationState.REQUESTED,
        state_reason="no flow run has taken it up yet",
        automatic=automatic,
    )
    write_request(row, request)
    session.add(row)
    session.flush()
    _keep_change(session, row, row.state_reason)
    return row


def write_request(row: ActivationRow, request: ActivationRequest) -> None:
    """Write what is asked for, and the box about its area."""
    row.request = request.model_dump(mode="json")
    row.priority = request.priority
    row.west, row.south, row.east, row.north = bounding_box(shape(request.area))


def write_state(session: Session, row: ActivationRow, state: ActivationState, reason: str) -> None:
    """Write where an activation stands, and keep that it came to stand there.

    Raises
    ------
    CatalogError
        If that state cannot follow the present one.
    """
    present = ActivationState(row.state)
    if state != present and state not in _NEXT[present]:
        raise CatalogError(f"{row.id} is {present} and cannot become {state}")
    row.state, row.state_reason = state, reason
    row.updated_at = session.execute(select(func.now())).scalar_one()
    _keep_change(session, row, reason)


def _asked_by_a_person(session: Session, row: ActivationRow) -> None:
    """Keep what a person wants from being withdrawn, and bring back what was."""
    row.automatic = False
    if row.state == ActivationState.WITHDRAWN:
        write_state(session, row, ActivationState.REQUESTED, "asked for again")


def _keep_change(session: Session, row: ActivationRow, reason: str) -> None:
    session.add(
        ActivationChangeRow(
            activation_id=row.id,
            state=row.state,
            reason=reason,
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


def to_activation(row: ActivationRow) -> Activation:
    """Read an activation from its row."""
    columns: dict[str, Any] = {
        name: getattr(row, name)
        for name in ("id", "state", "state_reason", "request", "flow_run_id")
    }
    return Activation(**columns, created_at=row.created_at, updated_at=row.updated_at)
