"""Probing: detectors and statistics against closed forms, a simulated month, real servers."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from hub_world import USUAL, fault, make_products, settings_of, world
from scipy.stats import beta, binom

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.hubs import Held
from geobservatory.catalog.incidents import Turn
from geobservatory.catalog.measurements import BUCKET, Kind, Measured, Rollup
from geobservatory.hubs.connectors import connect
from geobservatory.hubs.model import Query
from geobservatory.notify.deliver import queue_incident
from geobservatory.probing import probes
from geobservatory.probing.check import check
from geobservatory.probing.clock import RealClock
from geobservatory.probing.detect import Evidence, outcome_weight, shift_weight
from geobservatory.probing.guard import within
from geobservatory.probing.incidents import judge
from geobservatory.probing.objectives import budgets
from geobservatory.probing.page import render
from geobservatory.probing.prober import Prober
from geobservatory.probing.report import status_report
from geobservatory.probing.statistics import share, spread
from geobservatory.sandbox.servers.world import Addresses
from geobservatory.settings.model import Hub, HubKind, Objectives, Probing, Settings
from geobservatory.transfer.attempt import Outcome

pytestmark = pytest.mark.one_database

START = datetime(2024, 3, 1, tzinfo=UTC)
KEEP = timedelta(days=400)


def at(days: float, hours: float = 0.0) -> datetime:
    return START + timedelta(days=days, hours=hours)


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


def rollup(values: list[float], asked: int = 0, kind: Kind = Kind.SEARCH) -> Rollup:
    buckets: dict[int, int] = {}
    for value in values:
        bucket = math.floor(math.log(value) / math.log(BUCKET))
        buckets[bucket] = buckets.get(bucket, 0) + 1
    total = asked or len(values)
    return Rollup("a", kind, "", START, total, len(values), sum(values), buckets)


# Statistics


def test_quantiles_of_a_known_distribution() -> None:
    """Log-normal: median exp(mu), 95 % at exp(mu + 1.645 sigma)."""
    chance = Random(1)
    values = [chance.lognormvariate(0.5, 0.4) for _ in range(20_000)]
    found = spread([rollup(values[:9000]), rollup(values[9000:])])
    assert found.quantile(0.5) == pytest.approx(math.exp(0.5), rel=0.02)
    assert found.quantile(0.95) == pytest.approx(math.exp(0.5 + 1.645 * 0.4), rel=0.03)
    assert found.mean == pytest.approx(math.exp(0.5 + 0.08), rel=0.01)
    assert found.log_mean == pytest.approx(0.5, abs=0.01)
    assert found.under(math.exp(0.5)) == pytest.approx(10_000, rel=0.03)


def test_the_interval_of_a_median_holds_it_nine_times_of_ten() -> None:
    chance, held = Random(2), 0
    for _ in range(600):
        low, high = spread([rollup([chance.lognormvariate(0, 0.5) for _ in range(60)])]).interval(
            0.5
        )
        held += low <= 1.0 <= high
    # Ranks are whole numbers, so a little more than said.
    assert 0.86 < held / 600 < 0.97


def test_a_share_has_jeffreys_interval_and_its_coverage() -> None:
    one = share(18, 20)
    assert (one.low, one.high) == pytest.approx(
        (beta.ppf(0.05, 18.5, 2.5), beta.ppf(0.95, 18.5, 2.5))
    )
    inside = [k for k in range(101) if share(k, 100).low <= 0.9 <= share(k, 100).high]
    assert sum(binom.pmf(k, 100, 0.9) for k in inside) == pytest.approx(0.9, abs=0.05)
    assert share(0, 0).value == 1.0


def test_nothing_is_no_number() -> None:
    empty = spread([])
    assert math.isnan(empty.quantile(0.5)) and math.isnan(empty.log_mean)
    assert spread([rollup([])]).count == 0


# Detectors


def test_false_alarms_are_rarer_than_the_bound() -> None:
    """Lorden: the mean time to a false alarm is at least exp(h)."""
    chance, sure, alarms, outcomes = Random(3), 5.0, 0, 60_000
    evidence = Evidence(False, sure=sure)
    for number in range(outcomes):
        ok = chance.random() >= 0.05
        change = evidence.take(at(0, number), outcome_weight(ok, 0.05))
        if change is not None:
            alarms += 1
            evidence = Evidence(False, sure=sure)
    assert alarms <= outcomes / math.exp(sure) + 3 * math.sqrt(outcomes / math.exp(sure))


def test_an_outage_is_sure_after_four_failures_and_over_after_three_answers() -> None:
    evidence = Evidence(False)
    for number in range(30):
        assert evidence.take(at(0, number), outcome_weight(True, 0.02)) is None
    changes = [evidence.take(at(1, n), outcome_weight(False, 0.02)) for n in range(4)]
    assert changes[:3] == [None] * 3
    assert changes[3] is not None and changes[3].began and changes[3].at == at(1)
    changes = [evidence.take(at(2, n), outcome_weight(True, 0.02)) for n in range(3)]
    assert changes[2] is not None and not changes[2].began and changes[2].at == at(2)


def test_a_shift_of_three_deviations_is_found_soon_and_one_outlier_is_none() -> None:
    chance, evidence = Random(4), Evidence(False)
    for number in range(300):
        off = 50.0 if number == 100 else chance.gauss(0, 1)
        assert evidence.take(at(0, number), shift_weight(off)) is None
    found = next(n for n in range(50) if evidence.take(at(20, n), shift_weight(chance.gauss(3, 1))))
    assert found < 8


def test_an_error_budget() -> None:
    hours = [replace(rollup([1.0] * 90, 100), hour=at(1, n)) for n in range(24)]
    found = {one.name: one for one in budgets(Objectives(availability=0.8), hours, at(2))}
    assert found["answers"].left == pytest.approx(0.5)
    assert found["answers"].burn == pytest.approx(0.5)
    assert found["searches within 10 s"].left == pytest.approx(-1.0)
    assert not found["searches within 10 s"].kept


# Tables


def test_sums_follow_whatever_is_measured(catalog: Catalog) -> None:
    def record(when: datetime, value: float | None, ok: bool = True) -> None:
        cause = "" if ok else "broken"
        catalog.record_measurements([Measured("a", Kind.SEARCH, when, value, ok, cause)])

    for minute in range(0, 120, 10):
        record(at(0) + timedelta(minutes=minute), 2.0)
    record(at(0, 0.5), None, ok=False)
    catalog.roll_up(at(1), KEEP)
    first, second = catalog.rollups(at(0))
    assert (first.asked, first.good, first.total) == (7, 6, 12.0)
    assert (second.asked, second.good, second.hour) == (6, 6, at(0, 1))
    assert spread([first]).quantile(0.5) == pytest.approx(2.0, rel=BUCKET - 1)
    # A late one, of an hour that was counted; and again, with nothing new.
    record(at(0, 0.9), 4.0)
    for _ in range(2):
        catalog.roll_up(at(1), KEEP)
        assert catalog.rollups(at(0))[0].asked == 8
    # The sums outlive what they were made of, also where it is counted again.
    assert catalog.prune_measurements(at(0, 1)) == 8
    record(at(0, 0.95), 1.0)
    catalog.roll_up(at(0, 1) + KEEP, KEEP)
    assert catalog.rollups(at(0))[0].asked == 8


def test_an_incident_is_open_once_and_told_once(catalog: Catalog, tmp_path: Path) -> None:
    made = catalog.open_incident("a", "reachable", at(0), at(0, 1), "it is away", {})
    assert made is not None
    assert catalog.open_incident("a", "reachable", at(0), at(0, 1), "it is away", {}) is None
    settings = Settings(data_dir=tmp_path, notification={"recipients": ("duty@example.org",)})
    assert [queue_incident(settings, catalog, Turn(made, began=True)) for _ in range(2)] == [1, 0]
    ended = catalog.end_incident(made.id, at(0, 3))
    assert ended is not None and catalog.end_incident(made.id, at(0, 4)) is None
    assert queue_incident(settings, catalog, Turn(ended, began=False)) == 1
    (last, first) = catalog.notices()
    assert "well again" in last.content["subject"] and "away" in first.content["subject"]
    assert catalog.open_incidents() == [] and len(catalog.incidents(at(0, 2))) == 1


def test_completeness_is_judged_however_many_types_there_are(
    catalog: Catalog, tmp_path: Path
) -> None:
    hub = Hub(name="a", kind=HubKind.DHUS, address="http://x")
    settings = Settings(data_dir=tmp_path, hubs=(hub,))
    types = (None, "SLC", "GRD", "RAW", "OCN")
    for hour in range(2):
        values = [
            Measured("a", Kind.COMPLETENESS, at(1, hour), 0.5, product_type=one) for one in types
        ]
        catalog.record_measurements(values)
    (turn,) = judge(settings, catalog, hub, at(1, 2), [Kind.COMPLETENESS])
    assert turn.began and turn.incident.aspect == "completeness"


# Pages


def test_what_is_not_known_is_said(tmp_path: Path, catalog: Catalog) -> None:
    hub = Hub(name="new", kind=HubKind.DHUS, address="http://x")
    settings = Settings(data_dir=tmp_path, hubs=(hub,))
    catalog.open_incident("new", "reachable", at(0), at(0, 1), "<script>alert(1)</script>", {})
    page = render(status_report(settings, catalog, at(1), 30))
    assert "Nothing was downloaded" in page and "nan" not in page
    assert "<script>" not in page and "&lt;script&gt;" in page


# Real servers


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    products = tmp_path_factory.mktemp("probed")
    make_products(products, 6)
    with world(products, USUAL) as served:
        yield served


@pytest.mark.parametrize("name", ["dhus", "cdse", "asf"])
def test_each_question_to_each_kind_of_hub(name: str, addresses: Addresses, tmp_path: Path) -> None:
    settings = settings_of(addresses, tmp_path)
    hub = next(one for one in settings.hubs if one.name == name)
    asked = probes.Asked(connect(hub, tmp_path), RealClock(), within(30))
    measured, offers = probes.search(asked, Query(product_type=None, mode=None))
    assert measured.ok and measured.value is not None and offers
    # Of those that are larger than a sample.
    offer = next(one for one in offers if one.product.relative_orbit == 52)
    measured, found = probes.metadata(asked, Held(offer.product.name, None, None))
    assert measured.ok and found is not None
    missing = replace(found.product).name[:-4] + "0000"
    measured, nothing = probes.metadata(asked, Held(missing, None, None))
    assert (measured.ok, measured.cause, nothing) == (False, "gone", None)
    measured, _ = probes.metadata(asked, Held(offer.product.name, 7, None))
    assert name == "dhus" or measured.cause in ("wrong", "")
    sampled = probes.sample(asked, found, 1000, 50_000)
    assert sampled.outcome is Outcome.DONE and sampled.bytes >= 50_000
    measured = probes.integrity(asked, found)
    assert measured.ok, measured.detail
    now = datetime.now(UTC)
    measured = probes.window(asked, Query(product_type=None, mode=None), now)
    oldest = min(one.product.start for one in offers)
    assert measured.value == pytest.approx((now - oldest).total_seconds(), abs=90_000)


def test_a_token_is_renewed(addresses: Addresses, tmp_path: Path) -> None:
    settings = settings_of(addresses, tmp_path)
    hub = next(one for one in settings.hubs if one.name == "cdse")
    connector = connect(hub, tmp_path)
    asked = probes.Asked(connector, RealClock(), within(30))
    measured = [probes.token(asked, connector) for _ in range(2)]  # type: ignore[arg-type]
    assert all(one.ok for one in measured)


@pytest.mark.parametrize(
    ("what", "cause"),
    [({"kind": "maintenance"}, "broken"), ({"kind": "status", "code": 500}, "broken"),
     ({"kind": "expired_token"}, "refused")],
)  # fmt: skip
def test_what_is_no_answer_is_a_failure(
    what: dict[str, object], cause: str, addresses: Addresses, tmp_path: Path
) -> None:
    """A maintenance page with status 200 is a hub that is down."""
    settings = settings_of(addresses, tmp_path)
    hub = next(one for one in settings.hubs if one.name == "dhus")
    asked = probes.Asked(connect(hub, tmp_path), RealClock(), within(30))
    with fault(addresses, "ill", what, hub="dhus"):
        measured, offers = probes.search(asked, Query(product_type=None, mode=None))
    assert (measured.ok, measured.cause, offers) == (False, cause, [])


def test_flipped_bytes_are_found(addresses: Addresses, tmp_path: Path) -> None:
    settings = settings_of(addresses, tmp_path)
    hub = next(one for one in settings.hubs if one.name == "cdse")
    asked = probes.Asked(connect(hub, tmp_path), RealClock(), within(30))
    _, offers = probes.search(asked, Query(product_type=None, mode=None))
    flips = {"kind": "flip", "count": 3}
    with fault(addresses, "rot", flips, hub="cdse", path="*annotation*"):
        measured = probes.integrity(asked, offers[-1])
    assert not measured.ok and measured.cause == "wrong"


def test_a_hub_that_hangs_holds_up_nobody(
    addresses: Addresses, catalog: Catalog, tmp_path: Path
) -> None:
    from threading import Thread

    settings = settings_of(addresses, tmp_path).model_copy(update={"probing": Probing(limit_s=5)})
    took: dict[str, float] = {}
    began = time.monotonic()

    def run(name: str) -> None:
        check(settings, catalog, Prober(settings, catalog), name, RealClock(), [Kind.SEARCH])
        took[name] = time.monotonic() - began

    with fault(addresses, "hang", {"kind": "latency", "seconds": 25}, hub="dhus"):
        threads = [Thread(target=run, args=(hub.name,)) for hub in settings.hubs]
        for thread in threads:
            thread.start()
        while len(took) < 2 and time.monotonic() - began < 60:
            time.sleep(0.1)
        assert set(took) == {"cdse", "asf"}
        # Whoever comes meanwhile passes it over.
        assert Prober(settings, catalog).probe("dhus", [Kind.SEARCH]) is None
        for thread in threads:
            thread.join()
    hung = [one for one in catalog.measurements("dhus", [Kind.SEARCH], at(0)) if not one.ok]
    assert {one.cause for one in hung} == {"hung"}
