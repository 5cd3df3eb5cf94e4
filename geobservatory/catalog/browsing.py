"""Events, activations and products, for programs that look through them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.orm import Session

from geobservatory.catalog.activations import to_activation
from geobservatory.catalog.event_tables import ActivationRow, EventRevisionRow, EventRow
from geobservatory.catalog.interferograms import Interferogram, to_interferogram
from geobservatory.catalog.paging import Box, Page, Place, holds, meets, meets_shape, read_page
from geobservatory.catalog.pair_tables import InterferogramRow, PairRow
from geobservatory.catalog.pairs import Pair, to_pair
from geobservatory.catalog.reports import known_event
from geobservatory.catalog.session import Sessions
from geobservatory.errors import NotFoundError
from geobservatory.events.model import Activation, EventType, GeohazardEvent


@dataclass(frozen=True)
class Sought:
    """What is looked for; what is not given is not asked.

    Attributes
    ----------
    box
        That meets it.
    since, until
        Between these, both included.
    least, most
        Magnitude; what has none is left out then.
    """

    box: Box | None = None
    since: datetime | None = None
    until: datetime | None = None
    least: float | None = None
    most: float | None = None
    kinds: Collection[EventType] = ()
    states: Collection[str] = ()
    verdicts: Collection[str] = ()
    tracks: Collection[int] = ()
    activation_id: str | None = None


@dataclass(frozen=True)
class ListedEvent:
    """An event as it is known now."""

    id: str
    event: GeohazardEvent
    activation_id: str | None


@dataclass(frozen=True)
class Reported:
    """What a source said of an event, once.

    Attributes
    ----------
    received_at, reported_at
        By our clock, and by the source's; a person's report has none.
    retracted
        Why the source takes it back; empty where it does not.
    """

    received_at: datetime
    reported_at: datetime | None
    event: GeohazardEvent
    magnitude_type: str
    retracted: str


@dataclass(frozen=True)
class ListedProduct:
    """An interferogram with its pair.

    Attributes
    ----------
    geometry
        GeoJSON: the footprint of the data, or the area asked for where none is known.
    """

    interferogram: Interferogram
    pair: Pair
    activation_id: str
    geometry: Mapping[str, Any] = field(default_factory=dict)


class BrowsingQueries(Sessions):
    """The part of the catalogue that programs look through."""

    def browse_events(self, sought: Sought, limit: int, after: Place | None) -> Page[ListedEvent]:
        """List events, the newest first; each earthquake once."""
        place = EventRow.time, EventRow.id
        query = select(EventRow).where(EventRow.same_as.is_(None), *_of_events(sought))
        if sought.box is not None:
            query = query.where(holds(sought.box, EventRow.longitude, EventRow.latitude))
        with self._transaction() as session:
            return read_page(
                session, query, place, limit, after, lambda row: (row.time, row.id), _event
            )

    def browse_activations(
        self, sought: Sought, limit: int, after: Place | None
    ) -> Page[Activation]:
        """List activations, the newest event first."""
        # An activation has the identifier of its first event.
        query = (
            select(ActivationRow, EventRow.time)
            .join(EventRow, EventRow.id == ActivationRow.id)
            .where(*_of_events(sought))
        )
        if sought.box is not None:
            query = query.where(meets(sought.box, ActivationRow))
        if sought.states:
            query = query.where(ActivationRow.state.in_(list(sought.states)))
        place = EventRow.time, ActivationRow.id
        with self._transaction() as session:
            return read_page(
                session,
                query,
                place,
                limit,
                after,
                lambda row: (row[1], row[0].id),
                lambda row: to_activation(row[0]),
                meets_shape(sought.box, lambda row: row[0].request["area"]),
            )

    def browse_products(
        self, sought: Sought, limit: int, after: Place | None
    ) -> Page[ListedProduct]:
        """List interferograms, the newest first; those whose images lie about the time sought."""
        query = _products().where(*_like(sought))
        if sought.since is not None:
            query = query.where(PairRow.secondary_time >= sought.since)
        if sought.until is not None:
            query = query.where(PairRow.reference_time <= sought.until)
        if sought.box is not None:
            # Where no footprint is known, that of the activation.
            own = and_(InterferogramRow.west.is_not(None), meets(sought.box, InterferogramRow))
            asked = and_(InterferogramRow.west.is_(None), meets(sought.box, ActivationRow))
            query = query.where(or_(own, asked))
        if sought.activation_id is not None:
            query = query.where(PairRow.activation_id == sought.activation_id)
        for column, among in (
            (InterferogramRow.state, sought.states),
            (InterferogramRow.verdict, sought.verdicts),
            (PairRow.relative_orbit, sought.tracks),
        ):
            if among:
                query = query.where(column.in_(list(among)))
        place = InterferogramRow.created_at, InterferogramRow.id
        with self._transaction() as session:
            return read_page(
                session,
                query,
                place,
                limit,
                after,
                lambda row: (row[0].created_at, row[0].id),
                lambda row: _product(session, row),
                meets_shape(sought.box, _geometry),
            )

    def browsed_event(self, identifier: str) -> ListedEvent:
        """Find an event; one that turned out to be another is that other.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        with self._transaction() as session:
            row = session.get(EventRow, identifier)
            while row is not None and row.same_as is not None:
                row = session.get(EventRow, row.same_as)
            if row is None:
                raise NotFoundError(f"there is no event {identifier}")
            return _event(row)

    def reported(self, identifier: str) -> list[Reported]:
        """List all that sources said of an event, the first first."""
        query = select(EventRevisionRow).where(EventRevisionRow.event_id == identifier)
        with self._transaction() as session:
            return [
                Reported(
                    row.received_at,
                    row.reported_at,
                    GeohazardEvent.model_validate(row.content),
                    row.magnitude_type,
                    row.retracted,
                )
                for row in session.scalars(query.order_by(EventRevisionRow.id))
            ]

    def browsed_activation(self, identifier: str) -> Activation:
        """Find an activation by its whole identifier.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        with self._transaction() as session:
            row = session.get(ActivationRow, identifier)
            if row is None:
                raise NotFoundError(f"there is no activation {identifier}")
            return to_activation(row)

    def browsed_product(self, identifier: str) -> ListedProduct:
        """Find an interferogram.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        with self._transaction() as session:
            row = session.execute(_products().where(InterferogramRow.id == identifier)).first()
            if row is None:
                raise NotFoundError(f"there is no product {identifier}")
            return _product(session, row)


