"""What may go from the archive, and in which order."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select, text, true

from geobservatory.catalog.mirror import READABLE, Held, to_held
from geobservatory.catalog.mirror_ledger import one_at_a_time
from geobservatory.catalog.mirror_tables import MirrorRow
from geobservatory.catalog.session import Sessions

_PAGE = 200
_SUPERSEDED = text(
    """
    SELECT i.scene_name, w.reason FROM mirror_inventory i
    JOIN mirror_wanted w ON w.scene_name = i.scene_name AND w.stream = i.stream
    JOIN mirror_wanted n ON n.stream = w.stream AND n.acquisition = w.acquisition
        AND n.state = 'wanted'
    JOIN mirror_inventory h ON h.scene_name = n.scene_name AND h.state = 'held'
    WHERE i.stream = :stream AND i.state IN ('held', 'part', 'reduced') AND w.state = 'superseded'
    """
)
_WITHDRAWN = text(
    """
    SELECT i.scene_name, w.reason FROM mirror_inventory i
    JOIN mirror_wanted w ON w.scene_name = i.scene_name AND w.stream = i.stream
    WHERE i.stream = :stream AND i.state IN ('held', 'part', 'reduced') AND w.state = 'withdrawn'
    """
)
_ABANDONED = text(
    """
    SELECT i.scene_name FROM mirror_inventory i
    WHERE i.state = 'coming' AND NOT EXISTS (
        SELECT FROM mirror_wanted w WHERE w.scene_name = i.scene_name AND w.state = 'wanted'
            AND w.sensed_at >= CAST(:start AS timestamptz))
        AND i.stored_at < CAST(:before AS timestamptz)
    """
)

_TAKE_OVER = text(
    """
    UPDATE mirror_inventory i SET stream = w.stream FROM mirror_wanted w
    WHERE w.scene_name = i.scene_name AND w.stream = :stream AND w.state = 'wanted'
        AND i.state = 'held' AND i.stream <> ALL(:streams) AND i.stored_at < :before
    """
)


class RollQueries(Sessions):
    """The part of the catalogue that says what may go."""

    def newest_held(self, stream: str) -> datetime | None:
        """Tell when the newest whole product of a stream was sensed."""
        newest = select(func.max(MirrorRow.sensed_at)).where(
            MirrorRow.stream == stream, MirrorRow.state == "held"
        )
        with self._transaction() as session:
            return session.execute(newest).scalar_one()

    def last_cut(self, stream: str) -> datetime | None:
        """Tell up to which time of sensing a stream's products had to go."""
        cut = text(
            "SELECT max(sensed_at) FROM mirror_wanted WHERE stream = :stream"
            " AND state = 'wanted' AND evicted_at IS NOT NULL"
        )
        with self._transaction() as session:
            found: datetime | None = session.execute(cut, {"stream": stream}).scalar_one()
            return found

    def replaced(self, stream: str) -> dict[str, str]:
        """Name what is held though another product of the acquisition is in; and why."""
        with self._transaction() as session:
            rows = session.execute(_SUPERSEDED, {"stream": stream})
            return {name: why for name, why in rows}  # noqa: C416  (rows, not pairs)

    def withdrawn(self, stream: str) -> dict[str, str]:
        """Name what is held though no upstream has it any more; and why."""
        with self._transaction() as session:
            rows = session.execute(_WITHDRAWN, {"stream": stream})
            return {name: why for name, why in rows}  # noqa: C416  (rows, not pairs)

    def abandoned(self, start: datetime, before: datetime) -> list[str]:
        """Name what was begun before a time and is of no stream, or older than its start."""
        asked = {"start": start, "before": before}
        with self._transaction() as session:
            return list(session.execute(_ABANDONED, asked).scalars())

    def entries(self) -> Iterator[Held]:
        """Give everything that is entered, by name."""
        yield from self._paged(MirrorRow.scene_name != "", MirrorRow.scene_name)

    def stalest(self, before: datetime) -> Iterator[Held]:
        """Give what lies here and was last read before a time, the longest ago first."""
        read = func.coalesce(MirrorRow.verified_at, MirrorRow.stored_at)
        readable = MirrorRow.state.in_(READABLE)
        with self._transaction() as session:
            names = list(
                session.scalars(
                    select(MirrorRow.scene_name)
                    .where(readable, read <= before)
                    .order_by(read, MirrorRow.scene_name)
                )
            )
        for name in names:
            with self._transaction() as session:
                row = session.get(MirrorRow, name)
                if row is not None and row.state in READABLE:
                    found = to_held(row)
                else:
                    continue
            yield found

    def oldest(
        self,
        stream: str | None,
        before: datetime | None = None,
        states: Collection[str] = ("held",),
    ) -> Iterator[Held]:
        """Give a stream's products that lie here, the oldest first, sensed before a time.

        Of all streams where it is None.
        """
        time = MirrorRow.sensed_at
        yield from self._paged(
            and_(
                MirrorRow.state.in_(states),
                true() if stream is None else MirrorRow.stream == stream,
                true() if before is None else time < before,
            ),
            time,
        )

    def of_no_stream(self, streams: Collection[str]) -> Iterator[Held]:
        """Give what lies here and is of none of some streams, what has been here longest first."""
        where = MirrorRow.stream.not_in(streams) & MirrorRow.state.in_(READABLE)
        yield from self._paged(where, MirrorRow.stored_at)

    def take_over(self, stream: str, streams: Collection[str], before: datetime) -> None:
        """Make a stream's own what it wants, is of none of some streams, and came before a time."""
        asked = {"stream": stream, "streams": list(streams), "before": before}
        with self._transaction() as session:
            one_at_a_time(session)
            session.execute(_TAKE_OVER, asked)

    def _paged(self, where: Any, order: Any) -> Iterator[Held]:
        """Give entries in an order, and then by name, however many come or go meanwhile."""
        wanted = select(MirrorRow, order).where(where).order_by(order, MirrorRow.scene_name)
        after: Any = None
        while True:
            page = wanted.limit(_PAGE)
            if after is not None:
                beyond = (order == after[1]) & (MirrorRow.scene_name > after[0].scene_name)
                page = page.where((order > after[1]) | beyond)
            with self._transaction() as session:
                rows = session.execute(page).all()
            yield from (to_held(row) for row, _ in rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1]
