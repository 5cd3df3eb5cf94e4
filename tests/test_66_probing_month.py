"""A simulated month of probing: what was put into hubs must come out of the measurements."""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from browser import browser
from databases import fresh_database
from sqlalchemy import text

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.incidents import Turn
from geobservatory.hubs.choice import Choice
from geobservatory.hubs.experience import Experience
from geobservatory.hubs.model import Offer
from geobservatory.probing.check import check
from geobservatory.probing.page import write_page
from geobservatory.probing.prober import Prober
from geobservatory.probing.report import StatusReport, status_report
from geobservatory.sandbox import hub_behaviour
from geobservatory.sandbox.hub_behaviour import (
    BehavingHub,
    Behaviour,
    Failing,
    Spell,
    TurnedClock,
)
from geobservatory.settings.model import Hub, HubKind, Probing, Settings

# Three minutes of a core, and the first test waits for it: half an hour where ten others compute.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(5400)]

START = datetime(2024, 3, 1, tzinfo=UTC)


def at(days: float, hours: float = 0.0) -> datetime:
    return START + timedelta(days=days, hours=hours)


MONTH_DAYS = 28
EVERY = timedelta(hours=1)
OUTAGES = (
    Spell(at(10, 3), at(10, 9), Failing.REFUSES),
    Spell(at(13, 1), at(13, 4), Failing.MAINTENANCE),
    Spell(at(16), at(16, 8), Failing.HANGS),
    Spell(at(18), at(18, 5), Failing.FORGETS),
)
BREAKING = Spell(at(20), at(20, 9), Failing.BREAKS)
# Two days with nothing new; then dates five hours in the future, and four hours too early.
STANDING = Spell(at(11), at(13), Failing.STANDS)
LIES = ((at(17), at(18, 12), 5.0), (at(23), at(24, 12), -4.0))
BEHAVIOURS = {
    "steady": Behaviour(failure_rate=0.02, bytes_per_s=25e6, delay_h=4.0),
    "evening": Behaviour(
        slow_hours=dict.fromkeys(range(14, 22), 8.0), bytes_per_s=60e6, share=0.8, delay_h=6.0
    ),
    "troubled": Behaviour(spells=(*OUTAGES, BREAKING), bytes_per_s=30e6, delay_h=2.0),
    "lying": Behaviour(spells=(STANDING,), lies=LIES, bytes_per_s=10e6, delay_h=3.0),
    "drifting": Behaviour(bytes_per_s=40e6, drift=(at(18), 4.0), search_s=2.0, delay_h=9.0),
}


