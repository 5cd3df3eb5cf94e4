"""The mirror follows upstreams: what is published late, again, or no more; room; two at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from shapely.geometry import mapping
from sqlalchemy import text

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.model import Offer
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.books import settle
from geobservatory.mirror.bring import Bringer, Outcome
from geobservatory.mirror.leave import leave
from geobservatory.mirror.look import look
from geobservatory.mirror.plan import limits, turns
from geobservatory.mirror.streams import Wanted
from geobservatory.mirror.sync import Run, Synchroniser
from geobservatory.mirror.verify import verify
from geobservatory.sandbox.hub_behaviour import TurnedClock
from geobservatory.sandbox.publications import HOME, Habits, Published, Segment, Upstream, midnight
from geobservatory.settings.mirror import Mirror, Stream
from geobservatory.settings.model import Hub, HubKind, Settings

START = datetime.fromisoformat("2024-03-01T00:00:00+00:00")
GOOD = Habits(
    late=0, backdated=0, share=1, fails=0, breaks=0, damages=0, lies=0, stale=0, forgets=0,
    offline=0, gone=0, away=0,
)  # fmt: skip
QUIET = Segment(a_day=30, at_home=6, again=0, withdrawn=0, changed=0)


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


class World:
    """Upstreams, an archive, and the time by hand."""

    def __init__(
        self,
        catalog: Catalog,
        folder: Path,
        habits: dict[str, Habits],
        segment: Segment = QUIET,
        stream: dict[str, Any] | None = None,
        **mirror: Any,
    ) -> None:
        self.clock, self.segment = TurnedClock(START), segment
        self.upstreams = {
            name: Upstream(name, one, segment, self.clock, Random(1))
            for name, one in habits.items()
        }
        hubs = tuple(Hub(name=name, kind=HubKind.DHUS, address="http://x") for name in habits)
        given = {"disk_gb": 1.0, "area": mapping(HOME), **mirror}
        one = Stream(**{"name": "home", "window_days": 10, **(stream or {})})
        self.settings = Settings(data_dir=folder, hubs=hubs, mirror=Mirror(**given, streams=(one,)))
        self.archive = Archive(self.settings, catalog, self.clock)

    @property
    def wanted(self) -> Wanted:
        return self.archive.streams[0]

    def sync(self, days: float, **how: Any) -> Run:
        self.clock.turn_to(START + timedelta(days=days))
        return Synchroniser(
            self.archive, self.upstreams, wait=lambda seconds: None, patience_s=300
        ).run(**how)

    def published(self, until_days: float) -> dict[str, Published]:
        """Give what is sensed at home within the window, and visible somewhere by a time."""
        now = START + timedelta(days=until_days)
        found, day = {}, midnight(self.wanted.window(now))
        while day <= now:
            for one in self.segment.day(day):
                at_home = one.product.footprint == HOME
                if at_home and one.product.start >= self.wanted.window(now):
                    listed = [up.listed(one) for up in self.upstreams.values()]
                    if any(place is not None and place.visible <= now for place in listed):
                        found[one.product.name] = one
            day += timedelta(days=1)
        return found

    def held(self) -> set[str]:
        with self.archive.catalog.engine.connect() as connection:
            rows = connection.execute(
                text("SELECT scene_name FROM mirror_inventory WHERE state = 'held'")
            )
            return set(rows.scalars())

    def on_disk(self) -> int:
        return sum(path.stat().st_size for path in self.archive.folder.rglob("*") if path.is_file())


def test_all_that_any_upstream_has_is_held_byte_for_byte(catalog: Catalog, tmp_path: Path) -> None:
    habits = {"near": replace(GOOD, share=0.7), "far": replace(GOOD, share=0.6, delay_h=6)}
    world = World(catalog, tmp_path, habits)
    run = world.sync(0)
    wanted = world.published(0)
    assert world.held() == set(wanted) and len(run.came()) == len(wanted) > 40
    for name, one in wanted.items():
        assert world.archive.whole(name).read_bytes() == one.content(world.clock.now())
    # Nothing new: nothing is asked for again.
    opened = [one.opened for one in world.upstreams.values()]
    again = world.sync(0.01)
    assert not again.brought and not any(one.full for one in again.looked)
    assert [one.opened for one in world.upstreams.values()] == opened
    # A day later the new is there, and what is over has gone.
    later = world.sync(1)
    assert later.gone and all("older than 10 days" in one.why for one in later.gone)
    newest = max(catalog.inventory_entry(name).sensed_at for name in world.held())  # type: ignore[union-attr]
    must, may = set(world.published(1)), world.wanted.window(newest)
    assert must <= world.held()
    assert all(catalog.inventory_entry(one).sensed_at >= may for one in world.held())  # type: ignore[union-attr]


def test_looks_at_once_do_not_wait_for_each_other_for_ever(
    catalog: Catalog, tmp_path: Path
) -> None:
    """They lock the rows of the same products, each in an order of its own."""
    world = World(catalog, tmp_path, {"near": GOOD})
    now = world.clock.now()
    offers = [
        Offer(one.product, "near", "", "", now - timedelta(seconds=number * 7919 % 101))
        for number, one in enumerate(
            one for at in range(3) for one in world.segment.day(START + timedelta(days=at))
        )
    ]
    acquisitions = {one.product.acquisition for one in offers}
    catalog.record_offers(offers)

    def enter(_: int) -> None:
        catalog.want("home", offers, now)

    def judge(_: int) -> None:
        catalog.supersede("home", acquisitions, now)

    enter(0)
    with ThreadPoolExecutor(4) as threads:
        done = [threads.map(work, range(200), timeout=200) for work in (enter, judge)]
        assert [len(list(one)) for one in done] == [200, 200]


def test_after_days_offline_all_is_caught_up(catalog: Catalog, tmp_path: Path) -> None:
    world = World(catalog, tmp_path, {"near": GOOD})
    world.sync(0)
    run = world.sync(5)
    assert world.held() >= set(world.published(5)) and len(run.came()) >= 24


def over(world: World) -> set[str]:
    """Name what was of the window before, and is no more."""
    begin, day = world.wanted.window(world.clock.now()), timedelta(days=1)
    sensed = (
        one.product for at in range(-3, 1) for one in world.segment.day(midnight(begin) + at * day)
    )
    return {one.name for one in sensed if one.start < begin}


def test_late_and_backdated_publications_are_met(catalog: Catalog, tmp_path: Path) -> None:
    habits = {"near": replace(GOOD, late=0.4, backdated=0.3)}
    world = World(catalog, tmp_path, habits, overlap_hours=26)
    for step in range(16):
        world.sync(step / 2)
    # Those beyond the overlap at the next look at all, a day later at most.
    assert set(world.published(6.5)) <= world.held() | over(world)
    world.sync(8, full=True)
    assert set(world.published(8)) <= world.held()


def test_an_upstream_that_fails_is_gone_on_with(catalog: Catalog, tmp_path: Path) -> None:
    world = World(catalog, tmp_path, {"near": replace(GOOD, away=1.0), "far": GOOD})
    run = world.sync(0)
    assert [bool(one.failure) for one in run.looked] == [True, False]
    look = catalog.looks("home")["near"]
    assert look.full_at is None and "broken" in look.failure
    assert world.held() == set(world.published(0))


def test_what_was_processed_again_takes_the_place(catalog: Catalog, tmp_path: Path) -> None:
    world = World(catalog, tmp_path, {"near": GOOD}, replace(QUIET, again=0.5, seed=2))
    for step in range(7):
        world.sync(step)
    wanted = world.published(6)
    newest: dict[str, Published] = {}
    for one in sorted(wanted.values(), key=lambda one: one.ready):
        newest[one.product.acquisition] = one
    assert {one.product.name for one in newest.values()} <= world.held()
    assert len(world.held()) <= len(newest) + 12
    older = set(wanted) - {one.product.name for one in newest.values()}
    assert older and not older & world.held()
    with catalog.engine.connect() as connection:
        told = connection.execute(
            text("SELECT DISTINCT what FROM mirror_changes WHERE what = 'superseded'")
        )
        assert told.scalars().all() == ["superseded"]


def test_both_are_kept_where_that_is_the_policy(catalog: Catalog, tmp_path: Path) -> None:
    segment = replace(QUIET, again=0.5, seed=2)
    world = World(catalog, tmp_path, {"near": GOOD}, segment, {"updated": "keep"})
    for step in range(3):
        world.sync(step)
    assert set(world.published(2)) <= world.held()


def test_what_changes_under_its_name_is_fetched_again_once(
    catalog: Catalog, tmp_path: Path
) -> None:
    world = World(catalog, tmp_path, {"near": GOOD}, replace(QUIET, changed=0.3, seed=3))
    for step in range(7):
        world.sync(step)
    for name, one in world.published(6).items():
        assert world.archive.whole(name).read_bytes() == one.content(world.clock.now())
    assert not list(world.archive.folder.rglob("*.changed"))
    with catalog.engine.connect() as connection:
        counts = connection.execute(
            text(
                "SELECT sum((what = 'came')::int), sum((what = 'updated')::int)"
                " FROM mirror_changes GROUP BY scene_name"
            )
        ).all()
    assert all(came == 1 + updated for came, updated in counts)
    assert sum(updated for _, updated in counts) > 5


@pytest.mark.parametrize("done", [False, True])
def test_a_change_that_was_broken_off_is_told_by_its_bytes(
    catalog: Catalog, tmp_path: Path, done: bool
) -> None:
    """Killed before or after the new file took the place of the old: neither is lost."""
    world = World(catalog, tmp_path, {"near": GOOD}, replace(QUIET, changed=1.0, seed=3))
    world.sync(0)
    changing = {
        name: one
        for name, one in world.published(1).items()
        if START < (one.changed or START) < START + timedelta(hours=20)
    }
    name, one = next(iter(changing.items()))
    world.clock.turn_to(START + timedelta(days=1))
    hubs = [(world.settings.hubs[0], world.upstreams["near"])]
    look(world.archive, world.wanted, hubs, full=True)
    catalog.set_entry_state(name, "coming")
    if done:
        world.archive.whole(name).write_bytes(one.content(world.clock.now()))
    with catalog.bringing(name):
        assert settle(world.archive, name) == "entered: it lay there"
    entry = catalog.held(name)
    assert entry is not None and entry.whole and bool(entry.outdated) is not done
    # The old one has not come again.
    with catalog.engine.connect() as connection:
        found = connection.execute(text("SELECT count(*) FROM mirror_changes WHERE what = 'found'"))
        assert found.scalar_one() == done
    again = world.sync(1)
    assert world.archive.whole(name).read_bytes() == one.content(world.clock.now())
    assert (name in {brought.name for brought in again.came()}) is not done
    assert not verify(world.archive)


@pytest.mark.parametrize("done", [False, True])
def test_what_another_run_let_go_is_not_fetched_by_a_plan_of_before(
    catalog: Catalog, tmp_path: Path, done: bool
) -> None:
    """Whether the other took it away to the end, or was killed while it did."""
    world = World(catalog, tmp_path, {"near": GOOD})
    world.sync(0)
    name = min(world.held())
    entry = catalog.held(name)
    assert entry is not None
    catalog.note_outdated("home", {name: "another content"}, world.clock.now())
    (planned,) = turns(world.archive, world.wanted, ()).fetch
    if done:
        leave(world.archive, entry, "the oldest, and there was no room")
    else:
        catalog.set_entry_state(name, "leaving")
    hubs = Hubs(world.settings, catalog, connectors=world.upstreams, now=world.archive.now)
    opened = world.upstreams["near"].opened
    brought = Bringer(world.archive, "home", hubs).bring(planned)
    assert brought.outcome is Outcome.NO_ROOM and name not in world.held()
    assert world.upstreams["near"].opened == opened


def test_a_clock_that_is_behind_fetches_nothing_that_another_let_go_by_age(
    catalog: Catalog, tmp_path: Path
) -> None:
    world = World(catalog, tmp_path, {"near": GOOD}, stream={"window_days": 4})
    world.sync(3)
    gone = world.held()
    world.sync(4)
    gone -= world.held()
    assert gone
    # Another machine, half a day behind.
    clock = TurnedClock(START + timedelta(days=3.5))
    behind = Archive(world.settings, catalog, clock)
    run = Synchroniser(behind, world.upstreams, wait=lambda seconds: None, patience_s=300).run()
    assert run.came() == [] and not gone & world.held()


@pytest.mark.parametrize("policy", ["keep", "remove"])
def test_what_is_withdrawn_is_recorded(catalog: Catalog, tmp_path: Path, policy: str) -> None:
    segment = replace(QUIET, withdrawn=0.3, seed=4)
    world = World(catalog, tmp_path, {"near": GOOD}, segment, {"withdrawn": policy})
    for step in range(12):
        world.sync(step)
    gone = {
        name
        for name, one in world.published(11).items()
        if one.gone is not None and one.gone < START + timedelta(days=8)
    }
    assert len(gone) > 3
    assert (gone <= world.held()) if policy == "keep" else not gone & world.held()
    with catalog.engine.connect() as connection:
        told = connection.execute(
            text("SELECT scene_name FROM mirror_wanted WHERE state = 'withdrawn'")
        )
        assert gone <= set(told.scalars())


def test_the_disk_holds_the_newest_and_nothing_goes_back_and_forth(
    catalog: Catalog, tmp_path: Path
) -> None:
    """Room for some 30 of 60 products: never above the mark, always the newest without a gap."""
    world = World(
        catalog, tmp_path, {"near": replace(GOOD, late=0.2)}, disk_gb=1e-4, high_water=0.9,
        low_water=0.7,
    )  # fmt: skip
    for step in range(12):
        world.sync(step / 4)
        assert world.on_disk() <= 0.9e5
        entries = sorted(catalog.inventory_entry(one).sensed_at for one in world.held())  # type: ignore[union-attr]
        newer = [
            name
            for name, one in world.published(step / 4).items()
            if one.product.start >= entries[0]
        ]
        assert set(newer) <= world.held()
    held = catalog.used_bytes()["home"]
    assert 0.7e5 - 5000 <= held <= 0.9e5
    with catalog.engine.connect() as connection:
        often = connection.execute(
            text(
                "SELECT max(n) FROM (SELECT count(*) n FROM mirror_changes WHERE what = 'came'"
                " GROUP BY scene_name) c"
            )
        ).scalar_one()
    assert often == 1
    why = catalog.missing(limits(world.archive, world.wanted), START - timedelta(days=20), 1000)
    assert why and {reason for _, reason, _ in why} <= {"no room", "had to go"}


def test_two_at_once_do_nothing_twice(catalog: Catalog, tmp_path: Path) -> None:
    world = World(catalog, tmp_path, {"near": GOOD, "far": replace(GOOD, delay_h=3)})
    runs: list[Run] = []
    threads = [threading.Thread(target=lambda: runs.append(world.sync(0))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 2
    run = world.sync(0)
    assert world.held() == set(world.published(0))
    assert sum(one.opened for one in world.upstreams.values()) == len(world.held())
    assert sum(len(one.came()) for one in (*runs, run)) == len(world.held())


def test_what_is_pinned_stays(catalog: Catalog, tmp_path: Path) -> None:
    world = World(catalog, tmp_path, {"near": GOOD})
    world.sync(0)
    entries = sorted(
        (catalog.inventory_entry(one) for one in world.held()),
        key=lambda one: one.sensed_at,  # type: ignore[union-attr]
    )
    pinned, read = entries[0], entries[1]
    assert pinned is not None and read is not None
    catalog.pin(pinned.name, "me", "a paper", world.clock.now())
    with catalog.reading(read.name) as path:
        world.sync(3)
        assert path is not None and path.exists()
    assert {pinned.name, read.name} <= world.held()
    catalog.unpin(pinned.name, "me")
    world.sync(3.1)
    assert not {pinned.name, read.name} & world.held()
