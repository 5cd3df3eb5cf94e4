"""How the archive does: what lies there, how much comes and goes, what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from geobservatory.catalog.mirror_tables import MirrorChangeRow, MirrorRow, MirrorWantedRow
from geobservatory.catalog.session import Sessions


@dataclass(frozen=True)
class Lying:
    """What lies in the archive of a stream in a state: products, bytes, first and last sensed."""

    products: int
    bytes: int
    oldest: datetime
    newest: datetime


@dataclass(frozen=True)
class Change:
    """What happened to a product."""

    at: datetime
    stream: str
    name: str
    what: str
    size: int
    detail: str


class FigureQueries(Sessions):
    """The part of the catalogue that counts the archive."""

    def lying(self) -> dict[tuple[str, str], Lying]:
        """Count what lies in the archive, by stream and state."""
        counted = select(
            MirrorRow.stream,
            MirrorRow.state,
            func.count(),
            func.sum(MirrorRow.size_bytes),
            func.min(MirrorRow.sensed_at),
            func.max(MirrorRow.sensed_at),
        ).group_by(MirrorRow.stream, MirrorRow.state)
        with self._transaction() as session:
            return {
                (stream, state): Lying(count, int(size), oldest, newest)
                for stream, state, count, size, oldest, newest in session.execute(counted)
            }

    def changed_bytes(self, since: datetime) -> dict[tuple[str, str], tuple[int, int]]:
        """Count products and bytes that came, went, … since a time, by stream and what happened."""
        counted = (
            select(
                MirrorChangeRow.stream,
                MirrorChangeRow.what,
                func.count(),
                func.sum(MirrorChangeRow.size_bytes),
            )
            .where(MirrorChangeRow.at >= since)
            .group_by(MirrorChangeRow.stream, MirrorChangeRow.what)
        )
        with self._transaction() as session:
            return {
                (stream, what): (count, int(size))
                for stream, what, count, size in session.execute(counted)
            }

    def mirror_latency(self, stream: str, since: datetime) -> tuple[float, float, float] | None:
        """Tell how long it took from the first publication until a product lay here, seconds.

        Median, 90 and 95 % of what came since a time; None where nothing did.
        """
        late = func.extract("epoch", MirrorWantedRow.held_at - MirrorWantedRow.published_at)
        shares = func.percentile_cont([0.5, 0.9, 0.95]).within_group(late)
        came = select(shares).where(
            MirrorWantedRow.stream == stream, MirrorWantedRow.held_at >= since
        )
        with self._transaction() as session:
            found = session.execute(came).scalar_one()
        return None if found is None else (float(found[0]), float(found[1]), float(found[2]))

    def last_changes(self, most: int, whats: Sequence[str] = ()) -> list[Change]:
        """List what happened last, the newest first; of some kinds only where given."""
        wanted = select(MirrorChangeRow).order_by(MirrorChangeRow.id.desc()).limit(most)
        if whats:
            wanted = wanted.where(MirrorChangeRow.what.in_(whats))
        with self._transaction() as session:
            return [
                Change(row.at, row.stream, row.scene_name, row.what, row.size_bytes, row.detail)
                for row in session.scalars(wanted)
            ]

    def first_change(self, what: str) -> datetime | None:
        """Tell when something of a kind happened first."""
        first = select(func.min(MirrorChangeRow.at)).where(MirrorChangeRow.what == what)
        with self._transaction() as session:
            return session.execute(first).scalar_one()
