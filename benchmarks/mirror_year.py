"""A year of the mirror, with upstreams that fail in every way, and processes that are killed.

    python -m benchmarks.mirror_year [--days 365] [--step-hours 8]

Thousands of products a day in metadata; those that two streams want are fetched, small files. The
upstreams are asked in the process, through the interface of all hubs (a year over HTTP would take
days; `benchmarks.mirror_storm` does a day over HTTP); the clock is turned step by step. All else is
real: PostgreSQL, files, two synchronising processes at once, SIGKILL at random, bits that rot.
"""

import argparse
import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shapely.geometry import mapping
from sqlalchemy import text

from geobservatory.catalog.database import embedded_server, open_configured_catalog
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.plan import limits
from geobservatory.mirror.scrub import scrub
from geobservatory.mirror.streams import Wanted
from geobservatory.mirror.sync import Synchroniser
from geobservatory.mirror.verify import verify
from geobservatory.sandbox.hub_behaviour import TurnedClock
from geobservatory.sandbox.publications import (
    FAR,
    HOME,
    Habits,
    Published,
    Segment,
    Upstream,
    midnight,
)
from geobservatory.settings.mirror import Mirror, Stream
from geobservatory.settings.model import Hub, HubKind, Settings

START = datetime(2024, 3, 1, tzinfo=UTC)
HIGH, LOW = 0.95, 0.8
SEGMENT = Segment(a_day=2000, at_home=10, seed=7)
HABITS = {
    "quick": Habits(delay_h=0.5, share=0.8, fails=0.06),
    "usual": Habits(delay_h=6, share=0.9, checksums=False, away=0.05),
    "slow": Habits(delay_h=30, share=1.0, backdated=0.02, damages=0.03),
}
# What strikes no more at the end, when all is to be right.
_STRIKES = "fails breaks damages lies stale forgets offline gone away"
_CALM = dict.fromkeys(_STRIKES.split(), 0.0)
_LOOK_AGAIN = 9


@dataclass
class Result:
    """What a year left."""

    days: float
    step_hours: float
    seconds: float = 0.0
    kills: int = 0
    rotten: int = 0
    listed: int = 0
    came: int = 0
    happened: Counter[str] = field(default_factory=Counter)
    held: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    twice: list[str] = field(default_factory=list)
    most: int = 0
    mark: int = 0
    received: int = 0
    needed: int = 0
    left_over: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing went wrong."""
        lists = self.wrong, self.lacking, self.extra, self.unexplained, self.twice, self.left_over
        return not any(lists) and self.most <= self.mark and bool(self.came)


def settings_of(folder: Path) -> Settings:
    """Make the settings of the year: one stream that the disk bounds, and one that its window."""
    streams = (
        Stream(name="home", window_days=30, disk_share=0.6),
        Stream(
            name="far", area=mapping(FAR), relative_orbits=tuple(range(1, 11)), window_days=10,
            disk_share=0.4, after="annotation",
        ),
    )  # fmt: skip
    mirror = Mirror(
        area=mapping(HOME), disk_gb=1e-3, high_water=HIGH, low_water=LOW, streams=streams,
        scrub_mb_per_s=1000,
    )  # fmt: skip
    hubs = tuple(Hub(name=name, kind=HubKind.DHUS, address="http://x") for name in HABITS)
    return Settings(data_dir=folder / "data", hubs=hubs, mirror=mirror)


def upstreams(clock: TurnedClock, *, calm: bool = False) -> dict[str, Upstream]:
    """Make the three upstreams."""
    more = _CALM if calm else {}
    return {
        name: Upstream(name, replace(one, **more), SEGMENT, clock) for name, one in HABITS.items()
    }


def work(folder: Path, last: int, step: timedelta) -> None:
    """Synchronise, step after step, beside whoever else does, until the year is over."""
    settings, clock = settings_of(folder), TurnedClock(START)
    with open_configured_catalog(settings) as catalog:
        archive = Archive(settings, catalog, clock)
        mirror = Synchroniser(archive, upstreams(clock), wait=lambda seconds: None, patience_s=5)
        while (number := _step(folder)) <= last:
            clock.turn_to(START + number * step)
            mirror.run()
            if number % _LOOK_AGAIN == 0:
                verify(archive, repair=True)
                scrub(archive, older_than=timedelta(days=2), wait=lambda seconds: None)
            _advance(folder, number)


def year(
    folder: Path,
    days: float = 365,
    step: timedelta = timedelta(hours=8),
    workers: int = 2,
    seed: int = 1,
) -> Result:
    """Let it pass."""
    chance, result = random.Random(seed), Result(days, step / timedelta(hours=1))
    settings, last = settings_of(folder), int(timedelta(days=days) / step)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "step").write_text("0")
    result.mark = int(HIGH * settings.mirror.disk_gb * 1e9)
    processes: list[subprocess.Popen[bytes]] = []
    began = time.monotonic()
    try:
        with open_configured_catalog(settings) as catalog:
            archive = Archive(settings, catalog, TurnedClock(START))
            # By the steps that were made, so that a slow machine gets on as well.
            kill_at, rot_at = 1 + chance.random(), 2 + chance.random()
            seen, seen_at, pace = 0, time.monotonic(), 1.0
            while (number := _step(folder)) <= last:
                if number != seen:
                    pace, seen, seen_at = time.monotonic() - seen_at, number, time.monotonic()
                reached = number + min(0.99, (time.monotonic() - seen_at) / pace)
                processes = [one for one in processes if one.poll() is None]
                while len(processes) < workers:
                    processes.append(_start(folder, last, step))
                result.most = max(result.most, on_disk(archive.folder))
                if reached > kill_at:
                    chance.choice(processes).send_signal(signal.SIGKILL)
                    result.kills, kill_at = result.kills + 1, kill_at + chance.uniform(1, 8)
                if reached > rot_at:
                    result.rotten, rot_at = result.rotten + _rot(archive, chance), rot_at + 9
                time.sleep(0.1)
            for one in processes:
                one.wait(timeout=600)
            _calm_down(archive, START + last * step, result)
            _judge(archive, result)
            result.seconds = time.monotonic() - began
        embedded_server(settings.data_dir).stop()
    finally:
        for one in processes:
            one.kill()
    return result


def on_disk(folder: Path) -> int:
    """Count the bytes that lie in the archive, begun ones too."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += 0 if name.endswith(".lock") else (Path(at) / name).stat().st_size
            except FileNotFoundError:
                continue
    return total


