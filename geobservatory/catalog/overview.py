"""Activations as people look for them, and what was told of their events, with times."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Float, cast, select

from geobservatory.catalog.activations import to_activation
from geobservatory.catalog.event_tables import ActivationRow, EventRevisionRow, EventRow
from geobservatory.catalog.pair_tables import InterferogramRow, PairRow
from geobservatory.catalog.session import Sessions
from geobservatory.events.model import Activation, ActivationState, EventType, GeohazardEvent

# Best first; those between others are worth little.
_WORTH = {"good": 0, "usable with care": 1, "not usable": 2}


@dataclass(frozen=True)
class Overview:
    """An activation in a list.

    Attributes
    ----------
    maps
        Complete interferograms.
    best
        Folder of the one to show, under the products' folder; None where there is none.
    """

    activation: Activation
    maps: int
    best: str | None


@dataclass(frozen=True)
class Told:
    """What a source said of an event, once.

    Attributes
    ----------
    at
        When it was received.
    retracted
        Why the source takes it back; empty where it does not.
    """

    at: datetime
    event: GeohazardEvent
    magnitude_type: str
    retracted: str


class OverviewQueries(Sessions):
    """The part of the catalogue that answers people who look around."""

    def overviews(
        self,
        *,
        kinds: Collection[EventType] = (),
        states: Collection[ActivationState] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        magnitude: float | None = None,
        most: int = 10_000,
    ) -> list[Overview]:
        """List activations, the newest event first.

        Parameters
        ----------
        kinds, states
            Any of them; all where there are none.
        since, until
            Of the event's time; `until` is not included.
        magnitude
            The least; events without one are left out then.
        """
        event = ActivationRow.request["event"]
        # ISO 8601 in UTC: the order of the text is that of the time.
        time = event["time"].astext
        query = select(ActivationRow).order_by(time.desc(), ActivationRow.id).limit(most)
        if kinds:
            query = query.where(event["event_type"].astext.in_(list(kinds)))
        if states:
            query = query.where(ActivationRow.state.in_(list(states)))
        if since is not None:
            query = query.where(time >= f"{since:%Y-%m-%dT%H:%M:%S}")
        if until is not None:
            query = query.where(time < f"{until:%Y-%m-%dT%H:%M:%S}")
        if magnitude is not None:
            query = query.where(cast(event["magnitude"].astext, Float) >= magnitude)
        maps = (
            select(
                PairRow.activation_id,
                PairRow.kind,
                PairRow.rank,
                InterferogramRow.verdict,
                InterferogramRow.folder,
            )
            .join(InterferogramRow, InterferogramRow.pair_id == PairRow.id)
            .where(InterferogramRow.state == "complete", PairRow.chosen)
        )
        with self._transaction() as session:
            found = [to_activation(row) for row in session.scalars(query)]
            made: dict[str, list[tuple[bool, int, int, str]]] = {}
            for name, kind, rank, verdict, folder in session.execute(maps):
                worth = _WORTH.get(verdict, 3)
                made.setdefault(name, []).append((kind != "co-event", worth, rank, folder))
        return [
            Overview(one, len(of_it), min(of_it)[-1] if of_it else None)
            for one in found
            for of_it in (made.get(one.id, []),)
        ]

    def told_of(self, activation_id: str) -> list[Told]:
        """List all that sources said of an activation's events, the first first."""
        query = (
            select(EventRevisionRow)
            .join(EventRow, EventRow.id == EventRevisionRow.event_id)
            .where(EventRow.activation_id == activation_id)
            .order_by(EventRevisionRow.id)
        )
        with self._transaction() as session:
            return [
                Told(
                    row.received_at,
                    GeohazardEvent.model_validate(row.content),
                    row.magnitude_type,
                    row.retracted,
                )
                for row in session.scalars(query)
            ]
