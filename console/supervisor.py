"""Start services in order, keep them running, stop them in reverse; say so in a state file.

One supervisor a data folder, held by a lock the kernel releases whatever happens to us. The state
file names every process with its start time, so that a supervisor that comes after a crash ends
what the last one left behind, and never a stranger that was given the same number.
"""

import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import psutil

from console.processes import end_process_group
from console.services import Service
from geobservatory.errors import ConfigurationError, GeobservatoryError
from geobservatory.files import written_whole

_LONGEST_PAUSE_S = 30.0
_CALM_S = 60.0


class AlreadyRunningError(GeobservatoryError):
    """Another supervisor holds this data folder."""


@dataclass
class _Watched:
    service: Service
    since: datetime
    restarts: int = 0
    next_try: float = 0.0
    started: float = 0.0


class Supervisor:
    """Keeps `services` running until told to stop.

    Parameters
    ----------
    folder
        Where the lock and the state file live (``<data folder>/run``).
    services
        In the order they must start; stopped in reverse.
    after_start
        Called with the name of each service when it first became healthy.
    say
        Told what happens, a line at a time.
    """

    def __init__(
        self,
        folder: Path,
        services: Sequence[Service],
        after_start: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._after_start = after_start
        self._say = say
        self._stopping = False
        self._watched = [_Watched(service, datetime.now(UTC)) for service in services]

    def run(self, ready: Callable[[], None]) -> None:
        """Start everything, call `ready`, and stay until Ctrl-C or SIGTERM.

        Raises
        ------
        AlreadyRunningError
            If another supervisor holds the folder.
        GeobservatoryError
            If a service does not become healthy; whatever had started is stopped again.
        """
        with _lock(self._folder):
            _end_leftovers(self._folder)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._ask_to_stop)
            try:
                for watched in self._watched:
                    self._start(watched)
                if not self._stopping:
                    ready()
                while not self._stopping:
                    time.sleep(0.5)
                    self._restart_the_dead()
            finally:
                self._stop_all()

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping = True

    def _start(self, watched: _Watched) -> None:
        service = watched.service
        if self._stopping:
            return
        self._say(f"starting {service.name}")
        service.start()
        self._record()
        deadline = time.monotonic() + service.start_limit_s
        while not service.healthy():
            if self._stopping:
                return
            if not service.alive():
                raise GeobservatoryError(f"{service.name} ended at once; see its log")
            if time.monotonic() > deadline:
                raise GeobservatoryError(f"{service.name} did not become healthy; see its log")
            time.sleep(0.2)
        watched.started, watched.since = time.monotonic(), datetime.now(UTC)
        self._record()
        self._after_start(service.name)

    def _restart_the_dead(self) -> None:
        for watched in self._watched:
            service, now = watched.service, time.monotonic()
            if service.alive():
                if watched.restarts and now - watched.started > _CALM_S:
                    watched.restarts = 0
                continue
            if now < watched.next_try:
                continue
            watched.restarts += 1
            pause = min(2.0 ** (watched.restarts - 1), _LONGEST_PAUSE_S)
            watched.next_try = now + pause
            self._say(f"{service.name} died; starting it again")
            try:
                service.start()
            except GeobservatoryError as error:
                self._say(f"{service.name}: {error}; next try in {pause:.0f} s")
            else:
                watched.started, watched.since = now, datetime.now(UTC)
            self._record()

    def _stop_all(self) -> None:
        for watched in reversed(self._watched):
            if watched.service.alive():
                self._say(f"stopping {watched.service.name}")
            watched.service.stop()
        (self._folder / "state.json").unlink(missing_ok=True)

    def _record(self) -> None:
        state = {
            "pid": os.getpid(),
            "services": [
                {
                    "name": watched.service.name,
                    "address": watched.service.address,
                    "since": watched.since.isoformat(),
                    "restarts": watched.restarts,
                    **_identity(watched.service.pid()),
                }
                for watched in self._watched
            ],
        }
        with written_whole(self._folder / "state.json") as beside:
            beside.write_text(json.dumps(state, indent=2))


def read_state(folder: Path) -> dict[str, Any] | None:
    """Read what the running supervisor recorded; None when none runs."""
    try:
        with (folder / "lock").open() as file:
            # Shared, so that two who ask do not take each other for a supervisor.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
    except BlockingIOError:
        pass
    except OSError:
        return None
    try:
        state: dict[str, Any] = json.loads((folder / "state.json").read_text())
    except (OSError, ValueError):
        # It holds the lock and has not written yet.
        return {"pid": _holder(folder), "services": []}
    return state


def is_same_process(service: dict[str, Any]) -> bool:
    """Say whether the process a state file names still runs, and is not a namesake."""
    try:
        process = psutil.Process(service["pid"])
        return (
            abs(process.create_time() - service["created"]) < 1
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.Error, KeyError, TypeError):
        return False


def ask_to_stop(folder: Path, limit_s: float) -> bool:
    """Ask the running supervisor to stop and wait for it; False when none runs.

    Raises
    ------
    GeobservatoryError
        If it is still there after `limit_s` seconds.
    """
    state = read_state(folder)
    if state is None:
        return False
    os.kill(state["pid"], signal.SIGTERM)
    deadline = time.monotonic() + limit_s
    while read_state(folder) is not None:
        if time.monotonic() > deadline:
            raise GeobservatoryError(f"process {state['pid']} does not stop")
        time.sleep(0.2)
    return True


def _identity(pid: int | None) -> dict[str, Any]:
    try:
        return {"pid": pid, "created": psutil.Process(pid).create_time() if pid else None}
    except psutil.Error:
        return {"pid": None, "created": None}


def _end_leftovers(folder: Path) -> None:
    """End the processes a supervisor that was killed has left behind."""
    try:
        services = json.loads((folder / "state.json").read_text())["services"]
    except (OSError, ValueError, KeyError):
        return
    for service in services:
        # PostgreSQL is found again and kept: its clients may be at work.
        if service["name"] != "postgresql" and is_same_process(service):
            end_process_group(service["pid"])


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise ConfigurationError(
            f"{folder} cannot be written ({error.strerror}); set data_dir (GEOBS_DATA_DIR)"
        ) from error
    with file:
        # Somebody who only looks (`read_state`) holds the lock for an instant.
        for attempt in range(20):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if attempt == 19:
                    raise AlreadyRunningError(
                        f"already running (process {_holder(folder)}); `geobs status` shows it"
                    ) from error
                time.sleep(0.02)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _holder(folder: Path) -> int | None:
    try:
        return int((folder / "lock").read_text())
    except (OSError, ValueError):
        return None
