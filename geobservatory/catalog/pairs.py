"""Which pairs an activation has, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from geobservatory.catalog.pair_tables import PairRow
from geobservatory.catalog.session import Sessions
from geobservatory.errors import NotFoundError


@dataclass(frozen=True)
class Pair:
    """A pair of passes of one track, chosen for an activation.

    Attributes
    ----------
    id
        Unique within the activation, and the same whenever the same pair is chosen.
    kind
        ``co-event``, ``pre-event`` or ``post-event``.
    reference, secondary
        Names of the slices; the reference is the earlier pass.
    rank
        0 for the best of its kind and track, then the alternatives.
    spans
        Identifiers of the events between the images.
    """

    id: str
    kind: str
    relative_orbit: int
    direction: str
    reference_time: datetime
    secondary_time: datetime
    reference: tuple[str, ...]
    secondary: tuple[str, ...]
    score: float
    rank: int
    spans: tuple[str, ...]
    reason: str


class PairQueries(Sessions):
    """The part of the catalogue that is about pairs."""

    def record_pairs(
        self, activation_id: str, pairs: Sequence[Pair], flow_run_id: str | None = None
    ) -> None:
        """Keep which pairs are chosen for an activation now; others of it are chosen no longer."""
        with self._transaction() as session:
            unchosen = update(PairRow).where(PairRow.activation_id == activation_id)
            session.execute(unchosen.values(chosen=False))
            for pair in sorted(pairs, key=lambda one: one.id):
                row = _pair_row(activation_id, pair, flow_run_id)
                statement = upsert(PairRow).values(row)
                session.execute(
                    statement.on_conflict_do_update(index_elements=[PairRow.id], set_=row)
                )

    def pairs(self, activation_id: str) -> list[Pair]:
        """List the pairs that are chosen for an activation, by track, kind and rank."""
        wanted = select(PairRow).where(PairRow.activation_id == activation_id, PairRow.chosen)
        order = PairRow.relative_orbit, PairRow.kind, PairRow.rank, PairRow.id
        with self._transaction() as session:
            return [to_pair(row) for row in session.scalars(wanted.order_by(*order))]

    def pair(self, activation_id: str, pair_id: str) -> Pair:
        """Find a pair of an activation, chosen still or not.

        Raises
        ------
        NotFoundError
            If it has no such pair.
        """
        with self._transaction() as session:
            row = session.get(PairRow, row_id(activation_id, pair_id))
            if row is None:
                raise NotFoundError(f"{activation_id} has no pair {pair_id}")
            return to_pair(row)


def row_id(activation_id: str, pair_id: str) -> str:
    """Name a pair among those of all activations: one pair may serve several."""
    return f"{activation_id}:{pair_id}"


def _pair_row(activation_id: str, pair: Pair, flow_run_id: str | None) -> dict[str, Any]:
    return {
        "id": row_id(activation_id, pair.id),
        "activation_id": activation_id,
        "kind": pair.kind,
        "relative_orbit": pair.relative_orbit,
        "direction": pair.direction,
        "reference_time": pair.reference_time,
        "secondary_time": pair.secondary_time,
        "reference": {"products": list(pair.reference)},
        "secondary": {"products": list(pair.secondary)},
        "score": pair.score,
        "rank": pair.rank,
        "spans": {"events": list(pair.spans)},
        "reason": pair.reason,
        "chosen": True,
        "flow_run_id": flow_run_id,
    }


def to_pair(row: PairRow) -> Pair:
    """Read a pair from its row."""
    return Pair(
        id=row.id.removeprefix(f"{row.activation_id}:"),
        kind=row.kind,
        relative_orbit=row.relative_orbit,
        direction=row.direction,
        reference_time=row.reference_time,
        secondary_time=row.secondary_time,
        reference=tuple(row.reference["products"]),
        secondary=tuple(row.secondary["products"]),
        score=row.score,
        rank=row.rank,
        spans=tuple(row.spans["events"]),
        reason=row.reason,
    )
