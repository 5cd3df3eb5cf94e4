"""The choice of a hub: what past transfers teach, and what follows from it."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import mean

import pytest
import shapely

from geobservatory.hubs.choice import Choice
from geobservatory.hubs.experience import Experience
from geobservatory.hubs.model import Offer
from geobservatory.hubs.products import make_product
from geobservatory.settings.model import Hub, HubKind
from geobservatory.transfer.attempt import Measurement, Outcome

NOW = datetime(2023, 9, 8, 12, tzinfo=UTC)
NAME = "S1A_IW_SLC__1SDV_20230904T063730_20230904T063757_050174_0609E3_DAA1"
PRODUCT = make_product(NAME, shapely.box(-8, 30, -6, 32))
SIZE = 4_000_000_000


def transfer(
    hub: str,
    hours_ago: float = 1.0,
    speed: float = 50e6,
    outcome: Outcome = Outcome.DONE,
    first_byte_s: float = 0.5,
    size: float = 4e9,
) -> Measurement:
    at = NOW - timedelta(hours=hours_ago)
    seconds = first_byte_s + size / speed
    return Measurement(hub, NAME, at, int(size), seconds, first_byte_s, outcome)


def offer(hub: str, online: bool | None = True, size: int | None = SIZE) -> Offer:
    return Offer(PRODUCT, hub, hub, "", NOW, online, size)


def choice(
    experience: Experience,
    seed: int = 1,
    taken: dict[str, int] | None = None,
    used: dict[str, int] | None = None,
    **changes: float,
) -> Choice:
    hubs = {
        name: Hub(name=name, kind=HubKind.DHUS, address="http://x", **changes)  # type: ignore[arg-type]
        for name in ("a", "b", "c")
    }
    taken, used = taken or {}, used or {}
    return Choice(
        hubs,
        experience,
        lambda hub: taken.get(hub, 0),
        lambda hub, since: used.get(hub, 0),
        Random(seed),
    )


def test_a_hub_that_is_not_known_is_a_guess_and_a_wide_one() -> None:
    belief = Experience().of("a", NOW)
    assert belief.transfers == 0
    assert belief.speed == pytest.approx(5e6)
    assert belief.log_speed_sigma > 1


def test_the_mean_and_its_uncertainty_are_those_of_the_normal_model() -> None:
    """Closed form: n transfers of one hour, just ended, of a size that tells all."""
    count, speed = 12, 80e6
    known = [transfer("a", hours_ago=0.0, speed=speed, size=4e13) for _ in range(count)]
    belief = Experience(known).of("a", NOW)
    prior, data = 1 / 1.1**2, count / (1.0**2 + 0.5**2)
    hub = (prior * math.log(5e6) + data * math.log(speed)) / (prior + data)
    prior = 1 / (1 / (prior + data) + 1.0**2)
    # All alike: the scatter is what the prior has of it, and the little that is left.
    about = (prior * hub + count / 0.25 * math.log(speed)) / (prior + count / 0.25)
    scatter = (3 * 0.25 + count * (about - math.log(speed)) ** 2) / (3 + count)
    data = count / scatter
    expected = (prior * hub + data * math.log(speed)) / (prior + data)
    assert belief.log_speed == pytest.approx(expected, rel=1e-6)
    assert belief.log_speed_sigma == pytest.approx((prior + data) ** -0.5, rel=1e-6)


def test_the_hour_of_day_is_learned() -> None:
    known = [
        transfer("a", hours_ago=24 * day + hour, speed=80e6 if hour < 12 else 8e6)
        for day in range(14)
        for hour in range(1, 24, 2)
    ]
    experience = Experience(sorted(known, key=lambda one: one.at))
    # `hours_ago` 6 is six o'clock, and 18 is eighteen o'clock the day before.
    morning = experience.of("a", NOW.replace(hour=6)).speed
    evening = experience.of("a", NOW.replace(hour=18) - timedelta(days=1)).speed
    assert morning == pytest.approx(80e6, rel=0.4)
    assert evening == pytest.approx(8e6, rel=0.6)


def test_what_is_recent_counts_more() -> None:
    old = [transfer("a", hours_ago=24 * 50 + n / 100, speed=100e6) for n in range(20)]
    new = [transfer("a", hours_ago=24 + n / 100, speed=10e6) for n in range(20)]
    assert Experience([*old, *new]).of("a", NOW).speed < 20e6


def test_a_hub_that_has_become_slow_is_known_within_hours() -> None:
    chance = Random(3)
    slow_hours = range(14, 22)

    def known(slower_for_h: float) -> Experience:
        hours_ago = [hour + 0.5 for hour in range(24 * 20, 0, -1)]
        made = []
        for ago in hours_ago:
            speed = 40e6 * chance.lognormvariate(0, 0.2)
            speed /= 5 if (NOW - timedelta(hours=ago)).hour in slow_hours else 1
            speed /= 4 if ago < slower_for_h else 1
            made.append(transfer("a", ago, speed, size=8e6))
        return Experience(made)

    usual = known(0).of("a", NOW)
    assert usual.speed == pytest.approx(40e6, rel=0.15)
    assert usual.log_speed_sigma < 0.2
    assert known(4).of("a", NOW).speed < 20e6
    assert known(12).of("a", NOW).speed == pytest.approx(10e6, rel=0.3)
    slow = known(20)
    assert slow.of("a", NOW).speed == pytest.approx(10e6, rel=0.2)
    # The shape of its day is kept.
    assert slow.of("a", NOW + timedelta(hours=4)).speed == pytest.approx(2e6, rel=0.3)


def test_the_failure_rate() -> None:
    known = [
        transfer("a", 1 + n / 100, outcome=Outcome.BROKEN if n % 4 == 0 else Outcome.DONE)
        for n in range(200)
    ]
    assert Experience(known).of("a", NOW).failure_rate == pytest.approx(0.25, abs=0.03)
    # What we stopped, or what was busy or on tape, is no failure.
    for outcome in (Outcome.STOPPED, Outcome.BUSY, Outcome.OFFLINE, Outcome.GONE):
        known = [transfer("a", 1 + n, outcome=outcome) for n in range(20)]
        assert Experience(known).of("a", NOW).failure_rate < 0.1


def test_a_hub_that_fails_is_set_aside_and_tried_again() -> None:
    experience = Experience()
    pauses = []
    for count in range(1, 12):
        experience.add(transfer("a", 0.0, speed=math.inf, outcome=Outcome.BROKEN, first_byte_s=0))
        until = experience.of("a", NOW).aside_until
        pauses.append(None if until is None else (until - NOW).total_seconds())
        del count
    assert pauses[:4] == [None, 60, 120, 240]
    assert pauses[-1] == 3600
    later = NOW + timedelta(seconds=3601)
    assert experience.of("a", later).aside_until is None
    experience.add(Measurement("a", NAME, later, 10**9, 10, 0.1, Outcome.DONE))
    assert experience.of("a", later + timedelta(seconds=20)).aside_until is None


def test_the_fastest_is_chosen_and_why() -> None:
    known = [transfer("a", 24 * n, 20e6) for n in range(1, 20)]
    known += [transfer("b", 24 * n, 90e6) for n in range(1, 20)]
    ranked = choice(Experience(known)).rank([offer("a"), offer("b")], NOW)
    assert [one.offer.hub for one in ranked] == ["b", "a"]
    assert ranked[0].seconds == pytest.approx(SIZE / 90e6, rel=0.1)
    assert ranked[0].why.startswith("b: 45 s for 4000 MB at 8")
    assert "19 past transfers" in ranked[0].why


def test_a_queue_makes_the_second_fastest_the_soonest() -> None:
    known = [transfer("a", 24 * n, 70e6) for n in range(1, 20)]
    known += [transfer("b", 24 * n, 80e6) for n in range(1, 20)]
    ranked = choice(Experience(known), taken={"b": 2}).rank([offer("a"), offer("b")], NOW)
    assert [one.offer.hub for one in ranked] == ["a", "b"]
    assert "2 of 2 places taken" in ranked[1].why
    # A hub ten times as fast is waited for.
    known = [*known, *(transfer("b", 0.01 * n, 700e6) for n in range(1, 400))]
    ranked = choice(Experience(known), taken={"b": 2}).rank([offer("a"), offer("b")], NOW)
    assert ranked[0].offer.hub == "b"


def test_tape_quota_and_failures_come_last() -> None:
    known = [transfer(hub, n, 50e6) for hub in ("a", "b") for n in range(1, 40)]
    ranked = choice(Experience(known)).rank([offer("a", online=False), offer("b")], NOW)
    assert [one.offer.hub for one in ranked] == ["b", "a"]
    assert "to be ordered" in ranked[1].why
    limited = choice(Experience(known), used={"a": 98_000_000_000}, daily_quota_gb=100)
    ranked = limited.rank([offer("a"), offer("b")], NOW)
    assert [one.offer.hub for one in ranked] == ["b", "a"]
    assert "quota is used up" in ranked[1].why
    # Bytes still to come, not the whole, have to fit.
    ranked = limited.rank([offer("a")], NOW, missing=1_000_000)
    assert "quota" not in ranked[0].why
    failing = [transfer("a", 0.001 * n, outcome=Outcome.BROKEN) for n in range(5, 0, -1)]
    ranked = choice(Experience([*known, *failing])).rank([offer("a"), offer("b")], NOW)
    assert [one.offer.hub for one in ranked] == ["b", "a"]
    assert "set aside" in ranked[1].why


def test_an_unknown_hub_is_tried_a_little() -> None:
    known = [transfer("a", n, 40e6) for n in range(1, 40)]
    experience = Experience(known)
    first = [
        choice(experience, seed).rank([offer("a"), offer("b")], NOW)[0].offer.hub
        for seed in range(300)
    ]
    assert 0.003 < first.count("b") / 300 < 0.2


def test_over_many_products_no_fixed_hub_is_better_and_the_oracle_is_near() -> None:
    """Three hubs whose speeds differ by the hour; the choice learns them as it goes."""
    chance = Random(7)

    def speed(hub: str, at: datetime) -> float:
        base = {"a": 30e6, "b": 60e6 if at.hour < 12 else 6e6, "c": 5e6 if at.hour < 12 else 80e6}
        return base[hub] * chance.lognormvariate(0, 0.15)

    experience, taken, oracle = Experience(), [], []
    fixed: dict[str, list[float]] = {"a": [], "b": [], "c": []}
    deciding = choice(experience)
    start = NOW - timedelta(days=24)
    for number in range(1200):
        at = start + timedelta(minutes=29 * number)
        real = {hub: SIZE / speed(hub, at) for hub in fixed}
        picked = deciding.rank([offer(hub) for hub in fixed], at)[0].offer.hub
        experience.add(Measurement(picked, NAME, at, SIZE, real[picked] + 0.5, 0.5, Outcome.DONE))
        # The first twelve days are for learning.
        if number >= 600:
            taken.append(real[picked])
            oracle.append(min(real.values()))
            for hub, seconds in real.items():
                fixed[hub].append(seconds)
    assert mean(taken) < 0.6 * min(mean(seconds) for seconds in fixed.values())
    # It goes on trying hubs at hours when they were slow, each of which costs ten times as much.
    assert mean(taken) < 1.2 * mean(oracle)


def test_the_folder_is_not_touched(tmp_path: Path) -> None:
    """Ranking asks nobody."""
    assert list(tmp_path.iterdir()) == []
    assert choice(Experience()).rank([], NOW) == []