def _products() -> Select[Any]:
    return (
        select(InterferogramRow, PairRow, ActivationRow)
        .join(PairRow, PairRow.id == InterferogramRow.pair_id)
        .join(ActivationRow, ActivationRow.id == PairRow.activation_id)
        # An activation has the identifier of its first event.
        .join(EventRow, EventRow.id == ActivationRow.id)
    )


def _of_events(sought: Sought) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if sought.since is not None:
        wanted.append(EventRow.time >= sought.since)
    if sought.until is not None:
        wanted.append(EventRow.time <= sought.until)
    return [*wanted, *_like(sought)]


def _like(sought: Sought) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if sought.least is not None:
        wanted.append(EventRow.magnitude >= sought.least)
    if sought.most is not None:
        wanted.append(EventRow.magnitude <= sought.most)
    if sought.kinds:
        wanted.append(EventRow.event_type.in_(list(sought.kinds)))
    return wanted


def _event(row: EventRow) -> ListedEvent:
    return ListedEvent(row.id, known_event(row), row.activation_id)


def _product(session: Session, row: Any) -> ListedProduct:
    made, pair, activation = row
    return ListedProduct(
        to_interferogram(session, made), to_pair(pair), activation.id, _geometry(row)
    )


def _geometry(row: Any) -> Mapping[str, Any]:
    made, _, activation = row
    geometry: Mapping[str, Any] = made.footprint or activation.request["area"]
    return geometry
