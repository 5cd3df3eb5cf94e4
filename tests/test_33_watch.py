"""The watcher on real sockets: gaps, faults, floods of nonsense, kills, two at once."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from alerts import MINUTE, TIME, emsc, message, usgs
from hub_world import fault
from sqlalchemy import create_engine, make_url, text

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.catalog.hearing import Heard
from geobservatory.events.watcher import Watcher
from geobservatory.sandbox.servers.emsc import EmscConfig
from geobservatory.sandbox.servers.usgs import UsgsConfig
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, running
from geobservatory.settings.model import Feeds, Settings

START = TIME - 10 * MINUTE
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def until(condition: Callable[[], Any], limit_s: float = 60) -> Any:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {limit_s} s")


@contextmanager
def world(
    folder: Path, of_emsc: list[Any], of_usgs: list[Any], **emsc_: Any
) -> Iterator[Addresses]:
    """Serve what both agencies say, at a time that stands until it is moved."""
    for name, given in (("emsc", of_emsc), ("usgs", of_usgs)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in given))
    hubs = [
        EmscConfig(name="emsc", conversation=folder / "emsc.jsonl", **{"lag_s": 0, **emsc_}),
        UsgsConfig(name="usgs", conversation=folder / "usgs.jsonl"),
    ]
    with running(WorldConfig(hubs=hubs, start=START, speed=0)) as addresses:
        yield addresses


def move(addresses: Addresses, now: datetime) -> None:
    told = {"now": now.isoformat()}
    requests.post(f"{addresses['control']}/time", json=told, timeout=5).raise_for_status()


def feeds(addresses: Addresses, **changes: Any) -> Feeds:
    given = {
        "emsc_websocket": addresses["emsc"].replace("http", "ws") + "/standing_order/websocket",
        "emsc_fdsn": f"{addresses['emsc']}/fdsnws/event/1/query",
        "usgs": f"{addresses['usgs']}/earthquakes/feed/v1.0/summary/4.5_day.geojson",
        "usgs_fdsn": f"{addresses['usgs']}/fdsnws/event/1/query",
        "catch_up_s": 3600,
        "poll_s": 1,
    }
    return Feeds.model_validate(given | changes)


class Running:
    """A watcher in threads of its own, and what it told."""

    def __init__(self, addresses: Addresses, url: str, **changes: Any) -> None:
        settings = Settings(feeds=feeds(addresses, **changes))
        self.heard: list[Heard] = []
        self.watcher = Watcher(settings, lambda: open_catalog(url), self.heard.append)

    @contextmanager
    def follow(self) -> Iterator["Running"]:
        thread = threading.Thread(target=self.watcher.run, args=(START - HOUR,))
        thread.start()
        try:
            yield self
        finally:
            self.watcher.stop()
            thread.join(30)
            assert not thread.is_alive()

    def actions(self) -> list[tuple[str, str]]:
        return [(one.source, one.action.value) for one in self.heard]


def connected(addresses: Addresses, times: int = 1) -> Callable[[], bool]:
    """Wait for the WebSocket to be open (again)."""
    return lambda: seen(addresses, "emsc", "websocket") >= times


def seen(addresses: Addresses, hub: str, path: str) -> int:
    log = requests.get(f"{addresses['control']}/requests", timeout=5).json()[hub]
    return sum(path in one["path"] for one in log)


NEWS = [
    message(emsc(mag=6.9, depth=10.0)),
    message(emsc(after=20 * MINUTE, magtype="mw"), "update"),
    message(emsc("after", origin=TIME + 20 * MINUTE, mag=4.9)),
]


def test_alerts_are_heard_as_they_come(tmp_path: Path, database_url: str) -> None:
    with (
        world(tmp_path, NEWS, [usgs()]) as addresses,
        Running(addresses, database_url).follow() as one,
    ):
        until(connected(addresses))
        assert one.heard == []
        for minutes, number in ((6, 1), (13, 2), (26, 4)):
            move(addresses, TIME + minutes * MINUTE)
            until(lambda: len(one.heard) == number)  # noqa: B023
        assert one.actions()[:2] == [("EMSC", "activate"), ("USGS", "keep")]
        assert one.actions()[3] == ("EMSC", "join")
        with open_catalog(database_url) as catalog:
            assert [known.event.magnitude for known in catalog.heard()] == [4.9, 6.8]
            assert len(catalog.activations()) == 1


def test_a_gap_is_caught_up_after_it_and_at_the_start(tmp_path: Path, database_url: str) -> None:
    with world(tmp_path, NEWS, []) as addresses:
        # What was said before anybody listened.
        move(addresses, TIME + 6 * MINUTE)
        with Running(addresses, database_url).follow() as one:
            until(lambda: len(one.heard) == 1)
        with open_catalog(database_url) as catalog:
            assert catalog.seen_until("emsc") == TIME + 5 * MINUTE
        # While nobody listened.
        move(addresses, TIME + 40 * MINUTE)
        settings = Settings(feeds=feeds(addresses))
        heard: list[Heard] = []
        late = Watcher(settings, lambda: open_catalog(database_url), heard.append)
        assert late.once() == []
        assert [(one.event.magnitude, one.action.value) for one in heard] == [
            (6.8, "keep"), (4.9, "join"),
        ] or [one.action.value for one in heard] == ["widen", "join"]  # fmt: skip
        assert late.once() == [] and len(heard) == 2


def test_a_connection_that_breaks_loses_nothing(tmp_path: Path, database_url: str) -> None:
    with (
        world(tmp_path, NEWS, []) as addresses,
        Running(addresses, database_url).follow() as one,
    ):
        until(connected(addresses))
        with fault(addresses, "down", {"kind": "refuse"}, hub="emsc"):
            move(addresses, TIME + 6 * MINUTE)
            time.sleep(0.3)
            assert one.heard == []
        until(lambda: len(one.heard) == 1)
        until(connected(addresses, 2))
        move(addresses, TIME + 40 * MINUTE)
        until(lambda: len(one.heard) == 3)


def test_a_service_that_lags_is_asked_again(tmp_path: Path, database_url: str) -> None:
    """Said while the socket was down, and not in the service yet when it is up again."""
    with (
        world(tmp_path, NEWS[:1], [], lag_s=120) as addresses,
        Running(addresses, database_url, catch_up_s=1).follow() as one,
    ):
        until(connected(addresses))
        with fault(addresses, "down", {"kind": "refuse"}, hub="emsc"):
            move(addresses, TIME + 6 * MINUTE)
        until(connected(addresses, 2))
        asked = seen(addresses, "emsc", "fdsnws")
        until(lambda: seen(addresses, "emsc", "fdsnws") > asked + 1)
        assert one.heard == []
        move(addresses, TIME + 8 * MINUTE)
        until(lambda: len(one.heard) == 1)


@pytest.mark.parametrize(
    "what",
    [
        {"kind": "status", "code": 500},
        {"kind": "status", "code": 503, "retry_after_s": 1},
        {"kind": "maintenance"},
        {"kind": "truncate", "after_bytes": 40},
        {"kind": "reset", "after_bytes": 40},
        {"kind": "flip", "count": 300},
    ],
    ids=lambda one: one["kind"] + str(one.get("code", "")),
)
def test_faults_of_both_agencies_pass(
    tmp_path: Path, database_url: str, what: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with world(tmp_path, NEWS, [usgs()]) as addresses:
        move(addresses, TIME + 40 * MINUTE)
        with (
            fault(addresses, "bad", what),
            Running(addresses, database_url, catch_up_s=1).follow() as one,
        ):
            until(lambda: seen(addresses, "usgs", "4.5_day") >= 2)
            until(lambda: seen(addresses, "emsc", "fdsnws") >= 1)
            assert one.heard == []
            requests.delete(f"{addresses['control']}/faults/bad", timeout=5)
            until(lambda: len(one.heard) == 3)
            # Put back for the end of the block, which lifts it again.
            requests.post(
                f"{addresses['control']}/faults", json={"name": "bad", "fault": what}, timeout=5
            )
    assert "password" not in caplog.text


def test_nonsense_among_the_news_is_left_out(
    tmp_path: Path, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    # What a server may send that keeps to the form; other forms are in test_26.
    nonsense = [
        message(emsc("b1", lat=95.0)),
        message(emsc("b2", mag="strong")),
        message(emsc("b3", time="2024-01-01T00:00:00Z")),
        message(emsc("b4"), "dance"),
        message(emsc("b5") | {"geometry": None, "properties": emsc("b5")["properties"]}),
        {"action": "create", "data": {"properties": {"lastupdate": "2023-09-08T22:12:00Z"}}},
    ]
    with (
        caplog.at_level(logging.WARNING),
        world(tmp_path, [*nonsense, *NEWS], [usgs("us1", mag="big"), usgs()]) as addresses,
        Running(addresses, database_url).follow() as one,
    ):
        until(connected(addresses))
        move(addresses, TIME + 40 * MINUTE)
        until(lambda: len(one.heard) >= 4)
        told = {known.event.magnitude for known in one.heard}
    assert told >= {6.8, 4.9}
    assert "left out" in caplog.text and "dance" in caplog.text


def test_a_clock_that_lies_hides_nothing(tmp_path: Path, database_url: str) -> None:
    """A revision dated fifty years ahead: what comes after it is heard after a gap all the same."""
    ahead = emsc("liar", mag=5.0, lastupdate="2073-01-01T00:00:00Z")
    with world(tmp_path, [message(ahead), *NEWS], []) as addresses:
        move(addresses, datetime(2073, 1, 2, tzinfo=UTC))
        with open_catalog(database_url) as catalog:
            watcher = Watcher(
                Settings(feeds=feeds(addresses)), lambda: open_catalog(database_url), lambda _: None
            )
            assert watcher.once(START) == []
            noted = catalog.seen_until("emsc")
            assert noted == TIME + 25 * MINUTE
            assert len(catalog.heard()) == 3


def test_usgs_is_polled_politely(tmp_path: Path, database_url: str) -> None:
    with (
        world(tmp_path, [], [usgs(), usgs(after=HOUR, magType="mww")]) as addresses,
        Running(addresses, database_url).follow() as one,
    ):
        move(addresses, TIME + 15 * MINUTE)
        until(lambda: len(one.heard) == 1)
        until(lambda: seen(addresses, "usgs", "4.5_day") >= 4)

        def asked(path: str) -> list[int]:
            log = requests.get(f"{addresses['control']}/requests", timeout=5).json()["usgs"]
            return [one["status"] for one in log if path in one["path"]]

        # Told in full when it changed (or was not recorded at once), else that it has not.
        until(lambda: asked("4.5_day")[-2:] == [304, 304])
        assert len(asked("fdsnws")) == 1
        move(addresses, TIME + 70 * MINUTE)
        until(lambda: len(one.heard) == 2)


def test_what_usgs_deletes_while_nobody_listens_is_taken_back(
    tmp_path: Path, database_url: str
) -> None:
    gone = usgs(after=HOUR, status="deleted", mag=None)
    with world(tmp_path, [], [usgs(), gone]) as addresses:
        for now, states in ((15 * MINUTE, ["requested"]), (2 * HOUR, ["withdrawn"])):
            move(addresses, TIME + now)
            watcher = Watcher(
                Settings(feeds=feeds(addresses)), lambda: open_catalog(database_url), lambda _: None
            )
            assert watcher.once(START) == []
            with open_catalog(database_url) as catalog:
                assert [one.state for one in catalog.activations()] == states


def test_two_watchers_double_nothing(tmp_path: Path, database_url: str) -> None:
    with (
        world(tmp_path, NEWS, [usgs()]) as addresses,
        Running(addresses, database_url).follow() as one,
        Running(addresses, database_url).follow() as two,
    ):
        until(connected(addresses, 2))
        move(addresses, TIME + 40 * MINUTE)
        until(lambda: len(one.heard) + len(two.heard) == 4)
        until(lambda: seen(addresses, "usgs", "4.5_day") >= 6)
        assert len(one.heard) + len(two.heard) == 4
        assert sum(known.starts for known in [*one.heard, *two.heard]) <= 2
        with open_catalog(database_url) as catalog:
            assert sum(known.revisions for known in catalog.heard()) == 4
            assert len(catalog.activations()) == 1


def test_the_database_may_go_and_come_back(
    tmp_path: Path, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Connections are cut and refused while alerts come; they are heard when it is back."""
    name = make_url(database_url).database
    admin = create_engine(
        make_url(database_url).set(drivername="postgresql+psycopg", database="postgres"),
        isolation_level="AUTOCOMMIT",
    )
    with (
        world(tmp_path, NEWS, []) as addresses,
        Running(addresses, database_url).follow() as one,
    ):
        until(connected(addresses))
        move(addresses, TIME + 6 * MINUTE)
        until(lambda: len(one.heard) == 1)
        with admin.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
                ),
                {"name": name},
            )
            move(addresses, TIME + 40 * MINUTE)
            until(lambda: "does not answer" in caplog.text)
            assert len(one.heard) == 1
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
        until(lambda: len(one.heard) == 3)
    admin.dispose()
    assert "the catalogue answers again" in caplog.text


