"""The whole on one machine: real PostgreSQL, Prefect server, worker, portal, killed at will."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import requests
from test_50_commands import EVENT
from web_forms import SAME, field

from console.respond import patient_session
from console.services import answers

HTTP = patient_session()
PASSWORD = "correct horse battery"

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class System:
    """A `geobs up` of its own, in a folder and on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.portal_port = free_port(), free_port()
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.portal = f"http://127.0.0.1:{self.portal_port}"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("GEOBS_", "PREFECT_"))},
            "GEOBS_DATA_DIR": str(folder / "data"),
            "GEOBS_SERVICES__PREFECT_PORT": str(self.port),
            "GEOBS_SERVICES__PORTAL_PORT": str(self.portal_port),
            "XDG_CONFIG_HOME": str(folder),
        }

    def geobs(
        self, *arguments: str, check: bool = True, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from console.main import main; main()", *arguments]
        done = subprocess.run(
            command, env=self.environment, input=given, capture_output=True, text=True, check=False
        )
        if check:
            assert done.returncode == 0, done.stderr + self.logs()
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.geobs(*arguments, "--json").stdout)

    def logs(self) -> str:
        files = [*self.folder.glob("data/logs/*.log"), *self.folder.glob("data/run/up.log")]
        return "\n".join(f"--- {file.name}\n{file.read_text()[-2000:]}" for file in files)

    def pid(self, name: str) -> int:
        return next(one["pid"] for one in self.json("status")["services"] if one["name"] == name)

    def supervisor(self) -> int:
        return int((self.folder / "data/run/lock").read_text())

    def trigger(self, **properties: Any) -> str:
        file = self.folder / "event.json"
        file.write_text(json.dumps({**EVENT, "properties": EVENT["properties"] | properties}))
        return str(self.json("trigger", str(file))["id"])

    def flow_runs(self, identifier: str) -> list[dict[str, Any]]:
        wanted = {"flow_runs": {"tags": {"all_": [identifier]}}}
        found: list[dict[str, Any]] = HTTP.post(
            f"{self.api}/flow_runs/filter", json=wanted, timeout=10
        ).json()
        return found

    def start_deployment(self, name: str, parameters: dict[str, Any]) -> dict[str, Any]:
        deployment = HTTP.get(f"{self.api}/deployments/name/{name}", timeout=10).json()
        created = HTTP.post(
            f"{self.api}/deployments/{deployment['id']}/create_flow_run",
            json={"parameters": parameters, "idempotency_key": str(uuid4())},
            timeout=10,
        )
        assert created.ok, created.text
        return dict(created.json())


def until(condition: Callable[[], Any], limit_s: float = 90) -> Any:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.5)
    raise AssertionError(f"not within {limit_s} s")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    made = System(tmp_path_factory.mktemp("system"))
    made.geobs("up", "--detach")
    yield made
    made.geobs("down")
    assert not any(
        str(made.folder) in " ".join(process.info["cmdline"] or [])
        for process in psutil.process_iter(["cmdline"])
    )


