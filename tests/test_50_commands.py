"""The `geobs` command: what it prints, what it refuses, and that it says so in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.one_database

EVENT = {
    "type": "Feature",
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[-9.0, 30.7], [-8.1, 30.7], [-8.1, 31.3], [-9.0, 31.3], [-9.0, 30.7]]],
    },
    "properties": {
        "event_time": "2023-09-08T22:11:01Z",
        "event_type": "earthquake",
        "magnitude": 6.8,
        "name": "Al Haouz",
    },
}


def geobs(
    *arguments: str, ok: bool | None = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command; a refusal is one line (`ok` False), unless it reports before (None)."""
    done = subprocess.run(
        [sys.executable, "-c", "from console.main import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    if ok:
        assert done.returncode == 0, done.stderr
    elif ok is False:
        assert done.returncode == 1
        assert done.stderr.startswith("geobs: ")
        assert len(done.stderr.splitlines()) == 1, done.stderr
    return done


def subcommands(*above: str) -> list[list[str]]:
    """Walk the tree of commands as the program itself has it."""
    import typer.main

    from console.main import load_commands

    group = typer.main.get_command(load_commands())
    found: list[list[str]] = []

    def walk(command: Any, path: list[str]) -> None:
        below = getattr(command, "commands", {})
        if not below:
            found.append(path)
        for name, one in below.items():
            walk(one, [*path, name])

    walk(group, list(above))
    return found


def test_every_command_has_help_with_an_example() -> None:
    import typer.main
    from typer.testing import CliRunner

    from console.main import load_commands

    app = load_commands()
    assert typer.main.get_command(app) is not None
    for path in subcommands():
        shown = CliRunner().invoke(app, [*path, "--help"])
        assert shown.exit_code == 0
        assert f"Example: geobs {' '.join(path)}" in shown.output, path


def test_config_show_masks_secrets(tmp_path: Path) -> None:
    file = tmp_path / "geobs.toml"
    file.write_text(
        'database_url = "postgresql://me:geheim@h:5433/d?password=geheim"\n'
        '[[hubs]]\nname = "a"\nkind = "cdse"\naddress = "https://a"\npassword = "geheim"\n'
        '[notification]\nwebhook = "https://hooks.example.org/geheim"\n'
        '[engine.command.environment]\nLICENSE_TOKEN = "geheim"\nTHREADS = "8"\n'
    )
    shown = geobs("config", "show", "--json", GEOBS_CONFIG=str(file))
    assert "geheim" not in shown.stdout
    values = {one["key"]: one for one in json.loads(shown.stdout)}
    assert values["database_url"]["value"] == "postgresql://me:********@h:5433/d"
    assert values["hubs[0].password"]["origin"] == f"{file}:6"
    assert values["engine.name"]["origin"] == "default"
    assert values["engine.command.environment.THREADS"] == {
        "key": "engine.command.environment.THREADS", "value": "8", "origin": f"{file}:11"
    }  # fmt: skip


def test_config_check_suggests(tmp_path: Path) -> None:
    file = tmp_path / "geobs.toml"
    file.write_text("[engine]\nthread = 2\n")
    done = geobs("config", "check", str(file), ok=False, GEOBS_ENGIN__NAME="native")
    assert f"{file}:2: engine.thread: no such setting; did you mean threads?" in done.stdout
    assert "GEOBS_ENGIN__NAME: no such setting; did you mean GEOBS_ENGINE?" in done.stdout
    file.write_text("[engine]\nthreads = 2\n")
    assert "no errors" in geobs("config", "check", str(file)).stdout


def test_a_wrong_request_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps({**EVENT, "properties": {"event_type": "earthquake"}}))
    assert "properties.event_time: missing" in geobs("trigger", str(file), ok=False).stderr


def test_an_unwritable_folder_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = geobs("events", ok=False, GEOBS_DATA_DIR=str(tmp_path / "file"))
    assert "GEOBS_DATA_DIR" in done.stderr


def test_a_taken_port_is_one_line(database_url: str) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = geobs(
            "up", ok=False, GEOBS_DATABASE_URL=database_url, GEOBS_SERVICES__PREFECT_PORT=port
        )
    assert f"127.0.0.1:{port}" in done.stderr
    assert "GEOBS_SERVICES__PREFECT_PORT" in done.stderr


def test_nothing_runs(database_url: str) -> None:
    port = {"GEOBS_SERVICES__PREFECT_PORT": "1", "GEOBS_DATABASE_URL": database_url}
    assert "nothing was running" in geobs("down", **port).stdout
    assert "nothing runs here" in geobs("status", **port).stdout
    assert json.loads(geobs("status", "--json", **port).stdout) == {"services": [], "flow_runs": []}


def test_dump_and_restore(tmp_path: Path, database_url: str, embedded: Any) -> None:
    from geobservatory.catalog.database import open_catalog
    from geobservatory.events.request import parse_request

    here = {"GEOBS_DATABASE_URL": database_url}
    with open_catalog(database_url) as catalog:
        kept, _ = catalog.request_activation(parse_request(EVENT).to_request())
    file = tmp_path / "catalogue.dump"
    geobs("db", "dump", str(file), **here)
    assert "--replace" in geobs("db", "restore", str(file), ok=False, **here).stderr
    with open_catalog(database_url) as catalog:
        catalog.request_activation(
            parse_request(EVENT).model_copy(update={"event_type": "volcano"}).to_request()
        )
    geobs("db", "restore", str(file), "--replace", **here)
    with open_catalog(database_url) as catalog:
        assert catalog.activations() == [kept]
    (tmp_path / "bad.dump").write_text("not a dump")
    geobs("db", "restore", str(tmp_path / "bad.dump"), "--replace", ok=False, **here)
    status = json.loads(geobs("db", "status", "--json", **here).stdout)
    assert status["rows"]["activations"] == 1


@pytest.mark.server
def test_trigger_without_a_server_runs_here_and_says_so(tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(EVENT))
    here = {"GEOBS_DATABASE_URL": database_url, "GEOBS_SERVICES__PREFECT_PORT": "1"}
    said = geobs("trigger", str(file), **here).stdout
    assert "the flow ran in this process" in said
    found = json.loads(geobs("events", "--json", **here).stdout)
    assert [one["state"] for one in found] == ["waiting"]
    assert found[0]["event_time"] == "2023-09-08T22:11:01Z"
    assert found[0]["event_type"] == "earthquake"
    assert "no hub is configured" in found[0]["reason"]
    shown = json.loads(geobs("show", found[0]["id"][:14], "--json", **here).stdout)
    assert [one["state"] for one in shown["history"]] == ["requested", "running", "waiting"]
    # A client that reads a part and goes away is no error.
    pipe = f"{sys.executable} -c 'from console.main import main; main()' events | head -c 1"
    done = subprocess.run(
        ["bash", "-c", pipe], check=False, capture_output=True, env={**os.environ, **here}
    )
    assert done.stderr == b""
