"""Programs of ours: started in their own group, logged to a file, ended whole."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from console.environment import CHECKOUT
from geobservatory.errors import ConfigurationError

_LOG_LIMIT_BYTES = 20_000_000
_STOP_GRACE_S = 15.0


@dataclass
class ProcessService:
    """A program of ours in its own process group, its output appended to a log file."""

    name: str
    address: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    is_healthy: Callable[[], bool]
    port: int | None = None
    host: str = "127.0.0.1"
    # The setting that names the port.
    port_setting: str = "services.prefect_port"
    start_limit_s: float = 120.0
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        """Start the program.

        Raises
        ------
        ConfigurationError
            If the port it needs is taken.
        """
        if self.port is not None:
            refuse_taken_port(self.name, self.host, self.port, self.port_setting)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".old.log"))
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal must reach only us: we stop the others in order.
                start_new_session=True,
            )

    def alive(self) -> bool:
        """Say whether the process still runs."""
        return self._process is not None and self._process.poll() is None

    def healthy(self) -> bool:
        """Say whether the process runs and answers."""
        return self.alive() and self.is_healthy()

    def stop(self) -> None:
        """End the whole process group, gently first."""
        if self._process is not None:
            end_process_group(self._process.pid)
            self._process.wait()

    def pid(self) -> int | None:
        """Process identifier, if it runs."""
        return self._process.pid if self._process is not None and self.alive() else None


def refuse_taken_port(name: str, host: str, port: int, setting: str) -> None:
    """Raise `ConfigurationError`, naming who holds it where that can be known, if taken."""
    variable = f"GEOBS_{setting.upper().replace('.', '__')}"
    with socket.socket() as probe:
        # As the servers do: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"{name} cannot listen on {host}:{port} ({error.strerror}){_holder(port)}; "
                f"stop what uses it or set {setting} ({variable})"
            ) from error


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f"; it is held by {psutil.Process(connection.pid).name()} ({connection.pid})"
    except psutil.Error:
        pass
    return ""


def end_process_group(leader: int) -> None:
    """Send SIGTERM to a process group, wait, then SIGKILL what is left."""
    try:
        os.killpg(leader, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_GRACE_S
        while time.monotonic() < deadline:
            if not _group_lives(leader):
                return
            time.sleep(0.1)
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def _group_lives(leader: int) -> bool:
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                return True
        except (ProcessLookupError, psutil.Error):
            continue
    return False
