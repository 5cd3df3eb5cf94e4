"""How long a plan takes over a million known products, and how much memory.

    python -m benchmarks.mirror_plan [--known 1000000]

Three streams over real PostgreSQL: one that fits, one that its disk bounds, one that has all to
fetch. The plan is made in a process of its own, whose largest size is measured; that of the
database's process that answers it, too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from sqlalchemy import text

from geobservatory.catalog.database import Catalog, embedded_server, open_configured_catalog
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.plan import plan
from geobservatory.settings.mirror import Mirror, Stream
from geobservatory.settings.model import Hub, HubKind, Settings

_STREAMS = ("fits", "bounded", "new")


@dataclass(frozen=True)
class Result:
    """Seconds and MiB of a plan, and what it found."""

    known: int
    seconds: float
    processor_seconds: float
    mebibytes: float
    server_mebibytes: float
    totals: dict[str, dict[str, list[int]]]

    @property
    def good(self) -> bool:
        """Whether it keeps to what was asked: ten seconds, 500 MiB."""
        return self.seconds < 10 and self.mebibytes + self.server_mebibytes < 500


def settings_of(folder: Path) -> Settings:
    """Make the settings: a disk that holds a third of what is known of one stream."""
    streams = tuple(Stream(name=name, window_days=3650) for name in _STREAMS)
    hubs = (Hub(name="upstream", kind=HubKind.DHUS, address="http://x"),)
    mirror = Mirror(disk_gb=2.4e6, streams=streams)
    return Settings(data_dir=folder / "data", hubs=hubs, mirror=mirror)


def fill(catalog: Catalog, known: int) -> None:
    """Enter products, a minute apart, spread over the streams; half of the first two are held."""
    now = datetime.now(UTC)
    statements = (
        "INSERT INTO scenes (name, mission, product_type, start_time, stop_time, relative_orbit,"
        " footprint, west, south, east, north) SELECT 'S1A_PRODUCT_' || n, 'S1A', 'SLC',"
        " CAST(:now AS timestamptz) - n * interval '1 minute',"
        " CAST(:now AS timestamptz) - n * interval '1 minute' + interval '27 s', n % 175 + 1,"
        " '{}', 20, 30, 22, 32 FROM generate_series(1, :known) n",
        "INSERT INTO mirror_wanted (stream, scene_name, sensed_at, acquisition, size_bytes,"
        " published_at, learned_at, listed_at) SELECT (ARRAY['fits', 'bounded', 'new'])[n % 3 + 1],"
        " 'S1A_PRODUCT_' || n, CAST(:now AS timestamptz) - n * interval '1 minute',"
        " 'S1A_' || n, 7000000000, CAST(:now AS timestamptz) - n * interval '1 minute',"
        " CAST(:now AS timestamptz), CAST(:now AS timestamptz) FROM generate_series(1, :known) n",
        "INSERT INTO mirror_inventory (scene_name, stream, state, path, sensed_at, size_bytes,"
        " checksum) SELECT scene_name, stream, 'held', '/archive/' || scene_name, sensed_at,"
        " size_bytes, 'blake3:0' FROM mirror_wanted WHERE stream <> 'new'"
        " AND sensed_at > CAST(:now AS timestamptz) - :known / 6 * interval '1 minute'",
    )
    with catalog.engine.begin() as connection:
        for statement in statements:
            given = {"now": now, "known": known}
            used = {key: value for key, value in given.items() if f":{key}" in statement}
            connection.execute(text(statement), used)
    with catalog.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def measure(folder: Path, known: int) -> Result:
    """Fill a catalogue, and plan in a process of its own."""
    settings = settings_of(folder)
    with open_configured_catalog(settings) as catalog:
        fill(catalog, known)
    try:
        command = [sys.executable, "-m", "benchmarks.mirror_plan", "--work", str(folder)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return Result(known=known, **json.loads(done.stdout))
    finally:
        embedded_server(settings.data_dir).stop()


def work(folder: Path) -> None:
    """Make the plan, once, and tell how long it took and how large this process has been."""
    settings = settings_of(folder)
    with open_configured_catalog(settings) as catalog:
        with catalog.engine.connect() as connection:
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        processes = (psutil.Process(), psutil.Process(pid))
        before = sum(sum(one.cpu_times()[:2]) for one in processes)
        began = time.monotonic()
        made = plan(Archive(settings, catalog))
        seconds = time.monotonic() - began
        used = sum(sum(one.cpu_times()[:2]) for one in processes) - before
        with catalog.engine.connect() as connection:
            now = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            assert now == pid, "one connection answers all"
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon"))
    told = {
        "seconds": seconds,
        "processor_seconds": used,
        "mebibytes": _most_kib() / 1024,
        "server_mebibytes": own / 1024,
        "totals": {one.stream: one.turns.totals for one in made.streams},
    }
    print(json.dumps(told))


def _most_kib() -> int:
    """Largest size of this process; `ru_maxrss` would be at least that of the one that began it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def table(result: Result) -> str:
    """Write the figures."""
    totals = "; ".join(
        f"{stream}: " + ", ".join(f"{count[0]:,} {turn}" for turn, count in turns.items())
        for stream, turns in result.totals.items()
    )
    rows = [
        ("products known", f"{result.known:,}"),
        ("of these", totals),
        ("seconds", f"{result.seconds:.1f}"),
        ("processor seconds, of planning and of the database", f"{result.processor_seconds:.1f}"),
        ("largest size of the process that plans, MiB", round(result.mebibytes)),
        ("own memory of the database's process afterwards, MiB", round(result.server_mebibytes)),
    ]
    return "\n".join(f"| {what} | {value} |" for what, value in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work is not None:
        work(arguments.work)
        return
    with tempfile.TemporaryDirectory() as temporary:
        result = measure(Path(temporary), arguments.known)
    print(table(result))
    sys.exit(not result.good)


if __name__ == "__main__":
    main()
