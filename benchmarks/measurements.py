"""Ten million measurements: how long sums, questions and the report take, beside a plain count.

    python -m benchmarks.measurements [ROWS]

A year of twelve hubs on an embedded PostgreSQL, written as bulk loads go. What is asked of sums is
held against the same asked of the measurements themselves.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.catalog.measurements import Kind
from geobservatory.probing.incidents import judge
from geobservatory.probing.report import status_report
from geobservatory.settings.model import Hub, HubKind, Settings

_NOW = datetime(2024, 12, 31, 12, tzinfo=UTC)
_KEEP = timedelta(days=400)
_ROUNDS = 7
_CHUNK = 1_000_000
# Every n-th row of a kind, as a year of probing has them.
_FILL = text(
    """
    INSERT INTO measurements (at, hub, kind, product_type, value, ok, detail)
    SELECT CAST(:now AS timestamptz) - (:rows - n) * (interval '365 days' / :rows),
        'hub-' || n % 12,
        (ARRAY['search','search','search','metadata','metadata','transfer','latency','token'])
            [1 + (n / 12) % 8],
        CASE WHEN (n / 12) % 8 = 6 THEN 'IW_SLC__1S' END,
        CASE WHEN n % 53 = 0 THEN NULL ELSE exp(0.4 * sqrt(-2 * ln(1 - random()))
            * cos(6.2831853 * random())) * CASE (n / 12) % 8 WHEN 5 THEN 2e7 WHEN 6 THEN 1e4
            ELSE 1 END END,
        n % 53 <> 0,
        CASE WHEN (n / 12) % 8 = 5 THEN jsonb_build_object('name', 'x', 'bytes', 8000000, 'seconds',
            0.5, 'first_byte_s', 0.1, 'outcome', CASE WHEN n % 53 = 0 THEN 'broken' ELSE 'done' END)
            ELSE '{}' END
    FROM generate_series(CAST(:first AS bigint), :last) AS n
    """
)
# Four weeks of products, ten an hour, at each hub an hour later than at the one before.
_OFFER = text(
    """
    WITH made AS (
        INSERT INTO scenes (name, mission, product_type, start_time, stop_time, absolute_orbit,
            polarisations, footprint, west, south, east, north)
        SELECT 'scene-' || n, 'S1A', 'SLC', sensed, sensed + interval '27 seconds', 1, 'VV', '{}',
            0, 0, 1, 1
        FROM (SELECT n, CAST(:now AS timestamptz) - n * interval '6 minutes' AS sensed
            FROM generate_series(1, 6720) AS n) AS sensed
        RETURNING name, stop_time
    )
    INSERT INTO offers (scene_name, hub, hub_id, published_at, measured)
    SELECT name, 'hub-' || hub, name, stop_time + hub * interval '1 hour', true
    FROM made CROSS JOIN generate_series(0, 11) AS hub
    """
)


def best(work: Callable[[], Any]) -> float:
    """Give the middle of some rounds, milliseconds."""
    took = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        work()
        took.append(1e3 * (time.perf_counter() - began))
    return sorted(took)[_ROUNDS // 2]


def fill(catalog: Catalog, rows: int) -> float:
    began = time.perf_counter()
    for first in range(0, rows, _CHUNK):
        with catalog.engine.begin() as connection:
            last = min(rows, first + _CHUNK) - 1
            asked = {"now": _NOW, "rows": rows, "first": first, "last": last}
            connection.execute(_FILL, asked)
    with catalog.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(_OFFER, {"now": _NOW})
        connection.execute(text("VACUUM ANALYZE measurements"))
        connection.execute(text("VACUUM ANALYZE offers"))
    return time.perf_counter() - began


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory() as temporary:
        server = EmbeddedPostgres(Path(temporary) / "postgres")
        try:
            with open_catalog(server.start()) as catalog:
                measure(catalog, Path(temporary), rows)
        finally:
            server.stop()


def measure(catalog: Catalog, folder: Path, rows: int) -> None:
    hubs = tuple(
        Hub(name=f"hub-{number}", kind=HubKind.FOLDER, address="/x") for number in range(12)
    )
    settings = Settings(data_dir=folder, hubs=hubs)
    print(f"{rows:,} measurements written in {fill(catalog, rows):.0f} s")
    began = time.perf_counter()
    catalog.roll_up(_NOW, _KEEP)
    took = time.perf_counter() - began
    with catalog.engine.connect() as connection:
        sums = connection.execute(text("SELECT count(*) FROM rollups")).scalar_one()
        size = connection.execute(
            text(
                "SELECT pg_size_pretty(pg_total_relation_size('measurements')) || ' and '"
                " || pg_size_pretty(pg_total_relation_size('rollups'))"
            )
        ).scalar_one()
        print(f"all counted into {sums:,} sums in {took:.0f} s; {size}")
        count = best(lambda: connection.execute(text("SELECT count(*) FROM measurements")))
    month, four = _NOW - timedelta(days=30), _NOW - timedelta(days=28)
    asked: dict[str, Callable[[], Any]] = {
        "a month of one hub and kind": lambda: catalog.rollups(month, [Kind.SEARCH], "hub-3"),
        "the last three days of outcomes": lambda: catalog.measurements(
            "hub-3", [Kind.SEARCH, Kind.METADATA], _NOW - timedelta(days=3)
        ),
        "has anything failed in three days": lambda: catalog.has_failed(
            "hub-3", [Kind.TOKEN], _NOW - timedelta(days=3)
        ),
        "when each kind was last measured": lambda: catalog.last_measured("hub-3", _NOW),
        "failures day by day, four weeks": lambda: catalog.failure_rates(
            "hub-3", [Kind.SEARCH, Kind.METADATA], _NOW - timedelta(days=28), _NOW
        ),
        "transfers of twelve hubs, for the choice": lambda: catalog.transfers(
            _NOW - timedelta(days=60), [hub.name for hub in hubs]
        ),
        "the newest publication of a hub": lambda: catalog.newest_publication("hub-3"),
        "how long a hub is silent, four weeks": lambda: catalog.silences("hub-3", four, _NOW, 30),
        "how late a hub is, four weeks": lambda: catalog.lags("hub-3", ["hub-0"], four, _NOW),
        "who was first, four weeks, twelve hubs": lambda: catalog.first_publishers(
            four, _NOW, [hub.name for hub in hubs]
        ),
        "what all published, by type": lambda: catalog.publication_totals(["hub-3"], _NOW),
        "one hub judged": lambda: judge(settings, catalog, hubs[3], _NOW),
        "nothing new to count": lambda: catalog.roll_up(_NOW, _KEEP),
        "the report of twelve hubs and a month": lambda: status_report(settings, catalog, _NOW, 30),
    }
    for what, work in asked.items():
        took = best(work)
        print(f"{what}: {took:.1f} ms, {took / count:.4f} of counting all rows ({count:.0f} ms)")


if __name__ == "__main__":
    main()
