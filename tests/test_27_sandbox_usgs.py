"""The sandbox's USGS: what it lists at which time, and what it refuses."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from alerts import MINUTE, TIME, usgs

from geobservatory.errors import InputError
from geobservatory.sandbox.alerts import write_conversations
from geobservatory.sandbox.profile import write_profile
from geobservatory.sandbox.scenario import find_scenario
from geobservatory.sandbox.servers.usgs import UsgsConfig, read_revisions
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, running, usual_world
from geobservatory.settings.load import load_settings

HOUR = timedelta(hours=1)
SAID = [
    usgs("at1", lat=31.2, after=8 * MINUTE),
    usgs("us1"),
    usgs("us1", after=HOUR, ids=",us1,at1,", mag=6.8),
    usgs("ci1", mag=4.4),
    usgs("us2", after=HOUR, origin=TIME - 30 * HOUR),
    usgs("us3", after=20 * MINUTE),
    usgs("us3", after=2 * HOUR, status="deleted", mag=None),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    path = tmp_path_factory.mktemp("usgs") / "usgs.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in SAID))
    hubs = [UsgsConfig(name="usgs", conversation=path)]
    with running(WorldConfig(hubs=hubs, start=TIME, speed=0)) as addresses:
        yield addresses


def at(addresses: Addresses, after: timedelta) -> None:
    told = {"now": (TIME + after).isoformat()}
    requests.post(f"{addresses['control']}/time", json=told, timeout=5).raise_for_status()


def feed(addresses: Addresses, **headers: str) -> requests.Response:
    path = "/earthquakes/feed/v1.0/summary/4.5_day.geojson"
    return requests.get(addresses["usgs"] + path, headers=headers, timeout=5)


def ask(addresses: Addresses, **asked: Any) -> requests.Response:
    given = {"format": "geojson", **asked}
    return requests.get(f"{addresses['usgs']}/fdsnws/event/1/query", params=given, timeout=5)


def names(answer: requests.Response) -> set[str]:
    return {one["id"] for one in answer.json()["features"]}


def test_the_feed_has_the_last_day_as_it_is_known(served: Addresses) -> None:
    at(served, 30 * MINUTE)
    assert names(feed(served)) == {"at1", "us1", "us3"}  # us2 is older than a day, ci1 smaller
    at(served, 90 * MINUTE)
    assert names(feed(served)) == {"us1", "us3"}  # at1 was joined to us1
    at(served, 3 * HOUR)
    assert names(feed(served)) == {"us1"}
    at(served, 30 * HOUR)
    assert names(feed(served)) == set()


def test_what_has_not_changed_is_not_sent_again(served: Addresses) -> None:
    at(served, 30 * MINUTE)
    first = feed(served)
    again = feed(served, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    at(served, 90 * MINUTE)
    changed = feed(served, **{"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200 and changed.headers["ETag"] != first.headers["ETag"]


def test_the_service_tells_what_was_revised_and_deleted(served: Addresses) -> None:
    at(served, 3 * HOUR)
    assert names(ask(served)) == {"us1", "us2", "ci1"}
    assert names(ask(served, includedeleted="true")) == {"us1", "us2", "us3", "ci1"}
    since = f"{TIME + HOUR / 2:%FT%T}"
    assert names(ask(served, updatedafter=since, includedeleted="true")) == {"us1", "us3"}
    assert names(ask(served, starttime=f"{TIME:%FT%T}", minmagnitude=4.5)) == {"us1"}
    assert len(ask(served, limit=1).json()["features"]) == 1


@pytest.mark.parametrize(
    "asked",
    [{"format": "json"}, {"limit": 20_001}, {"limit": "x"}, {"starttime": "soon"}, {"colour": 1},
     {"minmagnitude": "big"}, {"orderby": "size"}],
)  # fmt: skip
def test_the_service_refuses_what_it_does_not_know(
    served: Addresses, asked: dict[str, Any]
) -> None:
    assert ask(served, **asked).status_code == 400


def test_a_conversation_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "usgs.jsonl"
    path.write_text(json.dumps(usgs()) + '\n{"properties": {}}\n')
    with pytest.raises(InputError, match="line 2"):
        read_revisions(path)
    with pytest.raises(InputError, match="no conversation"):
        read_revisions(tmp_path / "none")


def test_a_scenario_is_heard_from_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = find_scenario("al-haouz-2023")
    write_conversations(scenario, tmp_path)
    with running(usual_world(tmp_path, scenario.event.time + HOUR, speed=0)) as addresses:
        assert {"emsc", "usgs"} <= set(addresses)
        (one,) = feed(addresses).json()["features"]
        assert one["properties"]["magType"] == "mww"
        profile = write_profile(addresses, tmp_path / "data", tmp_path / "geobs.toml")
        monkeypatch.setenv("GEOBS_CONFIG", str(profile))
        told = load_settings().feeds
        assert told.watch and told.usgs.startswith(addresses["usgs"])
