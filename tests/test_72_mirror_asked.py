"""What activations and people ask for keeps to the mirror's mark; real files, real PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from test_71_mirror_sync import GOOD, QUIET, START, World

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.errors import GeobservatoryError, TransientError
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import ActivationState
from geobservatory.hubs.access import Hubs
from geobservatory.mirror.asked import fetch_asked
from geobservatory.mirror.priority import needed
from geobservatory.mirror.roll import make_way
from geobservatory.mirror.verify import verify

# Of a size that some sixty of the simulated products fill.
DISK_GB = 2e-4


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


@pytest.fixture
def world(catalog: Catalog, tmp_path: Path) -> World:
    """Give a mirror that is full."""
    made = World(catalog, tmp_path, {"near": GOOD}, QUIET, {"window_days": 30}, disk_gb=DISK_GB)
    made.sync(0)
    assert 0.8 * mark(made) < used(made) <= mark(made)
    return made


def used(world: World) -> int:
    return sum(world.archive.catalog.used_bytes().values())


def mark(world: World) -> int:
    return world.archive.mark(world.archive.high, "").total


def old(world: World, count: int) -> list[str]:
    """Name products that are older than all that is held."""
    day = START.replace(month=1)
    return [
        one.product.name for one in world.segment.day(day) if one.product.footprint.bounds[0] == 18
    ][:count]


def fetch(world: World, name: str, **how: Any) -> Path:
    hubs = Hubs(
        world.settings, world.archive.catalog, connectors=world.upstreams, now=world.archive.now
    )
    return fetch_asked(hubs, world.archive, name, wait=lambda seconds: None, **how).path


def test_the_oldest_go_for_what_is_asked_for(world: World) -> None:
    held, said = world.held(), list[str]()
    names = old(world, 6)
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(lambda name: fetch(world, name, said=said.append), names))
    assert all(path.is_file() for path in paths) and set(names) <= world.held()
    assert used(world) <= mark(world) and world.on_disk() <= mark(world)
    gone = held - world.held()
    assert gone and max(gone) < min(held - gone)
    assert [line for line in said if "went to make room" in line]
    assert not verify(world.archive)


def test_where_nothing_may_go_it_is_said_and_nothing_is_left(world: World) -> None:
    (name,) = old(world, 1)
    # What still fits is filled, so that any product is too much.
    for one in sorted(world.held()):
        world.archive.catalog.pin(one, "somebody", "a paper", world.archive.now())
    room = mark(world) - used(world)
    world.upstreams["near"] = Larger(world.upstreams["near"], room + 1)
    with pytest.raises(TransientError, match=r"mirror\.disk_gb"):
        fetch(world, name)
    assert name not in {one.name for one in world.archive.catalog.entries()}
    assert not verify(world.archive)


def test_what_a_stream_wants_is_its_own_after_a_day(catalog: Catalog, tmp_path: Path) -> None:
    """Else it would go before all that is older."""
    world = World(catalog, tmp_path, {"near": GOOD}, QUIET, {"window_days": 30})
    world.sync(0)
    (older,) = old(world, 1)
    newest = max(one for one in world.published(0.9) if one not in world.held())
    world.clock.turn_to(START + timedelta(days=0.9))
    for name in (newest, older):
        fetch(world, name)

    def streams() -> list[str]:
        return [catalog.held(name).stream for name in (newest, older)]  # type: ignore[union-attr]

    world.sync(1)
    assert streams() == ["", ""]
    world.sync(2)
    assert streams() == ["home", ""]


def test_what_did_not_come_gives_its_room_back(world: World) -> None:
    before, (name,) = used(world), old(world, 1)
    world.upstreams["near"].habits = replace(GOOD, gone=1.0)
    make_way(world.archive, 20_000)
    freed = used(world)
    with pytest.raises(GeobservatoryError):
        fetch(world, name, patience_s=1)
    assert freed < before and used(world) == freed
    assert not verify(world.archive)


def test_what_is_read_stays(world: World) -> None:
    oldest = min(world.held())
    with world.archive.catalog.reading_all([oldest]):
        make_way(world.archive, mark(world))
        assert world.held() == {oldest}
    make_way(world.archive, mark(world))
    assert not world.held()


def test_a_part_goes_when_the_whole_is_there_and_nobody_needs_it(world: World) -> None:
    """An open activation may have been told of the part before the whole came."""
    archive, catalog, name = world.archive, world.archive.catalog, old(world, 1)[0]
    day = START.replace(month=1)
    form = ActivationForm(
        event_time=day + timedelta(days=1), longitude=23.0, latitude=38.0, days_before=2,
        days_after=1,
    )  # fmt: skip
    part = archive.part(name)
    part.mkdir(parents=True)
    (part / "measurement.tiff").write_bytes(b"bursts")
    fetch(world, name)
    assert archive.whole(name).is_file() and not part.exists()
    activation, _ = catalog.request_activation(form.to_request())
    part.mkdir()
    (part / "measurement.tiff").write_bytes(b"bursts")
    assert name in needed(archive)
    (finding,) = verify(archive, repair=True)
    assert finding.what == "a part beside the whole" and not finding.done and part.exists()
    catalog.set_state(activation.id, ActivationState.RUNNING, "")
    catalog.set_state(activation.id, ActivationState.COMPLETE, "all made")
    (finding,) = verify(archive, repair=True)
    assert finding.done == "removed" and not part.exists()
    assert not verify(archive)


class Larger:
    """An upstream that tells a larger size of what it has."""

    def __init__(self, of: Any, size: int) -> None:
        self._of, self._size = of, size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)

    def find(self, name: str) -> Any:
        found = self._of.find(name)
        return None if found is None else replace(found, size=self._size)
