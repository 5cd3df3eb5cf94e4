"""Reports become events, decisions and activations: joined, once, in any order."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from alerts import MINUTE, TIME, emsc, usgs
from pyproj import Geod
from shapely.geometry import Point, shape
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.hearing import Heard
from geobservatory.events import emsc as emsc_feed
from geobservatory.events import usgs as usgs_feed
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Action, ActivationState
from geobservatory.globe import area_km2
from geobservatory.settings.model import ActivationCriteria

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WGS84 = Geod(ellps="WGS84")
Hear = Callable[[Any], Heard | None]


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


@pytest.fixture
def hear(catalog: Catalog) -> Hear:
    return lambda feature: tell(catalog, feature)


def tell(catalog: Catalog, feature: Any) -> Heard | None:
    parse = emsc_feed.parse_feature if "unid" in feature["properties"] else usgs_feed.parse_feature
    return catalog.hear(parse(feature), ActivationCriteria(), least_magnitude=4.0)


def heard(hear: Hear, feature: Any) -> Heard:
    found = hear(feature)
    assert found is not None
    return found


def told(found: Heard | None) -> tuple[Action, bool]:
    assert found is not None
    return found.action, found.starts


# One earthquake.


def test_an_alert_becomes_an_activation_with_its_reasons(catalog: Catalog, hear: Hear) -> None:
    found = heard(hear, emsc())
    assert told(found) == (Action.ACTIVATE, True)
    assert found.activation is not None and found.activation.state is ActivationState.REQUESTED
    request = found.activation.request
    assert request.event.source_id == "20230908_0000162"
    assert (request.days_before, request.days_after) == (60, 60)
    assert shape(request.area).contains(Point(-8.39, 31.06))
    (listed,) = catalog.heard()
    assert listed.activate and listed.action is Action.ACTIVATE
    assert [one["met"] for one in listed.criteria] == [True] * 3
    assert listed.activation_id == found.activation.id == catalog.activations()[0].id


def test_a_no_is_kept_with_its_reasons_too(catalog: Catalog, hear: Hear) -> None:
    assert told(hear(emsc(mag=5.2))) == (Action.NONE, False)
    (listed,) = catalog.heard()
    assert not listed.activate and listed.activation_id is None
    assert "5.2, 19.0 km (not ≥ 5.5" in listed.reason
    assert catalog.activations() == []


def test_small_ones_are_not_recorded_until_they_have_grown(catalog: Catalog, hear: Hear) -> None:
    assert hear(emsc(mag=3.9)) is None and hear(emsc(mag=None)) is None
    assert catalog.heard() == []
    assert told(hear(emsc(mag=6.8, after=6 * MINUTE))) == (Action.ACTIVATE, True)


def test_one_that_shrinks_below_what_is_recorded_is_still_heard(hear: Hear) -> None:
    hear(emsc())
    assert told(hear(emsc(mag=3.2, after=9 * MINUTE))) == (Action.WITHDRAW, False)


def test_heard_twice_is_heard_once(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc())
    assert hear(emsc()) is None
    assert len(catalog.revisions(first.event_id)) == 1


def test_every_revision_is_kept_and_the_newest_counts(catalog: Catalog, hear: Hear) -> None:
    for minutes, magnitude in ((5, 6.9), (9, 6.8), (13, 6.9)):
        found = heard(hear, emsc(after=minutes * MINUTE, mag=magnitude))
    assert found.event.magnitude == 6.9
    assert [one.magnitude for one in catalog.revisions(found.event_id)] == [6.9, 6.8, 6.9]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_order_of_arrival_changes_nothing(
    catalog: Catalog, hear: Hear, order: tuple[int, ...]
) -> None:
    given = [
        emsc(mag=6.9, depth=10.0),
        usgs(mag=6.6),
        emsc(after=40 * MINUTE, mag=6.8, magtype="mw"),
        usgs(after=30 * MINUTE, mag=6.7, magType="mww", status="reviewed"),
    ]
    for number in order:
        hear(given[number])
    (known,) = catalog.heard()
    assert known.event.magnitude == 6.8 and known.event.depth_km == 19
    assert known.revisions == 4 and known.sources == ("EMSC", "USGS")
    (activation,) = catalog.activations()
    assert activation.request.event.magnitude == 6.8


def test_two_agencies_are_joined_by_time_and_place(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc())
    other = heard(hear, usgs())
    assert other.event_id == first.event_id and other.action is Action.KEEP
    far = heard(hear, usgs("us2", origin=TIME + 61 * timedelta(seconds=1), lat=36.0, mag=4.5))
    assert far.event_id != first.event_id


def test_two_identifiers_of_one_agency_are_two_earthquakes(catalog: Catalog, hear: Hear) -> None:
    """An aftershock half a minute after, at the same place."""
    first = heard(hear, emsc())
    after = heard(hear, emsc("20230908_0000163", origin=TIME + 30 * timedelta(seconds=1), mag=5.1))
    assert after.event_id != first.event_id
    assert told(after) == (Action.JOIN, False)
    assert [one.magnitude for one in catalog.events_of(first.event_id)] == [6.8, 5.1]


def test_an_agency_that_joins_its_identifiers_is_believed(catalog: Catalog, hear: Hear) -> None:
    ghost = heard(hear, usgs("at00s0nh9a", lat=33.0, mag=6.0, depth=5.0))
    real = heard(hear, usgs("us7000kufc"))
    assert {one.request.event.source_id for one in catalog.activations()} == {
        "at00s0nh9a", "us7000kufc",
    }  # fmt: skip
    one = heard(hear, usgs("us7000kufc", after=HOUR, ids=",us7000kufc,at00s0nh9a,"))
    assert one.event_id == real.event_id
    states = {one.id: one.state for one in catalog.activations()}
    assert states == {real.event_id: "requested", ghost.event_id: "withdrawn"}
    # Its old name is now a name of the other.
    late = heard(hear, usgs("at00s0nh9a", after=2 * HOUR))
    assert late.event_id == real.event_id
    listed = {one.id: one for one in catalog.heard()}
    assert "the same earthquake as" in listed[ghost.event_id].reason


# Back and forth.


def test_a_revision_withdraws_and_another_brings_it_back(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc())
    assert told(hear(emsc(after=9 * MINUTE, depth=120.0))) == (Action.WITHDRAW, False)
    withdrawn = catalog.activation(first.event_id)
    assert withdrawn.state is ActivationState.WITHDRAWN and "120.0 km" in withdrawn.state_reason
    assert told(hear(emsc(after=12 * MINUTE, depth=110.0))) == (Action.KEEP, False)
    assert told(hear(emsc(after=15 * MINUTE, depth=12.0))) == (Action.ACTIVATE, True)
    assert catalog.activation(first.event_id).request.event.depth_km == 12
    states = [one.state for one in catalog.history(first.event_id)]
    assert states == ["requested", "withdrawn", "requested"]


def test_what_has_started_is_not_withdrawn(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc())
    catalog.set_state(first.event_id, ActivationState.RUNNING, "", "run-1")
    assert told(hear(emsc(after=9 * MINUTE, depth=120.0))) == (Action.KEEP, False)
    assert catalog.activation(first.event_id).state is ActivationState.RUNNING
    (listed,) = catalog.heard()
    assert not listed.activate and listed.action is Action.KEEP


def test_what_a_person_asked_for_is_not_withdrawn(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc())
    hear(emsc(after=9 * MINUTE, depth=120.0))
    form = ActivationForm(event_time=TIME, longitude=-8.4, latitude=31.1)
    again, created = catalog.request_activation(form.to_request())
    assert (again.id, created, again.state) == (first.event_id, False, "requested")
    assert told(hear(emsc(after=20 * MINUTE, depth=130.0))) == (Action.KEEP, False)
    assert catalog.activation(again.id).state is ActivationState.REQUESTED


def test_a_flow_run_that_comes_late_does_not_bring_it_back(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc())
    assert first.activation is not None
    form = ActivationForm.from_request(first.activation.request)
    hear(emsc(after=9 * MINUTE, depth=120.0))
    found, created = catalog.request_activation(form.to_request())
    assert (found.state, created) == (ActivationState.WITHDRAWN, False)
    # It repeats what EMSC said; that is no new report.
    assert len(catalog.revisions(first.event_id)) == 2


def test_a_person_is_first_and_an_agency_fills_in(catalog: Catalog, hear: Hear) -> None:
    form = ActivationForm(event_time=TIME, longitude=-8.4, latitude=31.1, radius_km=30)
    mine, _ = catalog.request_activation(form.to_request())
    assert told(hear(emsc())) == (Action.KEEP, False)
    assert catalog.activation(mine.id).request == mine.request
    assert catalog.events_of(mine.id)[0].magnitude == 6.8


def test_a_quake_that_was_none(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc())
    found = heard(hear, emsc(after=9 * MINUTE, evtype="kx"))
    assert found.action is Action.WITHDRAW and "EMSC: not an earthquake" in found.reason
    assert catalog.activation(first.event_id).state is ActivationState.WITHDRAWN
    # The other agency has seen one.
    assert told(hear(usgs())) == (Action.ACTIVATE, True)
    assert told(hear(usgs(after=HOUR, status="deleted"))) == (Action.WITHDRAW, False)
    assert hear(usgs("us1", status="deleted")) is None


def test_one_agency_alone_cannot_take_back_what_two_have_seen(catalog: Catalog, hear: Hear) -> None:
    hear(emsc())
    hear(usgs())
    found = heard(hear, usgs(after=HOUR, status="deleted"))
    assert found.activate and found.event.magnitude == 6.8
    assert catalog.activation(found.event_id).state is ActivationState.REQUESTED


# Areas.


def test_an_area_follows_its_solution_until_work_begins(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc(mag=7.2))
    wide = size(catalog, first)
    assert told(hear(emsc(after=9 * MINUTE, mag=6.2))) == (Action.KEEP, False)
    narrow = size(catalog, first)
    assert narrow < wide / 2
    catalog.set_state(first.event_id, ActivationState.RUNNING, "", "run-1")
    assert told(hear(emsc(after=12 * MINUTE, mag=5.9, depth=10.0))) == (Action.KEEP, False)
    assert size(catalog, first) == narrow
    assert told(hear(emsc(after=15 * MINUTE, mag=6.9))) == (Action.WIDEN, True)
    assert size(catalog, first) > 2 * narrow
    assert catalog.activation(first.event_id).state is ActivationState.RUNNING


@pytest.mark.parametrize("state", ["waiting", "complete", "failed"])
def test_what_is_widened_is_taken_up_again(catalog: Catalog, hear: Hear, state: str) -> None:
    first = heard(hear, emsc(mag=6.0, depth=10.0))
    catalog.set_state(first.event_id, ActivationState.RUNNING, "", "run-1")
    catalog.set_state(first.event_id, ActivationState(state), "for a test", "run-1")
    assert told(hear(emsc(after=15 * MINUTE, mag=6.9))) == (Action.WIDEN, True)
    found = catalog.activation(first.event_id)
    assert found.state is ActivationState.REQUESTED and "widens the area" in found.state_reason


def test_a_small_move_widens_nothing(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc())
    catalog.set_state(first.event_id, ActivationState.RUNNING, "", "run-1")
    before = catalog.activation(first.event_id).request.area
    assert told(hear(emsc(after=9 * MINUTE, lat=31.09))) == (Action.KEEP, False)
    after = catalog.activation(first.event_id).request
    assert after.area == before and after.event.latitude == 31.09


def test_an_area_over_the_antimeridian_is_widened_whole(catalog: Catalog, hear: Hear) -> None:
    first = heard(hear, emsc(lon=179.9, lat=-16.9, depth=10.0, mag=6.3))
    catalog.set_state(first.event_id, ActivationState.RUNNING, "", "run-1")
    assert told(hear(emsc(after=9 * MINUTE, lon=-179.8, lat=-16.9, mag=7.0))) == (
        Action.WIDEN, True,
    )  # fmt: skip
    area = shape(catalog.activation(first.event_id).request.area)
    assert area.is_valid and area.contains(Point(179.9, -16.9))
    assert area.contains(Point(-179.8, -16.9)) and area.bounds[0] == -180
    with catalog.engine.connect() as connection:
        west, east = connection.execute(text("SELECT west, east FROM activations")).one()
    assert west > east


def size(catalog: Catalog, found: Heard) -> float:
    return area_km2(catalog.activation(found.event_id).request.area)


# Sequences.


def test_aftershocks_are_of_the_activation(catalog: Catalog, hear: Hear) -> None:
    main = heard(hear, emsc())
    for number, (days, magnitude) in enumerate(((0.01, 4.9), (3, 4.2), (59, 4.4))):
        origin = TIME + days * DAY
        found = hear(emsc(f"after-{number}", origin=origin, mag=magnitude))
        assert told(found) == (Action.JOIN, False)
    beyond = heard(hear, emsc("late", origin=TIME + 61 * DAY, mag=5.0))
    away = heard(hear, emsc("away", origin=TIME + DAY, mag=5.0, lat=33.0))
    assert (beyond.action, away.action) == (Action.NONE, Action.NONE)
    assert [one.magnitude for one in catalog.events_of(main.event_id)] == [6.8, 4.9, 4.2, 4.4]
    assert len(catalog.activations()) == 1


def test_a_strong_aftershock_has_the_work_done_again(catalog: Catalog, hear: Hear) -> None:
    main = heard(hear, emsc())
    catalog.set_state(main.event_id, ActivationState.RUNNING, "", "run-1")
    catalog.set_state(main.event_id, ActivationState.COMPLETE, "", "run-1")
    found = heard(hear, emsc("after", origin=TIME + DAY, mag=6.0, depth=10.0))
    assert told(found) == (Action.JOIN, True)
    assert catalog.activation(main.event_id).state is ActivationState.REQUESTED
    # The mainshock names the activation still.
    assert catalog.activation(main.event_id).request.event.magnitude == 6.8


def test_a_foreshock_s_activation_becomes_the_mainshocks(catalog: Catalog, hear: Hear) -> None:
    fore = heard(hear, emsc("fore", mag=5.8, depth=10.0))
    catalog.set_state(fore.event_id, ActivationState.RUNNING, "", "run-1")
    before = size(catalog, fore)
    main = heard(hear, emsc("main", origin=TIME + 2 * DAY, mag=7.0, depth=10.0, lat=31.3))
    assert told(main) == (Action.WIDEN, True)
    assert main.activation is not None and main.activation.id == fore.event_id
    assert main.activation.request.event.source_id == "main"
    assert size(catalog, fore) > 3 * before
    assert [one.magnitude for one in catalog.events_of(fore.event_id)] == [5.8, 7.0]


def test_what_was_heard_before_the_mainshock_joins_it(catalog: Catalog, hear: Hear) -> None:
    hear(emsc("fore", origin=TIME - DAY, mag=4.8))
    hear(emsc("early", origin=TIME + HOUR, mag=5.0))  # the network was faster with it
    hear(emsc("elsewhere", origin=TIME - DAY, mag=4.8, lat=35.0))
    main = heard(hear, emsc())
    assert [one.magnitude for one in catalog.events_of(main.event_id)] == [4.8, 6.8, 5.0]
    listed = {one.id: one.action for one in catalog.heard()}
    assert sorted(listed.values()) == ["activate", "join", "join", "none"]


def test_a_swarm_is_one_activation(catalog: Catalog, hear: Hear) -> None:
    for number in range(6):
        hear(emsc(f"swarm-{number}", origin=TIME + number * HOUR, mag=5.6, depth=5.0,
                  lon=-8.39 + 0.03 * number))  # fmt: skip
    (activation,) = catalog.activations()
    assert len(catalog.events_of(activation.id)) == 6
    area = shape(activation.request.area)
    assert all(area.contains(Point(one.longitude, one.latitude))
               for one in catalog.events_of(activation.id))  # fmt: skip


def test_an_activation_with_another_reason_is_not_withdrawn(catalog: Catalog, hear: Hear) -> None:
    hear(emsc("one", mag=5.9, depth=10.0))
    hear(emsc("two", origin=TIME + HOUR, mag=5.8, depth=10.0))
    assert told(hear(emsc("one", after=9 * MINUTE, mag=4.9))) == (Action.KEEP, False)
    assert told(hear(emsc("two", origin=TIME + HOUR, after=9 * MINUTE, mag=4.9))) == (
        Action.WITHDRAW, False,
    )  # fmt: skip


def test_what_a_person_gave_grows_by_other_earthquakes_only(catalog: Catalog, hear: Hear) -> None:
    form = ActivationForm(event_time=TIME, longitude=-8.4, latitude=31.1, radius_km=30)
    mine, _ = catalog.request_activation(form.to_request())
    hear(emsc())
    found = heard(hear, emsc("after", origin=TIME + DAY, mag=6.4, depth=10.0, lon=-8.0))
    assert told(found) == (Action.WIDEN, True)
    request = catalog.activation(mine.id).request
    assert request.event == mine.request.event
    assert shape(request.area).contains(shape(mine.request.area).buffer(-1e-6))
    assert shape(request.area).contains(Point(-7.9, 31.06))


# At once.


def test_ten_who_hear_the_same_are_one(database_url: str) -> None:
    given = [emsc(), usgs(), emsc(after=9 * MINUTE, mag=6.9), emsc("x", origin=TIME + HOUR, mag=5)]

    def listen(_: int) -> list[Heard | None]:
        with open_catalog(database_url) as catalog:
            return [tell(catalog, one) for one in given]

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(listen, range(10)))
    for number in range(len(given)):
        assert sum(one[number] is not None for one in answers) == 1
    with open_catalog(database_url) as catalog:
        assert len(catalog.activations()) == 1 and len(catalog.heard()) == 2
        assert sum(one.revisions for one in catalog.heard()) == 4


def test_how_far_a_feed_was_read_never_goes_back(catalog: Catalog) -> None:
    assert catalog.seen_until("emsc") is None
    for minutes in (5, 3, 9, 1):
        catalog.note_seen("emsc", TIME + minutes * MINUTE)
    assert catalog.seen_until("emsc") == TIME + 9 * MINUTE


NONSENSE = {
    "an identifier of two events": (
        "INSERT INTO event_names SELECT source, name, event_id FROM event_names",
        "pk_event_names",
    ),
    "a decision without a reason": ("UPDATE event_decisions SET reason = ''", "reason_given"),
    "an activation by nothing": (
        "UPDATE event_decisions SET activation_id = NULL",
        "action_has_activation",
    ),
    "an unknown action": ("UPDATE event_decisions SET action = 'panic'", "action_known"),
    "an event that is itself": ("UPDATE events SET same_as = id", "same_as_another"),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_refused_by_the_database(catalog: Catalog, hear: Hear, what: str) -> None:
    hear(emsc())
    statement, constraint = NONSENSE[what]
    with pytest.raises(IntegrityError, match=constraint), catalog.engine.begin() as connection:
        connection.execute(text(statement))
