"""Programs that are not ours: followed, limited, and ended with all they started."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from geobservatory.errors import ConfigurationError
from geobservatory.program import LimitError, ProgramError, plain_environment, run


def sh(script: str, folder: Path, **given: object):
    return run(["sh", "-c", script], folder=folder, log=folder / "log", grace_s=0.5, **given)


def until(there: Callable[[], object], seconds: float = 20) -> object:
    deadline = time.monotonic() + seconds
    while not (found := there()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def is_gone(file: Path) -> bool:
    """Tell whether the process that wrote its number into a file has ended."""
    pid = int(file.read_text())
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_lines_come_as_they_are_written_and_stay_in_the_log(tmp_path: Path) -> None:
    told: list[str] = []
    ended = sh(
        "echo one; echo two >&2; printf '1 %%\\r2 %%\\rend'; exit 3", tmp_path, line=told.append
    )
    assert told == ["one", "two", "1 %", "2 %", "end"]
    assert (ended.status, ended.tail) == (3, tuple(told))
    assert (tmp_path / "log").read_text().splitlines()[1:] == told
    with pytest.raises(ProgramError, match=r"sh ended with exit status 3 .*1 % \| 2 % \| end.*log"):
        ended.require_success()


def test_a_signal_is_told_by_name(tmp_path: Path) -> None:
    ended = sh("kill -9 $$", tmp_path)
    assert ended.status == -signal.SIGKILL
    with pytest.raises(ProgramError, match=r"killed by SIGKILL.*out of memory"):
        ended.require_success()


@pytest.mark.parametrize("program", ["no-such-program", "/etc/passwd"])
def test_what_cannot_be_run_is_a_matter_of_configuration(tmp_path: Path, program: str) -> None:
    with pytest.raises(ConfigurationError, match=program):
        run([program], folder=tmp_path, log=tmp_path / "log")


def test_a_time_limit_ends_all_that_was_started(tmp_path: Path) -> None:
    """Also what ignores SIGTERM, and what went into a session of its own and lost its parent."""
    script = (
        "trap '' TERM; echo $$ > first; (setsid sh -c 'echo $$ > second; sleep 60' &); "
        "while true; do sleep 0.1; done"
    )
    with pytest.raises(LimitError, match="more than the 1 s"):
        sh(script, tmp_path, limit_s=1)
    assert is_gone(tmp_path / "first")
    assert is_gone(tmp_path / "second")


def test_what_a_program_leaves_running_ends_with_it(tmp_path: Path) -> None:
    ended = sh("(setsid sh -c 'echo $$ > left; exec sleep 60' &); sleep 0.3", tmp_path)
    assert ended.status == 0
    assert is_gone(tmp_path / "left")


def test_a_memory_limit_counts_children(tmp_path: Path) -> None:
    hungry = f"{sys.executable} -c 'x = bytearray(300_000_000); import time; time.sleep(60)'"
    with pytest.raises(LimitError, match=r"may hold 0\.2 GB"):
        sh(f"{hungry}; true", tmp_path, memory_bytes=200_000_000)


def test_an_error_in_the_reader_ends_the_program(tmp_path: Path) -> None:
    def fail(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sh("echo $$ > first; echo line; sleep 60", tmp_path, line=fail)
    assert is_gone(tmp_path / "first")


def test_our_own_death_ends_the_program(tmp_path: Path) -> None:
    """`kill -9` of the process that runs it: nothing of ours can act any more."""
    code = (
        "import sys; from pathlib import Path; from geobservatory.program import run; "
        "folder = Path(sys.argv[1]); run(['sh', '-c', 'echo $$ > first; sleep 60'], "
        "folder=folder, log=folder / 'log')"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    first = tmp_path / "first"
    until(lambda: first.exists() and first.read_text())
    child.send_signal(signal.SIGKILL)
    child.wait()
    until(lambda: is_gone(first))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux alone does this")
def test_the_death_of_the_keeper_ends_the_program(tmp_path: Path) -> None:
    def kill(text: str) -> None:
        os.kill(psutil.Process(int(text)).ppid(), signal.SIGKILL)

    ended = sh("echo $$ > first; echo $$; exec sleep 60", tmp_path, line=kill)
    assert ended.status < 0
    until(lambda: is_gone(tmp_path / "first"))


def test_secrets_are_hidden(tmp_path: Path) -> None:
    told: list[str] = []
    ended = sh("echo the key is $KEY; exit 1", tmp_path, line=told.append,
               environment={"KEY": "s3cret-key"}, secrets=["s3cret-key"])  # fmt: skip
    everything = " ".join((*told, *ended.tail, (tmp_path / "log").read_text()))
    assert "the key is" in everything
    assert "s3cret" not in everything


def test_the_environment_holds_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEOBS_DATABASE_URL", "postgresql://user:password@host/base")
    monkeypatch.setenv("PREFECT_API_KEY", "key")
    monkeypatch.setenv("IDL_DIR", "/opt/idl")
    given = plain_environment({"LICENCE": "27000@host"}, ["IDL_DIR", "NOT_SET"])
    assert given["IDL_DIR"] == "/opt/idl"
    assert given["LICENCE"] == "27000@host"
    assert "PATH" in given
    assert not [
        name for name in given if name.startswith(("GEOBS", "PREFECT")) or name == "NOT_SET"
    ]


def test_a_log_that_cannot_be_written_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="log"):
        run(["sh", "-c", "echo $$ > first"], folder=tmp_path, log=tmp_path / "no" / "log")
    assert not (tmp_path / "first").exists()
