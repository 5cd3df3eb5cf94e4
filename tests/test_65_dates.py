"""Hubs that list nothing new, and hubs whose dates of publication cannot be right."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import requests
from hub_world import START as SERVED
from hub_world import fault, settings_of, world
from sandbox_safe import make_safe

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.incidents import Turn
from geobservatory.catalog.measurements import Kind
from geobservatory.hubs.model import Offer
from geobservatory.probing.check import check
from geobservatory.probing.dates import dates
from geobservatory.probing.prober import Prober
from geobservatory.probing.staleness import Lateness, stale
from geobservatory.sandbox.hub_behaviour import TurnedClock, make_products
from geobservatory.sandbox.servers.dhus import DhusConfig

START = datetime(2024, 3, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


# Dates


PRODUCTS = make_products(START, START + 10 * HOUR, HOUR)
LAST, NOW = START + 12 * HOUR, START + 13 * HOUR


def listed(*published: timedelta) -> list[Offer]:
    return [
        Offer(product, "a", product.name, "", START + after, True)
        for product, after in zip(PRODUCTS, published, strict=False)
    ]


@pytest.mark.parametrize(
    ("published", "off"),
    [
        ([12.5 * HOUR], 0.0),
        ([13.05 * HOUR], 0.0),  # clocks differ a little
        ([11.2 * HOUR], 0.0),  # dated, and found by the index later
        ([15 * HOUR], 2 * 3600.0),
        ([8 * HOUR], -4 * 3600.0),
        ([12.5 * HOUR, 12.6 * HOUR, 18 * HOUR], 0.0),  # one of many is a slip
        ([12.5 * HOUR, 16 * HOUR, 18 * HOUR], 3 * 3600.0),
        ([-1 * HOUR], -13 * 3600.0),
    ],
)
def test_dates_are_held_against_when_a_product_could_be_found(
    published: list[timedelta], off: float
) -> None:
    found = dates("a", listed(*published), (), LAST, NOW)
    assert found is not None and found.value == pytest.approx(off)
    assert found.ok == (off == 0)
    assert found.kind is Kind.CLOCK
    if off:
        way = "after they were listed" if off > 0 else "before they can have been published"
        assert found.detail["failure"].endswith(f"dated {abs(off) / 3600:.1f} h {way}")


def test_what_is_known_or_undated_tells_nothing_of_a_clock() -> None:
    offers = listed(8 * HOUR)
    assert dates("a", offers, {offers[0].product.name}, LAST, NOW) is None
    undated = Offer(PRODUCTS[0], "a", "x", "", None, True)
    assert dates("a", [undated], (), LAST, NOW) is None
    # The first look says nothing of when it was listed; before it was sensed is wrong all the same.
    first = dates("a", offers, (), None, NOW)
    assert first is not None and first.ok
    early = dates("a", listed(-2 * HOUR), (), None, NOW)
    assert early is not None and not early.ok


def test_a_hub_with_a_wrong_clock_is_told_of_and_so_is_its_end(
    catalog: Catalog, tmp_path: Path
) -> None:
    """Over HTTP: the hub lists by its own clock what is published in five hours."""
    (tmp_path / "products").mkdir()
    for number in range(30):
        make_safe(tmp_path / "products", SERVED + number * HOUR, track=7, size=500)
    clock, turns = TurnedClock(SERVED), []
    with world(tmp_path / "products", (DhusConfig(name="dhus"),)) as addresses:
        settings = settings_of(addresses, tmp_path)
        prober = Prober(settings, catalog, clock=clock)

        def step(hour: int) -> list[Turn]:
            now = SERVED + (hour + 0.5) * HOUR
            asked = {"now": now.isoformat()}
            requests.post(f"{addresses['control']}/time", json=asked, timeout=10).raise_for_status()
            clock.turn_to(now)
            return list(check(settings, catalog, prober, "dhus", clock, [Kind.SEARCH]).turns)

        for hour in range(8):
            turns += step(hour)
        assert turns == []
        with fault(addresses, "ahead", {"kind": "skew", "seconds": 18_000}, hub="dhus"):
            for hour in range(8, 12):
                turns += step(hour)
        (began,) = turns
        assert began.began and began.incident.aspect == "clock"
        # Two looks were enough.
        assert began.incident.noticed_at == SERVED + 9.5 * HOUR
        assert "after they were listed" in began.incident.cause
        for hour in range(12, 24):
            turns += step(hour)
    assert [(one.began, one.incident.aspect) for one in turns] == [
        (True, "clock"),
        (False, "clock"),
    ]
    assert catalog.open_incidents() == []


# Staleness


def test_evidence_is_the_hazard_that_passed() -> None:
    """Exponential lateness has a constant hazard: a product overdue for t gives t over its mean."""
    chance = Random(1)
    late = Lateness([chance.expovariate(1 / 3600) for _ in range(40_000)])
    since, until = START, START + 1.5 * HOUR
    assert late.evidence([START - 2 * HOUR], since, until) == pytest.approx(1.5, rel=0.05)
    assert late.evidence([START], since, until) == pytest.approx(1.5, rel=0.05)
    assert late.evidence([until], since, until) == pytest.approx(0.0, abs=0.01)
    # Never surer than that of fifty one is not got.
    assert late.evidence([START], since, START + 99 * HOUR) == pytest.approx(math.log(50))
    # A hub that gets a tenth of all is not late with the rest.
    few = Lateness([3600.0] * 100 + [None] * 900)
    assert few.evidence([START], since, START + DAY) == pytest.approx(-math.log(0.9), rel=0.01)


def test_the_chance_of_silence_is_what_is_said() -> None:
    """Simulated: how often nothing comes of what is lacking, against exp(-evidence)."""
    chance, silent = Random(2), 0

    def lag() -> float | None:
        return chance.lognormvariate(math.log(4 * 3600), 0.4) if chance.random() < 0.9 else None

    late = Lateness([lag() for _ in range(20_000)])
    published = [START - HOUR, START + HOUR, START + 2 * HOUR]
    until = START + 5 * HOUR
    rounds, tried = 0, 20_000
    for _ in range(tried):
        came = [None if (one := lag()) is None else at.timestamp() + one for at in published]
        # Of what was lacking when the silence began.
        if any(one is not None and one <= START.timestamp() for one in came):
            continue
        rounds += 1
        silent += not any(one is not None and one <= until.timestamp() for one in came)
    expected = math.exp(-late.evidence(published, START, until))
    assert silent / rounds == pytest.approx(expected, abs=0.015)


def publish(
    catalog: Catalog, hub: str, start: datetime, stop: datetime, late_h: float, batch_h: int = 1
) -> None:
    """Let a hub publish the hourly products sensed in a time, so much later, in batches."""
    offers = []
    for product in make_products(START, START + 30 * DAY, HOUR):
        if start <= product.start < stop:
            hours = (product.stop - START) / HOUR + late_h
            dated = START + math.ceil(hours / batch_h) * batch_h * HOUR
            offers.append(Offer(product, hub, product.name, "", dated, True))
    catalog.record_offers(offers)


def judged(catalog: Catalog, hub: str, seen: datetime) -> list[Turn]:
    lasting = {one.aspect: one for one in catalog.open_incidents(hub)}
    return stale(catalog, hub, ["a", "b"], lasting, seen, seen)


def test_a_hub_that_lists_nothing_new_though_others_do(catalog: Catalog) -> None:
    publish(catalog, "a", START, START + 22 * DAY, 2.0)
    publish(catalog, "b", START, START + 20 * DAY, 3.0)
    newest = catalog.newest_publication("b")
    assert newest is not None
    turns: list[Turn] = []
    for hour in range(1, 30):
        turns += judged(catalog, "b", newest + hour * HOUR)
    (began,) = turns
    assert began.began and began.incident.began_at == newest
    # Four products that were due for sure.
    assert began.incident.noticed_at - newest <= 6 * HOUR
    assert "others have" in began.incident.cause
    assert judged(catalog, "a", newest + 2 * DAY) == []
    # One straggler does not end it, and three do.
    publish(catalog, "b", START + 20 * DAY, START + 20 * DAY + HOUR, 40.0)
    assert judged(catalog, "b", newest + 42 * HOUR) == []
    publish(catalog, "b", START + 20 * DAY, START + 22 * DAY, 3.0)
    (ended,) = judged(catalog, "b", START + 22 * DAY + 4 * HOUR)
    assert not ended.began and ended.incident.ended_at == START + 22 * DAY + 4 * HOUR
    assert judged(catalog, "b", START + 22 * DAY + 5 * HOUR) == []


def test_nobody_has_anything_new(catalog: Catalog) -> None:
    """The satellite rests: that is no hub's trouble."""
    for hub, late in (("a", 2.0), ("b", 3.0)):
        publish(catalog, hub, START, START + 20 * DAY, late)
    for hour in range(1, 72, 3):
        assert judged(catalog, "b", START + 20 * DAY + hour * HOUR) == []


def test_a_hub_that_publishes_twice_a_day_is_not_stale_in_between(catalog: Catalog) -> None:
    publish(catalog, "a", START, START + 21 * DAY, 2.0)
    publish(catalog, "b", START, START + 20 * DAY, 3.0, batch_h=12)
    newest = catalog.newest_publication("b")
    assert newest is not None
    assert [judged(catalog, "b", newest + hour * HOUR) for hour in range(1, 13)] == [[]] * 12
    found = [hour for hour in range(13, 24) if judged(catalog, "b", newest + hour * HOUR)]
    assert len(found) == 1


def test_too_little_is_known(catalog: Catalog) -> None:
    assert judged(catalog, "b", START) == []
    publish(catalog, "b", START, START + DAY, 3.0)
    publish(catalog, "a", START, START + 4 * DAY, 2.0)
    assert judged(catalog, "b", START + 4 * DAY) == []
    assert stale(catalog, "b", ["b"], {}, START + 4 * DAY, START + 4 * DAY) == []
    assert stale(catalog, "b", ["a", "b"], {}, None, START + 4 * DAY) == []
