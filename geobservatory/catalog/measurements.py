"""What was measured of hubs, and its sums by the hour, which last for years.

Whoever inserts measurements marks their hours (a trigger does); `roll_up` counts marked hours anew
from the measurements, so it may run at any time, be killed, and run again. What is asked of a month
or a year is answered from the sums: a row an hour, with values counted in buckets of five per cent.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Float, cast, func, insert, literal, select, text, union_all
from sqlalchemy.orm import Session

from geobservatory.catalog.hubs import FIRST_BYTE, SEARCH, TRANSFER
from geobservatory.catalog.probe_tables import MeasurementRow, RollupRow
from geobservatory.catalog.session import Sessions
from geobservatory.transfer.attempt import Outcome

# Values in a bucket differ by this factor at most; Masson et al., DDSketch, VLDB 2019, section 2.
BUCKET = 1.05
# Of what is zero or less, and has no logarithm.
_NONE = -1000
# A transfer that ended so says nothing of how well the hub does.
UNHEARD = (Outcome.STOPPED.value, Outcome.OFFLINE.value, Outcome.GONE.value)
_ROLL_UP, _PROBING = 0x6E0B_0021, 0x6E0B_0022
_MOST_HOURS, _MOST_ROWS = 2000, 20_000


class Kind(StrEnum):
    """What is measured, and in what unit."""

    SEARCH = SEARCH  # s to the first page
    METADATA = "metadata"  # s to all that is told of a product
    TRANSFER = TRANSFER  # bytes a second
    FIRST_BYTE = FIRST_BYTE  # s from asking for a file to its first byte
    INTEGRITY = "integrity"  # bytes that were as their checksum says
    TOKEN = "token"  # noqa: S105  s to a new token
    CERTIFICATE = "certificate"  # s until it runs out
    ONLINE = "online"  # 1 or 0, of one product
    LATENCY = "latency"  # s from sensing to publication, of one product
    COMPLETENESS = "completeness"  # share of what all hubs have
    WINDOW = "window"  # s, age of the oldest product
    CLOCK = "clock"  # s by which dates of publication cannot be right: 0, or early, or late


@dataclass(frozen=True)
class Measured:
    """One thing measured of a hub.

    Attributes
    ----------
    at
        When it was asked, UTC.
    value
        In the unit of its kind; None where nothing came.
    ok
        Whether the hub answered, and rightly.
    cause
        Why not, in a word: an `Outcome`, or ``hung``.
    detail
        Evidence.
    """

    hub: str
    kind: Kind
    at: datetime
    value: float | None
    ok: bool = True
    cause: str = ""
    product_type: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rollup:
    """The measurements of an hour.

    Attributes
    ----------
    asked, good
        How many there are, and how many were well.
    total
        Sum of the values of the good ones.
    buckets
        How many of the good ones lie in each bucket: k begins at `BUCKET` to the k.
    """

    hub: str
    kind: Kind
    product_type: str
    hour: datetime
    asked: int
    good: int
    total: float
    buckets: Mapping[int, int]


# One statement, so one snapshot: a mark that is seen here has its measurement seen as well.
_ROLL = text(
    """
    WITH due AS (
        DELETE FROM rollups_due WHERE id IN (SELECT id FROM rollups_due ORDER BY id LIMIT :most)
        RETURNING hub, hour
    ), hours AS MATERIALIZED (
        SELECT DISTINCT hub, hour FROM due WHERE hour >= :oldest
    ), counted AS (
        SELECT m.hub, m.kind, coalesce(m.product_type, '') AS product_type, hours.hour,
            CASE WHEN NOT m.ok THEN NULL WHEN m.value <= 0 THEN :none
                 ELSE floor(ln(m.value) / ln(:bucket))::int END AS bucket,
            count(*) AS asked, count(*) FILTER (WHERE m.ok) AS good,
            coalesce(sum(m.value) FILTER (WHERE m.ok), 0) AS total
        FROM hours CROSS JOIN unnest(CAST(:kinds AS varchar[])) AS kinds(kind)
        CROSS JOIN LATERAL (
            SELECT * FROM measurements AS one
            WHERE one.hub = hours.hub AND one.kind = kinds.kind
                AND one.at >= hours.hour AND one.at < hours.hour + interval '1 hour'
                AND coalesce(one.detail->>'outcome', '') <> ALL (CAST(:unheard AS varchar[]))
            OFFSET 0  -- keeps it a look into the index an hour, whatever is known of the tables
        ) AS m
        GROUP BY 1, 2, 3, 4, 5
    ), kept AS (
        INSERT INTO rollups (hub, kind, product_type, hour, asked, good, total, buckets)
        SELECT hub, kind, product_type, hour, sum(asked), sum(good), sum(total),
            coalesce(jsonb_object_agg(bucket, good) FILTER (WHERE bucket IS NOT NULL), '{}')
        FROM counted GROUP BY 1, 2, 3, 4
        ON CONFLICT (hub, kind, product_type, hour) DO UPDATE SET
            asked = excluded.asked, good = excluded.good, total = excluded.total,
            buckets = excluded.buckets
    )
    SELECT count(*) FROM due
    """
)
# How late a product came is known once its offer is, whoever has asked for it.
_MEASURE_PUBLICATIONS = text(
    """
    WITH late AS (
        UPDATE offers SET measured = true FROM scenes
        WHERE NOT offers.measured AND offers.hub = ANY(:hubs)
            AND offers.published_at <= CAST(:now AS timestamptz) AND scenes.name = offers.scene_name
        RETURNING offers.hub, offers.published_at, offers.first_seen_at, scenes.stop_time,
            scenes.product_type, scenes.name,
            scenes.south <= :north AND scenes.north >= :south AND (scenes.west > scenes.east
                OR :west > :east OR scenes.west <= :east AND scenes.east >= :west) AS inside
    )
    INSERT INTO measurements (at, hub, kind, product_type, value, ok, detail)
    SELECT published_at, hub, :kind, product_type,
        extract(epoch FROM published_at - stop_time), true, jsonb_build_object('name', name)
    FROM late WHERE inside AND published_at >= CAST(:since AS timestamptz)
    """
)
_PRUNE = text(
    "DELETE FROM measurements WHERE id IN"
    " (SELECT id FROM measurements WHERE at < :before ORDER BY at LIMIT :most)"
)


class MeasurementQueries(Sessions):
    """The part of the catalogue that is about how hubs do."""

    def record_measurements(self, measured: Iterable[Measured]) -> None:
        """Keep what was measured."""
        rows = [
            {
                "at": one.at,
                "hub": one.hub,
                "kind": one.kind.value,
                "product_type": one.product_type,
                "value": one.value,
                "ok": one.ok,
                "detail": {**one.detail, **({"cause": one.cause} if one.cause else {})},
            }
            for one in measured
        ]
        if rows:
            with self._transaction() as session:
                session.execute(insert(MeasurementRow), rows)

    def measurements(
        self,
        hub: str,
        kinds: Collection[Kind],
        since: datetime,
        most: int = 1000,
        until: datetime | None = None,
    ) -> list[Measured]:
        """List the newest measurements of a hub since a time, of some kinds, oldest first."""
        ends = [] if until is None else [MeasurementRow.at <= until]
        newest = [
            select(*MeasurementRow.__table__.columns)
            .where(MeasurementRow.hub == hub, MeasurementRow.kind == kind.value)
            .where(MeasurementRow.at >= since, *ends)
            .order_by(MeasurementRow.at.desc())
            .limit(most)
            for kind in kinds
        ]
        with self._transaction() as session:
            found = [row for query in newest for row in session.execute(query)]
        ordered = sorted(found, key=lambda row: (row.at, row.id))[-most:]
        return [_measured(row) for row in ordered]

    def has_failed(self, hub: str, kinds: Collection[Kind], since: datetime) -> bool:
        """Tell whether anything that was asked of a hub since a time was not well."""
        failure = select(literal(1)).where(
            MeasurementRow.hub == hub,
            MeasurementRow.kind.in_([kind.value for kind in kinds]),
            MeasurementRow.at >= since,
            ~MeasurementRow.ok,
        )
        with self._transaction() as session:
            return session.execute(failure.limit(1)).first() is not None

    def last_measured(self, hub: str, at: datetime) -> dict[Kind, datetime]:
        """Tell when each kind was last measured of a hub, before or at a time."""
        newest = [
            select(literal(kind.value), func.max(MeasurementRow.at)).where(
                MeasurementRow.hub == hub,
                MeasurementRow.kind == kind.value,
                MeasurementRow.at <= at,
            )
            for kind in Kind
        ]
        with self._transaction() as session:
            rows = session.execute(union_all(*newest)).all()
        return {Kind(kind): last for kind, last in rows if last is not None}

    def last_by(
        self, hub: str, kind: Kind, since: datetime, at: datetime, by: str, *, well: bool
    ) -> datetime | None:
        """Tell when somebody last measured a kind within some time, what was well or all of it."""
        newest = (
            select(MeasurementRow.at)
            .where(MeasurementRow.hub == hub, MeasurementRow.kind == kind.value)
            .where(MeasurementRow.at >= since, MeasurementRow.at <= at)
            .where(MeasurementRow.detail["by"].astext == by)
            .order_by(MeasurementRow.at.desc())
            .limit(1)
        )
        if well:
            newest = newest.where(MeasurementRow.ok)
        with self._transaction() as session:
            return session.scalars(newest).first()

    def was_asked(self, hub: str, kind: Kind, before: datetime) -> bool:
        """Tell whether a hub was asked already before a time."""
        earlier = (
            select(RollupRow.hour)
            .where(RollupRow.hub == hub, RollupRow.kind == kind.value, RollupRow.hour <= before)
            .limit(1)
        )
        with self._transaction() as session:
            return session.scalars(earlier).first() is not None

    @contextmanager
    def probing(self, hub: str) -> Iterator[bool]:
        """Hold the right to probe a hub; yields False where somebody else has it."""
        with self._lock(_PROBING, hub, wait=False) as ours:
            yield ours

    def last_value(self, hub: str, kind: Kind, at: datetime) -> float | None:
        """Give the newest value of a kind that was well, of all product types together."""
        newest = (
            select(MeasurementRow.value)
            .where(MeasurementRow.hub == hub, MeasurementRow.kind == kind.value)
            .where(MeasurementRow.at <= at, MeasurementRow.ok)
            .where(MeasurementRow.product_type.is_(None))
            .order_by(MeasurementRow.at.desc())
            .limit(1)
        )
        with self._transaction() as session:
            return session.scalars(newest).first()

    def failure_rates(
        self, hub: str, kinds: Collection[Kind], since: datetime, until: datetime
    ) -> list[float]:
        """List which share of a hub's answers failed on each day of some time."""
        day = func.date_trunc("day", RollupRow.hour, "UTC")
        rate = 1.0 - cast(func.sum(RollupRow.good), Float) / func.sum(RollupRow.asked)
        wanted = (
            select(rate)
            .where(RollupRow.hub == hub, RollupRow.kind.in_([kind.value for kind in kinds]))
            .where(RollupRow.hour >= since, RollupRow.hour < until)
            .group_by(day)
        )
        with self._transaction() as session:
            return [float(one) for one in session.scalars(wanted)]

    def measure_publications(
        self,
        hubs: Sequence[str],
        since: datetime,
        now: datetime,
        box: tuple[float, float, float, float] = (-180.0, -90.0, 180.0, 90.0),
    ) -> None:
        """Count how late products came, of offers that were not counted yet; each once.

        Parameters
        ----------
        box
            West, south, east, north; products elsewhere are passed over. Over the antimeridian
            west > east, and its latitudes alone count, as do those of such a product.
        """
        asked = {"hubs": list(hubs), "kind": Kind.LATENCY.value, "since": since, "now": now}
        asked |= dict(zip(("west", "south", "east", "north"), box, strict=True))
        with self._transaction() as session:
            session.execute(_MEASURE_PUBLICATIONS, asked)

    def roll_up(self, now: datetime, keep: timedelta) -> None:
        """Bring the sums up to date with the measurements.

        Parameters
        ----------
        keep
            Hours further back than this stay as they are: their measurements may be gone.
        """
        asked = {
            "most": _MOST_HOURS,
            "oldest": now - keep,
            "none": _NONE,
            "bucket": BUCKET,
            "kinds": [kind.value for kind in Kind],
            "unheard": list(UNHEARD),
        }
        while True:
            with self._transaction() as session:
                # One at a time: two who count the same hour could keep the older count.
                session.execute(select(func.pg_advisory_xact_lock(_ROLL_UP, 0)))
                if session.execute(_ROLL, asked).scalar_one() < _MOST_HOURS:
                    return

    def rollups(
        self,
        since: datetime,
        kinds: Collection[Kind] | None = None,
        hub: str | None = None,
        until: datetime | None = None,
    ) -> list[Rollup]:
        """List the sums of the hours since a time, in the order of time."""
        wanted = select(*RollupRow.__table__.columns).where(RollupRow.hour >= since)
        if kinds is not None:
            wanted = wanted.where(RollupRow.kind.in_([kind.value for kind in kinds]))
        if hub is not None:
            wanted = wanted.where(RollupRow.hub == hub)
        if until is not None:
            wanted = wanted.where(RollupRow.hour < until)
        with self._transaction() as session:
            rows = session.execute(wanted.order_by(RollupRow.hour)).all()
        return [
            Rollup(
                row.hub,
                Kind(row.kind),
                row.product_type,
                row.hour,
                row.asked,
                row.good,
                row.total,
                {int(bucket): count for bucket, count in row.buckets.items()},
            )
            for row in rows
        ]

    def prune_measurements(self, before: datetime) -> int:
        """Delete measurements from before a time; their sums stay.

        Returns
        -------
        int
            How many.
        """
        gone = 0
        while True:
            with self._transaction() as session:
                count = _deleted(session, before)
            gone += count
            if count < _MOST_ROWS:
                return gone


def _deleted(session: Session, before: datetime) -> int:
    done: Any = session.execute(_PRUNE, {"before": before, "most": _MOST_ROWS})
    return int(done.rowcount)


def _measured(row: Any) -> Measured:
    detail = dict(row.detail or {})
    return Measured(
        row.hub,
        Kind(row.kind),
        row.at,
        row.value,
        row.ok,
        "" if row.ok else str(detail.get("cause") or detail.get("outcome") or "broken"),
        row.product_type,
        detail,
    )
