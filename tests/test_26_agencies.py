"""What agencies send is read; what makes no sense is refused; one of their solutions counts."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alerts import MINUTE, TIME, emsc, message, usgs

from geobservatory.errors import InputError
from geobservatory.events import emsc as emsc_feed
from geobservatory.events import usgs as usgs_feed
from geobservatory.events.report import Report, Retraction, preferred


def test_a_recorded_conversation_is_read(shared_data: Any) -> None:
    lines = (shared_data / "events" / "emsc-al-haouz.jsonl").read_text().splitlines()
    reports = [emsc_feed.parse_message(line) for line in lines]
    assert all(isinstance(one, Report) for one in reports)
    assert len({one.names for one in reports}) == 2  # type: ignore[union-attr]
    first = reports[0]
    assert isinstance(first, Report)
    assert (first.event.magnitude, first.event.depth_km) == (6.9, 10)
    assert first.updated == datetime(2023, 9, 8, 22, 16, 22, tzinfo=UTC)


def test_a_solution_of_emsc() -> None:
    report = emsc_feed.parse_message(json.dumps(message(emsc(magtype="Mw"), "update")))
    assert isinstance(report, Report)
    assert report.event.time == TIME and report.event.source_id == "20230908_0000162"
    assert (report.magnitude_type, report.names) == ("mw", ("20230908_0000162",))
    assert report.event.depth_km == 19  # not the geometry's, which is negative down


def test_a_solution_of_usgs() -> None:
    report = usgs_feed.parse_feature(usgs(ids=",at00s0nh9a,us7000kufc,pt23251000,"))
    assert isinstance(report, Report)
    assert report.names == ("us7000kufc", "at00s0nh9a", "pt23251000")
    assert report.event.time == TIME + timedelta(seconds=3)
    assert (report.event.longitude, report.event.latitude, report.event.depth_km) == (-8.35, 31, 26)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (emsc_feed.parse_feature(emsc(evtype="kx")), "of type kx"),
        (emsc_feed.parse_message(json.dumps(message(emsc(), "delete"))), "deleted by EMSC"),
        (usgs_feed.parse_feature(usgs(type="quarry blast")), "a quarry blast"),
        (usgs_feed.parse_feature(usgs(status="deleted", mag=None)), "deleted by USGS"),
        (usgs_feed.parse_feature(usgs(status="deleted") | {"geometry": None}), "deleted"),
    ],
)
def test_what_is_taken_back(given: Any, why: str) -> None:
    assert isinstance(given, Retraction) and why in given.why


WRONG_MESSAGES = [
    "", "{", "[]", "null", "3", '"x"', "[" * 100_000, b"\xff\xfe", '{"action": "create"}',
    json.dumps({"action": "create", "data": {}}),
    json.dumps({"action": "dance", "data": emsc()}),
    json.dumps({"action": ["create"], "data": emsc()}),
    json.dumps({"data": emsc()}),
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG_MESSAGES, ids=range(len(WRONG_MESSAGES)))
def test_what_is_no_message_is_refused(text: Any) -> None:
    with pytest.raises(InputError):
        emsc_feed.parse_message(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"unid": None}, {"unid": ""}, {"unid": 3}, {"unid": "x" * 101}, {"unid": "a\x00b"},
        {"time": None}, {"time": "yesterday"}, {"time": 3}, {"lastupdate": None},
        {"lat": 91}, {"lat": None}, {"lat": "31.06"}, {"lat": True}, {"lon": 181.0},
        {"lon": math.nan}, {"lon": math.inf}, {"mag": 11}, {"mag": "6.8"}, {"mag": math.nan},
        {"mag": [6]}, {"depth": 900}, {"depth": -50}, {"depth": math.inf},
        {"time": "2023-09-08T22:30:00Z"},  # later than the report itself
    ],
)  # fmt: skip
def test_nonsense_of_emsc_is_refused(changes: dict[str, Any]) -> None:
    feature = emsc()
    feature["properties"] |= changes
    with pytest.raises(InputError):
        emsc_feed.parse_feature(feature)


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "2023-09-08"}, {"time": None}, {"time": True}, {"time": 10**30},
        {"updated": None}, {"updated": 1.5}, {"mag": "big"}, {"ids": ",a\nb,"},
        {"time": round(TIME.timestamp() * 1000) + 3_600_000},
    ],
)  # fmt: skip
def test_nonsense_of_usgs_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        usgs_feed.parse_feature(usgs(**changes))


@pytest.mark.parametrize("geometry", [None, {}, {"coordinates": [1, 2]}, {"coordinates": "here"}])
def test_usgs_without_a_place_is_refused(geometry: Any) -> None:
    with pytest.raises(InputError, match="no place"):
        usgs_feed.parse_feature(usgs() | {"geometry": geometry})


def test_unprintable_signs_of_names_are_left_out() -> None:
    report = emsc_feed.parse_feature(emsc(flynn_region="MO\x00ROC\x1bCO"))
    assert isinstance(report, Report) and report.event.name == "MOROCCO"


# Which counts.


def report(**changes: Any) -> Report:
    made = emsc_feed.parse_feature(emsc(**changes))
    assert isinstance(made, Report)
    return made


def test_the_newest_counts_unless_another_has_a_moment_magnitude() -> None:
    early = report(magtype="mw")
    late = usgs_feed.parse_feature(usgs(after=60 * MINUTE))
    assert isinstance(late, Report)
    assert preferred([early, late]) is early
    plain = report(magtype="mb")
    assert preferred([plain, late]) is late
    assert preferred([late, plain]) is late
    later = usgs_feed.parse_feature(usgs(after=60 * MINUTE, magType="mww"))
    assert isinstance(later, Report)
    assert preferred([early, later]) is later


def test_a_solution_that_lacks_something_comes_last() -> None:
    whole, partial = report(), report(after=90 * MINUTE, magtype="mw", depth=None)
    assert preferred([partial, whole]) is whole
    assert preferred([partial]) is partial
    assert preferred([]) is None


def test_a_persons_word_comes_after_an_agencys() -> None:
    agency = report()
    person = Report(agency.event.model_copy(update={"source": "request", "magnitude": 7.5}), None)
    assert preferred([person, agency]) is agency
    assert preferred([person]) is person