def _calm_down(archive: Archive, end: datetime, result: Result) -> None:
    """Look once more when no upstream fails, so that all there is can be known and had."""
    clock = archive.clock
    assert isinstance(clock, TurnedClock)
    clock.turn_to(end + timedelta(hours=13))
    mirror = Synchroniser(archive, upstreams(clock, calm=True), wait=lambda seconds: None)
    for _ in range(3):
        verify(archive, repair=True)
        scrub(archive, wait=lambda seconds: None)
        mirror.run(full=True)
        result.most = max(result.most, on_disk(archive.folder))
        clock.turn_to(clock.now() + timedelta(minutes=1))
    clock.turn_to(clock.now() + timedelta(hours=13))
    mirror.run(full=True)


def _judge(archive: Archive, result: Result) -> None:
    """Hold what is held against what should be, computed from the seed alone."""
    now = archive.now()
    for wanted in archive.streams:
        _judge_stream(archive, wanted, result, now)
    with archive.catalog.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT scene_name, what, count(*), sum(size_bytes) FROM mirror_changes"
                " GROUP BY scene_name, what"
            )
        ).all()
        result.received = int(
            connection.execute(text("SELECT sum(received_bytes) FROM downloads")).scalar_one()
        )
        result.listed = int(
            connection.execute(text("SELECT count(*) FROM mirror_wanted")).scalar_one()
        )
    by_name: dict[str, Counter[str]] = {}
    for name, what, count, size in rows:
        by_name.setdefault(name, Counter())[what] += count
        result.happened[what] += count
        result.needed += int(size) if what in ("came", "found") else 0
    for name, counts in by_name.items():
        need = 1 + counts["damaged"] + counts["lost"] + counts["updated"]
        if counts["came"] + counts["found"] > need:
            result.twice.append(f"{name}: {dict(counts)}")
    result.came = result.happened["came"] + result.happened["found"]
    result.left_over = [f"{one.name}: {one.what}" for one in verify(archive)]
    result.left_over += [
        str(one) for one in archive.folder.rglob(".*") if one.is_file() and one.suffix != ".lock"
    ]


def _judge_stream(archive: Archive, wanted: Wanted, result: Result, now: datetime) -> None:
    every, live = _published(wanted, now)
    held = {one.name: one for one in archive.catalog.oldest(wanted.name, states=("held",))}
    result.held[wanted.name] = len(held)
    newest = max(one.sensed_at for one in held.values())
    oldest = min((held[name].sensed_at for name in live if name in held), default=now)
    missing = {name: one for name, one in live.items() if name not in held}
    result.lacking += [name for name, one in missing.items() if one.product.start >= oldest]
    back = limits(archive, wanted).back
    if missing and archive.catalog.used_bytes()[wanted.name] < back - 5000:
        result.lacking.append(f"{wanted.name}: the disk is not used")
    for name, entry in held.items():
        one = every.get(name)
        margin = entry.sensed_at >= wanted.window(newest)
        withdrawn = one is not None and one.gone is not None and one.gone <= now
        if name not in live and not withdrawn and not (one is None and margin):
            result.extra.append(name)
        content = one.content(now) if one is not None else None
        if content is not None and entry.path.read_bytes() != content:
            result.wrong.append(name)
    days = wanted.window(now)
    told = {
        name: why
        for name, why, _ in archive.catalog.missing(limits(archive, wanted), days, 100_000)
    }
    result.reasons.update(told[name] for name in missing if name in told)
    result.unexplained += [name for name in missing if not told.get(name)]