class Month:
    """What a month of probing left behind."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.settings, self.catalog = settings, catalog
        products = hub_behaviour.make_products(at(-11), at(MONTH_DAYS), timedelta(hours=2))
        self.clocks = {name: TurnedClock(START) for name in BEHAVIOURS}
        self.hubs = {
            name: BehavingHub(name, behaviour, products, self.clocks[name])
            for name, behaviour in BEHAVIOURS.items()
        }
        self.turns: list[Turn] = []
        self.chosen: list[tuple[str, datetime]] = []
        for name in self.hubs:
            self._probe(name)
        self.report: StatusReport = status_report(settings, catalog, at(MONTH_DAYS), 30)

    def _probe(self, name: str) -> None:
        clock, hub = self.clocks[name], self.hubs[name]
        prober = Prober(
            self.settings,
            self.catalog,
            clock=clock,
            chance=Random(5),
            connectors={name: hub},
            guard=lambda question: question(),
        )
        now = START
        while now < at(MONTH_DAYS):
            clock.turn_to(now)
            checked = check(self.settings, self.catalog, prober, name, clock)
            self.turns.extend(checked.turns)
            now += EVERY

    def incidents(self, hub: str) -> list[Turn]:
        return [one for one in self.turns if one.incident.hub == hub and one.began]


@pytest.fixture(scope="module")
def month(embedded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:  # type: ignore[no-untyped-def]
    hubs = tuple(
        Hub(name=name, kind=HubKind.DHUS, address="http://x", daily_quota_gb=10)
        for name in BEHAVIOURS
    )
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("month"),
        hubs=hubs,
        probing=Probing(search_s=3600, metadata_s=3600, quota_share=0.018),
    )
    with fresh_database(str(embedded.status().url)) as url, open_catalog(url) as opened:
        yield Month(settings, opened)


def test_every_outage_is_found_within_two_intervals(month: Month) -> None:
    found = [one.incident for one in month.incidents("troubled")]
    for outage in OUTAGES:
        mine = [
            one
            for one in found
            if one.aspect == "reachable" and outage.start <= one.began_at < outage.stop
        ]
        assert len(mine) == 1, (outage, found)
        assert mine[0].noticed_at - outage.start <= 2 * EVERY + timedelta(minutes=5)
    breaking = [one for one in found if one.aspect == "download"]
    assert len(breaking) == 1
    # Samples are taken every hour.
    assert breaking[0].noticed_at - BREAKING.start <= timedelta(hours=2, minutes=5)


def test_outages_end_when_they_end(month: Month) -> None:
    ended = {one.incident.began_at: one.incident for one in month.turns if not one.began}
    for outage in OUTAGES:
        mine = [one for began, one in ended.items() if outage.start <= began < outage.stop]
        assert len(mine) == 1
        stop = mine[0].ended_at
        assert stop is not None and timedelta(0) <= stop - outage.stop <= 2 * EVERY
    assert month.catalog.open_incidents("steady") == []


def test_quiet_hubs_have_no_incident(month: Month) -> None:
    """Neither two failures of a hundred nor slow evenings are trouble."""
    assert month.incidents("steady") == []
    assert {one.incident.aspect for one in month.incidents("evening")} <= {"completeness"}
    # Two days of nothing new are seen after a day in what it lacks, too.
    lying = {one.incident.aspect for one in month.incidents("lying")}
    assert lying == {"stale", "clock", "completeness"}
    aspects = [one.incident.aspect for one in month.incidents("troubled")]
    assert sorted(set(aspects)) == ["download", "reachable"]
    assert len(aspects) == len(OUTAGES) + 1


def test_a_hub_that_stands_still_is_found(month: Month) -> None:
    """Others publish every two hours: some products must be overdue, and that takes half a day."""
    (found,) = [one.incident for one in month.turns if one.incident.aspect == "stale" and one.began]
    assert found.hub == "lying"
    assert STANDING.start - timedelta(hours=8) < found.began_at <= STANDING.start
    assert timedelta(hours=4) < found.noticed_at - STANDING.start <= timedelta(hours=14)
    assert found.evidence["chance"] <= math.exp(-12)
    (ended,) = [
        one.incident for one in month.turns if one.incident.aspect == "stale" and not one.began
    ]
    assert ended.ended_at is not None
    assert timedelta(0) <= ended.ended_at - STANDING.stop <= 2 * EVERY


def test_dates_that_cannot_be_are_found(month: Month) -> None:
    """It has something new every two hours, and two wrong dates are enough."""
    began = [one.incident for one in month.turns if one.incident.aspect == "clock" and one.began]
    ended = [
        one.incident for one in month.turns if one.incident.aspect == "clock" and not one.began
    ]
    assert [one.hub for one in began] == [one.hub for one in ended] == ["lying", "lying"]
    for found, over, (start, stop, hours) in zip(began, ended, LIES, strict=True):
        # What is dated too early is listed late by a hub that is asked for what is new.
        late = timedelta(hours=8 + max(0.0, -hours))
        assert start <= found.began_at <= found.noticed_at <= start + late
        said = re.search(r"dated (\d+\.\d) h (after|before)", found.cause)
        assert said is not None and said[2] == ("after" if hours > 0 else "before")
        # Less what passed between two looks.
        assert abs(hours) - 1.1 <= float(said[1]) <= abs(hours)
        assert over.ended_at is not None and stop <= over.ended_at <= stop + timedelta(hours=6)


def test_a_drift_is_found(month: Month) -> None:
    (found,) = [one.incident for one in month.incidents("drifting")]
    assert found.aspect == "slow download"
    assert at(18) - timedelta(hours=2) <= found.began_at <= at(18, 12)
    factor = float(found.cause.split()[2])
    assert factor == pytest.approx(4.0, rel=0.3)


def test_statistics_recover_what_was_put_in(month: Month) -> None:
    of = {one.hub.name: one for one in month.report.hubs}
    for name, behaviour in BEHAVIOURS.items():
        if not behaviour.slow_hours:
            assert of[name].search.quantile(0.5) == pytest.approx(behaviour.search_s, rel=0.05)
        delay = of[name].latency.quantile(0.5)
        assert delay == pytest.approx(3600 * behaviour.delay_h, rel=0.1)
    low, high = of["steady"].answers.low, of["steady"].answers.high
    assert low <= 0.98 <= high
    # Down for 22 of 672 hours; an hour of trouble is asked more often.
    assert of["troubled"].answers.value == pytest.approx(1 - 22 / 672, abs=0.03)
    day = BEHAVIOURS["steady"].bytes_per_s
    assert of["steady"].speed.quantile(0.5) == pytest.approx(day, rel=0.07)
    by_hour = of["evening"].speed_by_hour
    evening = spread_of([by_hour[key] for key in by_hour if 14 <= key[1] < 22])
    morning = spread_of([by_hour[key] for key in by_hour if 2 <= key[1] < 12])
    assert morning == pytest.approx(60e6, rel=0.08)
    assert evening == pytest.approx(60e6 / 8, rel=0.08)


def spread_of(spreads: list) -> float:  # type: ignore[type-arg]
    """Give the middle of medians."""
    medians = sorted(one.quantile(0.5) for one in spreads)
    return float(medians[len(medians) // 2])


def test_publications_completeness_and_who_was_first(month: Month) -> None:
    of = {one.hub.name: one for one in month.report.hubs}
    for name in BEHAVIOURS:
        hub = month.hubs[name]
        published = sum(
            START - timedelta(days=2) <= when < at(MONTH_DAYS) - EVERY
            for when, _ in hub.published.values()
        )
        counted = sum(sum(day.published.values()) for day in of[name].days)
        assert counted == pytest.approx(published, rel=0.1)
    held = of["evening"].completeness
    assert held is not None and held == pytest.approx(0.8, abs=0.12)
    assert of["steady"].completeness == pytest.approx(1.0, abs=0.03)
    assert max(of, key=lambda name: of[name].first) == "troubled"


def test_probing_stays_within_its_share(month: Month) -> None:
    allowed = 0.018 * 10e9
    with month.catalog.engine.connect() as connection:
        most = connection.execute(
            text(
                "SELECT max(total) FROM (SELECT sum(received_bytes) OVER (PARTITION BY hub ORDER BY"
                " started_at RANGE BETWEEN interval '1 day' PRECEDING AND CURRENT ROW) AS total"
                " FROM downloads) AS sums"
            )
        ).scalar_one()
    assert 0.8 * allowed < most <= allowed


def test_the_status_page_shows_it(month: Month, tmp_path: Path) -> None:
    """An hour of which nothing was answered is red; a browser opens it, and asks nobody."""
    path = write_page(month.report, tmp_path)
    page = path.read_text()
    ribbon = next(
        one for one in page.split("<svg") if "ribbon" in one and "of troubled, hour" in one
    )
    red = [int(width) for width in re.findall(r'width="(\d+)" height="10" fill="#d55e00"', ribbon)]
    # Refused, maintenance, hung; where products were lost searches were still answered.
    assert sum(red) == 6 + 3 + 8
    well = sum(one.state == "well" for one in month.report.hubs)
    assert f"{well} of 5 are well" in page
    with browser(tmp_path) as opened:
        opened.open(path.as_uri(), 'document.querySelectorAll("svg").length >= 16')
        assert opened.errors == []
        assert all(one.startswith("file:") for one in opened.requests)
        assert opened.run("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_choice_beats_any_fixed_hub_and_is_near_the_oracle(month: Month) -> None:
    """By what probing alone has taught, hub by hub and hour by hour, over the last ten days.

    They have a drift and a night of broken downloads; who fails costs a minute, and the next is
    asked.
    """
    size, chance = 4_000_000_000, Random(6)
    hubs = {one.name: one for one in month.settings.hubs}
    since = at(MONTH_DAYS - 20)
    known = month.catalog.transfers(since, hubs)
    incidents = month.catalog.incidents(since)
    taken = oracle = 0.0
    fixed = dict.fromkeys(BEHAVIOURS, 0.0)
    product = next(iter(month.hubs["steady"].published.values()))[1]
    for number in range(24 * 10):
        now = at(MONTH_DAYS - 10, number + 0.5)
        lasting: dict[str, list] = {name: [] for name in hubs}  # type: ignore[type-arg]
        for known_one in incidents:
            if known_one.noticed_at <= now and (known_one.ended_at or at(99)) > now:
                lasting[known_one.hub].append(known_one)
        real = {name: size / hub.speed(now) for name, hub in month.hubs.items()}
        failing = {"troubled"} if BREAKING.start <= now < BREAKING.stop else set()
        choice = Choice(
            hubs=hubs,
            experience=Experience(one for one in known if one.at <= now),
            in_use=lambda hub: 0,
            used=lambda hub, since: 0,
            chance=chance,
            incidents=lasting,
        )
        offers = [Offer(product, name, "", "", None, True, size) for name in hubs]
        for one in choice.rank(offers, now):
            if one.offer.hub not in failing:
                taken += real[one.offer.hub]
                break
            taken += 60.0
        oracle += min(seconds for name, seconds in real.items() if name not in failing)
        for name, seconds in real.items():
            until = (BREAKING.stop - now).total_seconds() if name in failing else 0.0
            fixed[name] += seconds + until
    assert taken < 0.9 * min(fixed.values())
    assert taken < 1.1 * oracle, taken / oracle
