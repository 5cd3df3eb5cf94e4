"""How many there are of what, and what was measured last: what a monitor asks every minute."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text

from geobservatory.catalog.event_tables import ActivationRow
from geobservatory.catalog.measurements import Kind
from geobservatory.catalog.probe_tables import RollupRow
from geobservatory.catalog.session import Sessions
from geobservatory.events.model import ActivationState


@dataclass(frozen=True)
class Total:
    """Measurements of a kind: how many, how many well, and the sum of the values of these."""

    asked: int
    good: int
    total: float

    def __add__(self, other: "Total") -> "Total":
        return Total(self.asked + other.asked, self.good + other.good, self.total + other.total)


# By index one row for each hub and kind, however many there are.
_LAST_ASKED = text(
    """
    SELECT hubs.hub, kinds.kind, last.at
    FROM unnest(CAST(:hubs AS varchar[])) AS hubs(hub)
    CROSS JOIN unnest(CAST(:kinds AS varchar[])) AS kinds(kind)
    CROSS JOIN LATERAL (
        SELECT at FROM measurements m
        WHERE m.hub = hubs.hub AND m.kind = kinds.kind AND m.at <= CAST(:at AS timestamptz)
        ORDER BY at DESC LIMIT 1
    ) AS last
    """
)
_LAST_VALUES = text(
    """
    SELECT hubs.hub, kinds.kind, last.at, last.value
    FROM unnest(CAST(:hubs AS varchar[])) AS hubs(hub)
    CROSS JOIN unnest(CAST(:kinds AS varchar[])) AS kinds(kind)
    CROSS JOIN LATERAL (
        SELECT at, value FROM measurements m
        WHERE m.hub = hubs.hub AND m.kind = kinds.kind AND m.at <= CAST(:at AS timestamptz)
            AND m.ok AND m.product_type IS NULL
        ORDER BY at DESC LIMIT 1
    ) AS last
    """
)


class TotalQueries(Sessions):
    """The part of the catalogue that counts."""

    def activation_counts(self) -> dict[ActivationState, int]:
        """Count the activations in each state."""
        counted = select(ActivationRow.state, func.count()).group_by(ActivationRow.state)
        with self._transaction() as session:
            found = {ActivationState(state): count for state, count in session.execute(counted)}
        return {state: found.get(state, 0) for state in ActivationState}

    def answer_totals(
        self, hubs: Sequence[str], since: datetime | None = None, until: datetime | None = None
    ) -> dict[tuple[str, Kind], Total]:
        """Add up the sums of the hours of some hubs, of all time where none is given."""
        summed = (
            select(
                RollupRow.hub,
                RollupRow.kind,
                func.sum(RollupRow.asked),
                func.sum(RollupRow.good),
                func.sum(RollupRow.total),
            )
            .where(RollupRow.hub.in_(hubs))
            .group_by(RollupRow.hub, RollupRow.kind)
        )
        if since is not None:
            summed = summed.where(RollupRow.hour >= since)
        if until is not None:
            summed = summed.where(RollupRow.hour < until)
        with self._transaction() as session:
            rows = session.execute(summed).all()
        return {
            (hub, Kind(kind)): Total(int(asked), int(good), float(total))
            for hub, kind, asked, good, total in rows
        }

    def publication_totals(
        self, hubs: Sequence[str], until: datetime
    ) -> dict[tuple[str, str], int]:
        """Count what some hubs published before a time, by hub and type of product."""
        counted = (
            select(RollupRow.hub, RollupRow.product_type, func.sum(RollupRow.good))
            .where(RollupRow.hub.in_(hubs), RollupRow.kind == Kind.LATENCY.value)
            .where(RollupRow.hour < until)
            .group_by(RollupRow.hub, RollupRow.product_type)
        )
        with self._transaction() as session:
            return {(hub, kind): int(count) for hub, kind, count in session.execute(counted)}

    def last_asked(
        self, hubs: Sequence[str], kinds: Collection[Kind], at: datetime
    ) -> dict[tuple[str, Kind], datetime]:
        """Tell when some kinds were last measured of some hubs, well or not, up to a time."""
        given = {"hubs": list(hubs), "kinds": [kind.value for kind in kinds], "at": at}
        with self._transaction() as session:
            rows = session.execute(_LAST_ASKED, given).all()
        return {(hub, Kind(kind)): last for hub, kind, last in rows}

    def last_values(
        self, hubs: Sequence[str], kinds: Collection[Kind], at: datetime
    ) -> dict[tuple[str, Kind], tuple[datetime, float]]:
        """Give the newest values that were well, with their times; see `last_value`."""
        given = {"hubs": list(hubs), "kinds": [kind.value for kind in kinds], "at": at}
        with self._transaction() as session:
            rows = session.execute(_LAST_VALUES, given).all()
        return {(hub, Kind(kind)): (when, value) for hub, kind, when, value in rows}
