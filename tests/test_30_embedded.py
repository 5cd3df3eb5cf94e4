"""The embedded server: shared, found again, and whole after it was killed."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from geobservatory.catalog.embedded import EmbeddedPostgres
from geobservatory.errors import CatalogError, ConfigurationError


def query(url: str, statement: str) -> object:
    engine = create_engine(url)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        value = result.scalar_one() if result.returns_rows else None
    engine.dispose()
    return value


@pytest.fixture
def server(tmp_path: Path):
    made = EmbeddedPostgres(tmp_path / "postgres")
    yield made
    made.stop()


def test_what_was_committed_survives_a_kill(server: EmbeddedPostgres) -> None:
    url = server.start()
    query(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert query(server.start(), "SELECT answer FROM kept") == 42


def test_ten_starts_at_once_are_one_server(tmp_path: Path, server: EmbeddedPostgres) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from geobservatory.catalog.embedded import EmbeddedPostgres as E;"
        "server = E(Path(sys.argv[1])); server.start(); print(server.status().pid)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "postgres")]

    def start(_: int) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(start, range(10)))) == 1


def test_a_stale_pid_file_of_a_stranger_is_no_server(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    assert not server.status().running
    # As after a reboot: the number now belongs to somebody else, here to us.
    stale = f"{os.getpid()}\n{server.folder}\n1\n5432\n{server.folder}\n\n0 0\nready   \n"
    (server.folder / "postmaster.pid").write_text(stale)
    assert not server.status().running
    assert query(server.start(), "SELECT 1") == 1


def test_a_deep_folder_gets_a_short_socket(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("deep" * 20) / ("er" * 20) / "postgres")
    try:
        assert query(server.start(), "SELECT 1") == 1
    finally:
        server.stop()


def test_a_cluster_of_another_version_is_refused(server: EmbeddedPostgres) -> None:
    server.folder.mkdir()
    (server.folder / "PG_VERSION").write_text("9\n")
    with pytest.raises(CatalogError, match="was made by PostgreSQL 9"):
        server.start()


def test_a_folder_with_other_things_is_refused(server: EmbeddedPostgres) -> None:
    server.folder.mkdir()
    (server.folder / "thesis.doc").write_text("years of work")
    with pytest.raises(CatalogError, match=r"not a database \(thesis\.doc\)"):
        server.start()
    assert (server.folder / "thesis.doc").exists()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="GEOBS_DATA_DIR"):
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()
