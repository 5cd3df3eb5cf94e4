"""`geobs up`, `geobs down` and `geobs status`: the whole system on one machine."""

import subprocess
import sys
import time
from typing import Annotated, Any

import typer

from console.output import print_json, print_table
from geobservatory.errors import GeobservatoryError

_DETACHED_LIMIT_S = 240.0


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return once everything is healthy.")
    ] = False,
) -> None:
    """Start what is needed on this machine and keep it running until Ctrl-C or `geobs down`.

    PostgreSQL (unless a database is configured), the Prefect server, a worker that runs every
    deployment, the portal, and the watcher where feeds.watch is set. What dies is started again.

    Example: geobs up --detach
    """
    from console.services import services, set_up_prefect
    from console.supervisor import Supervisor
    from geobservatory.settings import load_settings

    settings = load_settings()
    folder = settings.data_dir / "run"
    if detach:
        _start_detached(folder)
        return

    def after_start(name: str) -> None:
        if name == "prefect-server":
            _say("setting up deployments")
            set_up_prefect(settings)

    def ready() -> None:
        _say("ready")
        _print_services(_running(folder))
        _say("Ctrl-C or `geobs down` stops it; `geobs trigger EVENT.json` starts an activation")

    Supervisor(folder, services(settings), after_start, _say).run(ready)


def down() -> None:
    """Stop what `geobs up` and other commands started; flows go on with the next `up`.

    Example: geobs down
    """
    from console.supervisor import ask_to_stop
    from geobservatory.catalog.database import embedded_server
    from geobservatory.settings import load_settings

    settings = load_settings()
    stopped = ask_to_stop(settings.data_dir / "run", limit_s=60)
    postgres = embedded_server(settings.data_dir)
    if settings.database_url is None and postgres.status().running:
        # Commands start it too, where `geobs up` does not run.
        postgres.stop()
        stopped = True
    _say("stopped" if stopped else "nothing was running")


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what runs, on what address, since when, and the last flow runs.

    Example: geobs status --json
    """
    from console.environment import api_url
    from geobservatory.settings import load_settings

    settings = load_settings()
    running = _running(settings.data_dir / "run")
    runs = _last_flow_runs(api_url(settings))
    if as_json:
        print_json({"services": running, "flow_runs": runs or []})
        return
    if running:
        _print_services(running)
    else:
        _say("nothing runs here; `geobs up` starts it")
    if runs is None:
        _say(f"no Prefect server answers at {api_url(settings)}")
        return
    print_table(
        "Last flow runs",
        ("started", "flow", "state", "message"),
        [(run["started"], run["name"], run["state"], run["message"]) for run in runs],
    )


def _running(folder: Any) -> list[dict[str, Any]]:
    from console.supervisor import is_same_process, read_state

    state = read_state(folder)
    if state is None:
        return []
    return [
        {
            "name": service["name"],
            "state": "running" if is_same_process(service) else "down",
            "address": _masked(service["address"]),
            "since": service["since"][:19],
            "pid": service["pid"],
            "restarts": service["restarts"],
        }
        for service in state["services"]
    ]


def _print_services(running: list[dict[str, Any]]) -> None:
    print_table(
        "Services",
        ("service", "state", "address", "since", "pid", "restarts"),
        [tuple(service.values()) for service in running],
    )


def _last_flow_runs(api: str) -> list[dict[str, Any]] | None:
    import requests

    wanted = {"sort": "EXPECTED_START_TIME_DESC", "limit": 10}
    # What is only scheduled has not run: it says nothing about how things go.
    wanted |= {"flow_runs": {"state": {"type": {"not_any_": ["SCHEDULED"]}}}}
    try:
        found = requests.post(f"{api}/flow_runs/filter", json=wanted, timeout=5)
        found.raise_for_status()
        return [
            {
                "id": run["id"],
                "name": run["name"],
                "state": run["state_name"],
                "started": (run["start_time"] or "")[:19],
                "message": ((run.get("state") or {}).get("message") or "")[:200],
            }
            for run in found.json()
        ]
    except (requests.RequestException, ValueError, KeyError):
        return None


def _start_detached(folder: Any) -> None:
    from console.supervisor import read_state

    if read_state(folder) is not None:
        raise GeobservatoryError("already running; `geobs status` shows it")
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", "from console.main import main; main()", "up"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _DETACHED_LIMIT_S
    while "\nready\n" not in log.read_text(errors="replace"):
        if process.poll() is not None:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise GeobservatoryError(lines[-1].removeprefix("geobs: ") if lines else "ended")
        if time.monotonic() > deadline:
            raise GeobservatoryError(f"not ready after {_DETACHED_LIMIT_S:.0f} s; see {log}")
        time.sleep(0.2)
    _print_services(_running(folder))


def _masked(address: str) -> str:
    from urllib.parse import unquote

    from sqlalchemy.engine import make_url

    if "://" not in address or address.startswith("http"):
        return address
    return unquote(make_url(address).render_as_string(hide_password=True))


def _say(line: str) -> None:
    print(line, flush=True)