def test_ten_triggers_at_once_are_one_activation_and_one_flow_run(system: System) -> None:
    file = system.folder / "ten.json"
    file.write_text(json.dumps(EVENT))
    command = [sys.executable, "-c", "from console.main import main; main()"]
    ten = [
        subprocess.Popen(
            [*command, "trigger", str(file), "--json"],
            env=system.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(10)
    ]
    answers = [json.loads(one.communicate()[0]) for one in ten]
    assert len({one["id"] for one in answers}) == 1
    assert sum(one["created"] for one in answers) == 1
    identifier = answers[0]["id"]
    shown = until(lambda: (one := system.json("show", identifier))["state"] == "waiting" and one)
    (run,) = system.flow_runs(identifier)
    assert shown["flow_run_id"] == run["id"]
    assert run["state_name"] == "Waiting"
    assert "no hub is configured" in run["state"]["message"]
    key = f"activation-{identifier}".lower()
    artifact = HTTP.get(f"{system.api}/artifacts/{key}/latest", timeout=10).json()
    assert "Al Haouz" in artifact["data"]
    assert artifact["flow_run_id"] == run["id"]


def test_the_form_of_the_prefect_ui_starts_an_activation(system: System) -> None:
    form = {
        "event_type": "volcano",
        "event_time": "2018-05-04T22:32:54Z",
        "latitude": 19.32,
        "longitude": -155.0,
    }
    deployment = HTTP.get(
        f"{system.api}/deployments/name/respond-to-event/respond", timeout=10
    ).json()
    schema = deployment["parameter_openapi_schema"]["definitions"]["ActivationForm"]
    assert {"event_type", "event_time", "latitude", "longitude"} <= set(schema["properties"])
    run = system.start_deployment("respond-to-event/respond", {"request": form})
    found = until(
        lambda: [
            one
            for one in system.json("events")
            if one["event_type"] == "volcano" and one["state"] == "waiting"
        ]
    )
    assert found[0]["flow_run_id"] == run["id"]


@pytest.fixture(scope="module")
def operator(system: System) -> str:
    """Account of an operator, as it is made at the console; the name."""
    add = ("users", "add", "otto", "--role", "operator", "--password-stdin")
    system.geobs(*add, given=f"{PASSWORD}\n")
    return "otto"


def test_a_program_asks_the_portal_and_a_flow_run_responds(system: System, operator: str) -> None:
    made = system.json("tokens", "new", operator, "--name", "a program", "--scope", "activate")
    shown = {"Authorization": f"Bearer {made['token']}"}
    about = {"event_time": "2023-02-06T01:17:34Z", "name": "Pazarcık", "magnitude": 7.8}
    wanted = {**EVENT, "properties": EVENT["properties"] | about}

    def ask(headers: dict[str, str] = shown) -> requests.Response:
        address = f"{system.portal}/api/activations"
        return requests.post(address, json=wanted, headers=headers, timeout=90)

    assert ask({}).status_code == 401
    with ThreadPoolExecutor(3) as three:
        told = list(three.map(lambda _: ask(), range(3)))
    assert sorted(one.status_code for one in told) == [200, 200, 201], [one.text for one in told]
    (identifier,) = {one.json()["activation"]["id"] for one in told}
    assert {one.json()["started"] for one in told} == {"its flow is started"}
    run = responded(system, identifier, "Pazarcık")
    # Again when the flow run has ended: neither another activation nor another flow run.
    assert (again := ask()).status_code == 200
    assert again.json()["activation"]["id"] == identifier
    assert [one["id"] for one in system.flow_runs(identifier)] == [run]
    read = requests.get(f"{system.portal}/api/activations/{identifier}", timeout=30).json()
    assert (read["id"], read["state"]) == (identifier, "waiting")


def test_a_person_asks_on_the_web_and_a_flow_run_responds(system: System, operator: str) -> None:
    browser = requests.Session()
    browser.headers.update(SAME)

    def send(path: str, **form: str) -> requests.Response:
        form["form_token"] = field(browser.get(f"{system.portal}{path}", timeout=30).text)
        return browser.post(f"{system.portal}{path}", form, timeout=90, allow_redirects=False)

    assert send("/login", name=operator, password=PASSWORD).status_code == 303
    about = {"event_type": "earthquake", "event_time": "2019-07-06T03:19:53", "name": "Ridgecrest"}
    place = {"latitude": "35.77", "longitude": "-117.6", "magnitude": "7.1"}
    told = [send("/request", **about, **place) for _ in range(2)]
    assert [one.status_code for one in told] == [303, 303], [one.text for one in told]
    first, second = (one.headers["Location"].removeprefix("/activations/") for one in told)
    identifier = first.removesuffix("?asked=recorded")
    assert second == f"{identifier}?asked=known"
    run = responded(system, identifier, "Ridgecrest")
    assert [one["id"] for one in system.flow_runs(identifier)] == [run]
    page = browser.get(f"{system.portal}/activations/{first}", timeout=30).text
    assert "Ridgecrest" in page and "its flow is started" in page


def responded(system: System, identifier: str, name: str) -> str:
    """Wait until the one flow run of an activation has done what it can; its number."""
    (run,) = system.flow_runs(identifier)
    flow = HTTP.get(f"{system.api}/flows/{run['flow_id']}", timeout=10).json()
    assert flow["name"] == "respond-to-event"
    assert run["parameters"]["request"]["name"] == name
    until(lambda: state(system, run["id"]) == "COMPLETED")
    (listed,) = (one for one in system.json("events") if one["id"] == identifier)
    assert (listed["name"], listed["state"]) == (name, "waiting")
    assert listed["flow_run_id"] == run["id"]
    return str(run["id"])


def test_what_is_scheduled_gets_runs(system: System) -> None:
    wanted = {
        "deployments": {"name": {"any_": ["revisit"]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    assert until(
        lambda: HTTP.post(f"{system.api}/flow_runs/filter", json=wanted, timeout=10).json()
    )


def test_a_second_up_finds_the_first(system: System) -> None:
    done = system.geobs("up", check=False)
    assert done.returncode == 1
    assert "already running" in done.stderr


@pytest.mark.parametrize("name", ["postgresql", "prefect-server", "worker", "portal"])
def test_what_is_killed_is_started_again_and_nothing_is_lost(system: System, name: str) -> None:
    before = system.json("events")
    old = system.pid(name)
    os.kill(old, signal.SIGKILL)
    until(lambda: system.pid(name) not in (None, old))
    until(lambda: answers(f"{system.api}/health"))
    until(lambda: answers(f"{system.portal}/healthz"))
    assert system.json("events") == before


def test_a_flow_run_that_is_killed_is_taken_up_again(system: System) -> None:
    """Kill the run while it waits for the database, so in the middle of its work."""
    from geobservatory.catalog.database import open_catalog
    from geobservatory.catalog.embedded import EmbeddedPostgres

    url = EmbeddedPostgres(system.folder / "data" / "postgres").start()
    with open_catalog(url) as catalog, catalog._engine.begin() as connection:
        from sqlalchemy import text

        # The run can read, and waits as soon as it wants to write.
        connection.execute(text("LOCK TABLE activation_changes IN EXCLUSIVE MODE"))
        form = {"event_type": "landslide", "event_time": "2020-01-01T00:00:00Z"}
        form |= {"latitude": 46.0, "longitude": 8.0}
        run = system.start_deployment("respond-to-event/respond", {"request": form})
        process = until(lambda: flow_process(run["id"]))
        time.sleep(5)
        process.kill()
        until(lambda: state(system, run["id"]) == "CRASHED")
        connection.rollback()
    again = system.start_deployment("respond-to-event/respond", {"request": form})
    until(lambda: state(system, again["id"]) == "COMPLETED")
    (found,) = [one for one in system.json("events") if one["event_type"] == "landslide"]
    assert found["state"] == "waiting"
    assert found["flow_run_id"] == again["id"]


def test_an_abandoned_activation_is_found_by_the_revisit(system: System) -> None:
    from geobservatory.catalog.database import open_catalog
    from geobservatory.catalog.embedded import EmbeddedPostgres
    from geobservatory.events.form import ActivationForm
    from geobservatory.events.model import ActivationState

    url = EmbeddedPostgres(system.folder / "data" / "postgres").start()
    form = ActivationForm(event_time="2016-08-24T01:36:32Z", latitude=42.7, longitude=13.2)
    with open_catalog(url) as catalog:
        left, _ = catalog.request_activation(form.to_request())
        catalog.set_state(left.id, ActivationState.RUNNING, "")
    system.start_deployment("revisit-activations/revisit", {})
    until(lambda: system.json("show", left.id)["state"] == "waiting")
    assert len(system.flow_runs(left.id)) == 1


def test_up_after_everything_was_killed_goes_on(system: System) -> None:
    before = system.json("events")
    services = ("postgresql", "prefect-server", "worker", "portal")
    for pid in [system.supervisor(), *(system.pid(name) for name in services)]:
        os.kill(pid, signal.SIGKILL)
    system.geobs("up", "--detach")
    assert system.json("events") == before
    identifier = system.trigger(event_time="2024-01-01T07:10:09Z", name="Noto")
    until(lambda: system.json("show", identifier)["state"] == "waiting")


def flow_process(run: str) -> psutil.Process | None:
    """Find the process that runs a flow run (Prefect names the run in its environment)."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID", "").replace("-", "") == run.replace(
                "-", ""
            ):
                return process
        except psutil.Error:
            continue
    return None


def state(system: System, run: str) -> str:
    return str(HTTP.get(f"{system.api}/flow_runs/{run}", timeout=10).json()["state_type"])
