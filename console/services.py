"""What `geobs up` keeps running: PostgreSQL, Prefect's server and worker, portal, watcher."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Protocol

import requests

from console.environment import CHECKOUT, WORK_POOL, api_url, prefect_environment
from console.processes import ProcessService
from geobservatory.catalog.database import embedded_server
from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.errors import GeobservatoryError
from geobservatory.settings import Settings


class Service(Protocol):
    """One thing to keep running; `name` and `address` are what `geobs status` prints."""

    name: str
    address: str
    # How long it may take from start to healthy on a slow machine.
    start_limit_s: float

    def start(self) -> None:
        """Start it; return at once."""

    def alive(self) -> bool:
        """Say whether it still runs (cheap, asked every second)."""

    def healthy(self) -> bool:
        """Say whether it answers correctly."""

    def stop(self) -> None:
        """Stop it and wait until it is gone."""

    def pid(self) -> int | None:
        """Process identifier, if it runs."""


@dataclass
class PostgresService:
    """The embedded PostgreSQL, which outlives the process that started it."""

    postgres: EmbeddedPostgres
    name: str = "postgresql"
    address: str = ""
    start_limit_s: float = 60.0

    def start(self) -> None:
        """Start the server, or find the one that runs."""
        self.address = self.postgres.start()

    def alive(self) -> bool:
        """Say whether the server process runs."""
        return self.pid() is not None

    def healthy(self) -> bool:
        """Say whether the server accepts connections."""
        return self.postgres.status().running

    def stop(self) -> None:
        """Stop the server; open transactions are rolled back, nothing committed is lost."""
        self.postgres.stop()

    def pid(self) -> int | None:
        """Process identifier of the postmaster, if it runs."""
        return self.postgres.status().pid


def services(settings: Settings) -> list[Service]:
    """List what must run, in the order it must start."""
    host, port = settings.services.host, settings.services.prefect_port
    environment = prefect_environment(settings)
    logs = settings.data_dir / "logs"
    api = api_url(settings)
    wanted: list[Service] = []
    if settings.database_url is None:
        wanted.append(PostgresService(embedded_server(settings.data_dir)))
    prefect = (sys.executable, "-m", "prefect")
    geobs = (sys.executable, "-c", "from console.main import main; main()")
    wanted.append(
        ProcessService(
            name="prefect-server",
            address=f"http://{host}:{port}",
            command=(*prefect, "server", "start", "--host", host, "--port", str(port)),
            environment=environment,
            log=logs / "prefect-server.log",
            is_healthy=lambda: answers(f"{api}/health"),
            port=port,
            host=host,
        )
    )
    wanted.append(
        ProcessService(
            name="worker",
            address=f"work pool {WORK_POOL}",
            command=(*prefect, "worker", "start", "--pool", WORK_POOL, "--type", "process"),
            environment=environment,
            log=logs / "worker.log",
            is_healthy=lambda: _worker_is_online(api),
        )
    )
    portal = f"http://{host}:{settings.services.portal_port}"
    wanted.append(
        ProcessService(
            name="portal",
            address=portal,
            command=(*geobs, "portal"),
            environment=environment,
            log=logs / "portal.log",
            is_healthy=lambda: answers(f"{portal}/healthz"),
            port=settings.services.portal_port,
            host=host,
            port_setting="services.portal_port",
        )
    )
    if settings.feeds.watch:
        wanted.append(
            ProcessService(
                name="watcher",
                address=settings.feeds.emsc_websocket,
                command=(*geobs, "watch"),
                environment=environment,
                log=logs / "watcher.log",
                # Feeds that do not answer are waited for: they are no reason not to start.
                is_healthy=lambda: True,
            )
        )
    return wanted


def answers(url: str) -> bool:
    """Say whether `url` answers with status 200 within two seconds."""
    try:
        return requests.get(url, timeout=2).status_code == 200
    except requests.RequestException:
        return False


def _worker_is_online(api: str) -> bool:
    try:
        found = requests.post(f"{api}/work_pools/{WORK_POOL}/workers/filter", json={}, timeout=5)
        return any(worker["status"] == "ONLINE" for worker in found.json())
    except (requests.RequestException, ValueError, KeyError, TypeError):
        return False


def set_up_prefect(settings: Settings) -> None:
    """Create work pool, limits, blocks, automations and deployments on the running server.

    Raises
    ------
    GeobservatoryError
        If the set-up fails; its output is in the log folder.
    """
    log = settings.data_dir / "logs" / "prefect-setup.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "console.prefect_setup"],
            env=prefect_environment(settings),
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        raise GeobservatoryError(f"the deployments could not be set up; see {log}")