# The command.


@pytest.fixture
def environment(tmp_path: Path, database_url: str) -> dict[str, str]:
    return {
        **{name: one for name, one in os.environ.items() if not name.startswith("GEOBS_")},
        "GEOBS_DATA_DIR": str(tmp_path / "data"),
        "GEOBS_DATABASE_URL": database_url,
        "GEOBS_SERVICES__PREFECT_PORT": "1",
        "XDG_CONFIG_HOME": str(tmp_path),
    }


COMMAND = [sys.executable, "-c", "from console.main import main; main()"]


def with_feeds(environment: dict[str, str], addresses: Addresses, **changes: Any) -> dict[str, str]:
    return environment | {"GEOBS_FEEDS": feeds(addresses, **changes).model_dump_json()}


def test_the_command_once(tmp_path: Path, environment: dict[str, str]) -> None:
    with world(tmp_path, NEWS, [usgs()]) as addresses:
        move(addresses, TIME + 40 * MINUTE)
        told = with_feeds(environment, addresses)
        command = [*COMMAND, "watch", "--once", "--since", "2023-09-08", "--json"]
        done = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["action"] for one in lines] == ["activate", "join", "keep"]
        assert "no Prefect server answers" in done.stderr
        again = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
        assert (again.returncode, again.stdout) == (0, "")
        shown = subprocess.run(
            [*COMMAND, "events", "--heard", "--json"], env=told, capture_output=True, check=True
        )
        listed = json.loads(shown.stdout)
        assert [(one["activate"], one["action"]) for one in listed] == [
            (False, "join"), (True, "keep"),
        ]  # fmt: skip
        table = subprocess.run(
            [*COMMAND, "events", "--heard"], env=told, capture_output=True, text=True, check=True
        )
        assert "not ≥ 5.5" in table.stdout.replace("\n", " ")
    silent = subprocess.run(command, env=told, capture_output=True, text=True, check=False)
    assert silent.returncode == 1 and silent.stderr.count("geobs: http") == 2


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on(tmp_path: Path, environment: dict[str, str]) -> None:
    """SIGKILL in the middle of a flood, again and again; at the end all is heard, each once."""
    flood = [
        message(emsc(f"e{number:03d}", origin=TIME + number * MINUTE, mag=4.0 + number % 19 / 10,
                     lat=31 + number % 7, depth=8.0, after=MINUTE))
        for number in range(120)
    ]  # fmt: skip
    with world(tmp_path, flood, []) as addresses:
        told = with_feeds(environment, addresses, catch_up_s=1)
        move(addresses, TIME + 5 * HOUR)
        log = (tmp_path / "watch.log").open("w+")
        for patience in (1, 10, 30):
            process = subprocess.Popen(
                [*COMMAND, "watch", "--since", "2023-09-08", "--json"],
                env=told, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            until(lambda: len((tmp_path / "watch.log").read_text().splitlines()) >= patience)  # noqa: B023
            process.kill()
            process.wait()
        process = subprocess.Popen(
            [*COMMAND, "watch", "--since", "2023-09-08", "--json"],
            env=told, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        with open_catalog(environment["GEOBS_DATABASE_URL"]) as catalog:
            until(lambda: len(catalog.heard(limit=500)) == 120)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            heard = catalog.heard(limit=500)
            assert all(one.revisions == 1 for one in heard)
            consistent(catalog)


def consistent(catalog: Catalog) -> None:
    """Every activation has an event that names it, every yes an activation."""
    events = {one.id: one for one in catalog.heard(limit=500)}
    assert all(one.activation_id for one in events.values() if one.activate)
    for activation in catalog.activations():
        assert events[activation.id].activation_id == activation.id
        assert any(events[one].activate for one in events
                   if events[one].activation_id == activation.id)  # fmt: skip


def test_it_outlives_an_embedded_server_that_is_killed(tmp_path: Path) -> None:
    """Without `geobs up` nobody else starts the server again."""
    folder = tmp_path / "data"
    server = EmbeddedPostgres(folder / "postgres")
    settings = {"GEOBS_DATA_DIR": str(folder), "GEOBS_SERVICES__PREFECT_PORT": "1"}
    with world(tmp_path, NEWS, []) as addresses:
        told = with_feeds({**os.environ, **settings}, addresses)
        process = subprocess.Popen([*COMMAND, "watch", "--json"], env=told, stdout=subprocess.PIPE)
        assert process.stdout is not None
        try:
            until(connected(addresses))
            move(addresses, TIME + 6 * MINUTE)
            assert json.loads(process.stdout.readline())["action"] == "activate"
            pid = server.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            move(addresses, TIME + 40 * MINUTE)
            assert [json.loads(process.stdout.readline())["magnitude"] for _ in range(2)] == [
                6.8, 4.9,
            ]  # fmt: skip
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
            server.stop()


def test_without_a_database_it_says_so_at_once(environment: dict[str, str]) -> None:
    gone = environment | {"GEOBS_DATABASE_URL": "postgresql://me:geheim@127.0.0.1:1/geobs"}
    done = subprocess.run(
        [*COMMAND, "watch", "--once"], env=gone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and "cannot be reached" in done.stderr
    assert "geheim" not in done.stderr
