"""An alert on the whole machine: `geobs up` keeps the watcher, which has the flow started."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from alerts import MINUTE, TIME, emsc, message, usgs
from test_33_watch import connected, feeds, move, world
from test_60_up import System, until

from geobservatory.sandbox.servers.world import Addresses

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

NEWS = [
    message(emsc()),
    message(emsc(after=20 * MINUTE, mag=6.9), "update"),
    message(emsc("wrong", origin=TIME + 30 * MINUTE, lat=36.2, lon=36.2, depth=8.0)),
    message(emsc("wrong", origin=TIME + 30 * MINUTE, lat=36.2, lon=36.2, depth=90.0,
                 after=6 * MINUTE), "update"),
]  # fmt: skip


@pytest.fixture(scope="module")
def agencies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    with world(tmp_path_factory.mktemp("agencies"), NEWS, [usgs()]) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def system(agencies: Addresses, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    made = System(tmp_path_factory.mktemp("watched"))
    wanted = feeds(agencies, watch=True, look_back_hours=8760, catch_up_s=2)
    made.environment["GEOBS_FEEDS"] = wanted.model_dump_json()
    made.geobs("up", "--detach")
    yield made
    made.geobs("down")


def test_an_alert_has_its_flow_run(system: System, agencies: Addresses, tmp_path: Path) -> None:
    until(connected(agencies))
    move(agencies, TIME + 6 * MINUTE)
    (known,) = until(lambda: system.json("events", "--heard"))
    identifier = known["activation_id"]
    until(lambda: system.json("show", identifier)["state"] == "waiting")
    (run,) = system.flow_runs(identifier)
    assert run["state_name"] == "Waiting"
    shown = system.json("show", identifier)
    assert [one["magnitude"] for one in shown["events"]] == [6.8]


def test_the_watcher_is_started_again_and_has_missed_nothing(
    system: System, agencies: Addresses
) -> None:
    old = system.pid("watcher")
    os.kill(old, signal.SIGKILL)
    move(agencies, TIME + 21 * MINUTE)
    until(lambda: system.pid("watcher") not in (None, old))
    (known,) = until(
        lambda: [one for one in system.json("events", "--heard") if one["revisions"] == 3]
    )
    assert known["sources"] == ["EMSC", "USGS"]
    assert known["event"]["magnitude"] == 6.9


def test_a_flow_run_that_comes_after_the_withdrawal_does_nothing(
    system: System, agencies: Addresses
) -> None:
    """The worker is stopped between alert and revision, so that the run comes late."""
    os.kill(system.pid("worker"), signal.SIGSTOP)
    move(agencies, TIME + 35 * MINUTE + 1 * MINUTE / 2)
    (known,) = until(lambda: [one for one in system.json("events", "--heard") if one["activate"]
                              and one["action"] == "activate"
                              and one["event"]["latitude"] == 36.2])  # fmt: skip
    identifier = known["activation_id"]
    until(lambda: system.flow_runs(identifier))
    move(agencies, TIME + 37 * MINUTE)
    until(lambda: system.json("show", identifier)["state"] == "withdrawn")
    os.kill(system.pid("worker"), signal.SIGCONT)
    until(lambda: all(run["state_type"] == "COMPLETED" for run in system.flow_runs(identifier)))
    assert {run["state_name"] for run in system.flow_runs(identifier)} == {"Withdrawn"}
    assert system.json("show", identifier)["state"] == "withdrawn"