def _published(wanted: Wanted, now: datetime) -> tuple[dict[str, Published], dict[str, Published]]:
    """Give what was ever published of a stream's window, and of that what is to be held."""
    hubs, every, first = upstreams(TurnedClock(now), calm=True).values(), {}, {}
    day = midnight(wanted.window(now))
    while day <= now:
        for one in SEGMENT.day(day):
            if not wanted.wants(one.product, now):
                continue
            listed = [place for hub in hubs if (place := hub.listed(one)) is not None]
            seen = [place.published for place in listed if place.visible <= now]
            if seen:
                every[one.product.name], first[one.product.name] = one, min(seen)
        day += timedelta(days=1)
    live = {name: one for name, one in every.items() if one.gone is None or one.gone > now}
    newest: dict[str, str] = {}
    for name in sorted(live, key=lambda name: (first[name], name)):
        newest[live[name].product.acquisition] = name
    return every, {name: live[name] for name in newest.values()}


def _rot(archive: Archive, chance: random.Random) -> int:
    """Change a byte of something that is held."""
    files = list(archive.folder.glob("[0-9]*/*/*/*.zip"))
    if not files:
        return 0
    try:
        with chance.choice(files).open("r+b") as file:
            content = file.read()
            at = chance.randrange(len(content))
            file.seek(at)
            file.write(bytes([content[at] ^ 255]))
    except (FileNotFoundError, ValueError):
        return 0
    return 1


def _start(folder: Path, last: int, step: timedelta) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "benchmarks.mirror_year", "--work", str(folder)]
    command += ["--step-hours", f"{step / timedelta(hours=1):g}"]
    with (folder / f"{time.monotonic_ns()}.log").open("wb") as log:
        return subprocess.Popen([*command, "--last", str(last)], stdout=log, stderr=log)


def _step(folder: Path) -> int:
    return int((folder / "step").read_text())


def _advance(folder: Path, done: int) -> None:
    """Turn the clock on, unless somebody did."""
    with (folder / "step.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _step(folder) == done:
            beside = folder / f"step.{time.monotonic_ns()}"
            beside.write_text(str(done + 1))
            beside.replace(folder / "step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=365)
    parser.add_argument("--step-hours", type=float, default=8, help="between two runs")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--last", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    step = timedelta(hours=arguments.step_hours)
    if arguments.work is not None:
        work(arguments.work, arguments.last, step)
        return
    with tempfile.TemporaryDirectory() as temporary:
        result = year(Path(temporary), arguments.days, step)
    print(table(result))
    sys.exit(not result.good)


def table(result: Result) -> str:
    """Write the figures."""
    lists = (
        ("bytes other than the source's", result.wrong),
        ("lacking though there is room, or newer than what is held", result.lacking),
        ("held and not to be held", result.extra),
        ("missing without a reason", result.unexplained),
        ("fetched again without need", result.twice),
        ("left over", result.left_over),
    )
    rows = [
        ("days", f"{result.days:g}"),
        ("hours between two runs of the mirror", f"{result.step_hours:g}"),
        ("products published in all (metadata)", f"{round(result.days * SEGMENT.a_day):,}"),
        ("of these wanted by a stream", f"{result.listed:,}"),
        ("processes killed (SIGKILL)", result.kills),
        ("files in which a byte was changed", result.rotten),
        ("what happened", ", ".join(f"{what} {n}" for what, n in result.happened.most_common())),
        ("held at the end", ", ".join(f"{name} {n}" for name, n in result.held.items())),
        *((what, f"{len(names)} {'; '.join(names[:3])}".strip()) for what, names in lists),
        ("missing, by reason", ", ".join(f"{why} {n}" for why, n in result.reasons.items())),
        ("most bytes on the disk, of the mark", f"{result.most:,} of {result.mark:,}"),
        ("bytes received for bytes stored", f"{result.received / max(1, result.needed):.3f}"),
        ("seconds", round(result.seconds)),
    ]
    return "\n".join(f"| {what} | {value} |" for what, value in rows)


if __name__ == "__main__":
    main()
