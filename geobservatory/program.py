"""Run a program that is not ours: its output followed, its time and memory limited, its end sure.

Whatever happens to this process, also `kill -9`, nothing that the program started goes on: a keeper
(`geobservatory.keeper`) stands between the two and kills all of it.
"""

import os
import re
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import psutil

from geobservatory import keeper
from geobservatory.errors import ConfigurationError, GeobservatoryError

_LOOK_S = 0.5
_TAIL, _LONGEST = 20, 4096
_GRACE_S = 5.0
# What a program may need to know of the machine; the rest (accounts, settings) is not its business.
_PASSED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_HIDDEN = "•••"
_ENDS = re.compile(rb"\r\n|\r|\n")


class ProgramError(GeobservatoryError):
    """A program did not do its work; the message holds its last lines and names its log."""


class LimitError(ProgramError):
    """A program was killed because it took more time or memory than it may."""


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Attributes
    ----------
    program
        Its name, for messages.
    status
        Exit status; negative: the signal that killed it.
    seconds, peak_bytes
        What it took; memory as far as it was seen, twice a second.
    tail
        The last lines of its output.
    log
        Where all of it is.
    """

    program: str
    status: int
    seconds: float
    peak_bytes: int
    tail: tuple[str, ...]
    log: Path

    def require_success(self) -> None:
        """Raise `ProgramError` unless the program ended with status 0."""
        if self.status > 0:
            raise self.error(f"ended with exit status {self.status} after {self.seconds:.0f} s")
        if self.status < 0:
            name = signal.Signals(-self.status).name
            hint = "; the machine may have run out of memory" if name == "SIGKILL" else ""
            raise self.error(f"was killed by {name} after {self.seconds:.0f} s{hint}")

    def error(self, what: str) -> ProgramError:
        """Make an error that says what was wrong, with the program's last lines."""
        return ProgramError(_told(self.program, what, self.tail, self.log))


def run(
    arguments: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    line: Callable[[str], None] = lambda text: None,
    unfinished: Callable[[str], None] | None = None,
    limit_s: float | None = None,
    memory_bytes: int | None = None,
    secrets: Sequence[str] = (),
    grace_s: float = _GRACE_S,
) -> Ended:
    """Run a program to its end, without a shell.

    It has no standard input; standard output and error go together to the log and, line by line, to
    `line`. When this function is left in any way, an exception of `line` or of a limit among them,
    the program and all its descendants have ended; when this process dies, they are killed.

    Parameters
    ----------
    arguments
        The program and its arguments.
    folder
        It runs there.
    log
        Its output is added to this file.
    environment
        All that it knows of ours; `plain_environment()` if None.
    line
        Told each line, carriage returns ending one as well; in this thread.
    unfinished
        Told the line that is being written, as it stands: some programs show their progress so.
    limit_s
        Seconds that it may take.
    memory_bytes
        What it and its descendants may hold in memory together, looked at twice a second.
    secrets
        Texts that are hidden in the log, in lines and in errors.
    grace_s
        Seconds between the request to end and the kill.

    Raises
    ------
    ConfigurationError
        If there is no such program, or it may not be run.
    LimitError
        If it took more than it may.
    OSError
        If the log cannot be written.
    """
    called = [str(one) for one in arguments]
    name = Path(called[0]).name
    started, peak = time.monotonic(), 0
    tail: deque[str] = deque(maxlen=_TAIL)
    shown = _Lines(line, unfinished, tail, tuple(secrets))
    exceeded, looked = "", started
    with log.open("ab") as kept, _started(called, folder, environment, grace_s) as running:
        kept.write(shown.hide(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ} {shlex.join(called)}\n"))
        for output in running.outputs():
            kept.write(shown.feed(output))
            kept.flush()
            now = time.monotonic()
            if exceeded or now - looked < _LOOK_S:
                continue
            looked, held = now, running.memory()
            peak = max(peak, held)
            if limit_s is not None and now - started > limit_s:
                exceeded = f"took more than the {limit_s:g} s it may"
            elif memory_bytes is not None and held > memory_bytes:
                exceeded = f"held {held / 1e9:.1f} GB; it may hold {memory_bytes / 1e9:.1f} GB"
            if exceeded:
                running.let_go()
        kept.write(shown.feed(b"", last=True))
        with _known_start(called[0]):
            status = running.status()
    if exceeded:
        raise LimitError(_told(name, exceeded + ", and was killed", tuple(tail), log))
    return Ended(name, status, time.monotonic() - started, peak, tuple(tail), log)


def plain_environment(
    given: Mapping[str, str] | None = None, inherited: Sequence[str] = ()
) -> dict[str, str]:
    """Make an environment that holds the machine's, and nothing of ours: no setting, no account.

    Parameters
    ----------
    given
        Variables to set.
    inherited
        Names of variables to take over from this process where it has them.
    """
    passed = [name for name in os.environ if name in _PASSED or name.startswith("LC_")]
    return {
        **{name: os.environ[name] for name in (*passed, *inherited) if name in os.environ},
        **(given or {}),
    }


class _Running:
    """A program under its keeper."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        output: IO[bytes],
        control: int,
        status: IO[bytes],
    ) -> None:
        self._process, self._output = process, output
        self._control, self._status = control, status

    def outputs(self) -> Iterator[bytes]:
        """Give what the program writes as it comes, and nothing twice a second at the least."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while True:
                if not selector.select(_LOOK_S):
                    yield b""
                    continue
                read = os.read(self._output.fileno(), 1 << 16)
                if not read:
                    return
                yield read

    def memory(self) -> int:
        """Sum of the resident memory of the program and its descendants, bytes."""
        total = 0
        try:
            for one in psutil.Process(self._process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    total += one.memory_info().rss
        except psutil.Error:
            return total
        return total

    def let_go(self) -> None:
        """Have everything killed; safe to repeat."""
        if self._control >= 0:
            os.close(self._control)
            self._control = -1

    def status(self) -> int:
        """Wait for the end and give the exit status, negative for a signal.

        Raises
        ------
        OSError
            If the program could not be started.
        """
        self._process.wait()
        word, _, number = self._status.read().decode().partition(" ")
        if word == "error":
            raise OSError(int(number), os.strerror(int(number)))
        # A keeper that was killed itself says nothing.
        return int(number) if word == "exit" else -int(number or signal.SIGKILL)


@contextmanager
def _started(
    called: list[str], folder: Path, environment: Mapping[str, str] | None, grace_s: float
) -> Iterator[_Running]:
    """Start a program under a keeper; at the end of the block all of it has ended."""
    # Read here, written there: what the program prints, how it ended; the third the other way.
    (output, printed), (status, ended), (watched, control) = os.pipe(), os.pipe(), os.pipe()
    with open(output, "rb", buffering=0) as read, open(status, "rb") as told:  # noqa: PTH123
        try:
            process = subprocess.Popen(
                [
                    sys.executable, "-I", "-S", keeper.__file__,
                    str(watched), str(ended), str(grace_s), *called,
                ],
                cwd=folder,
                env=dict(plain_environment() if environment is None else environment),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                pass_fds=(watched, ended),
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(control)
            raise
        finally:
            for one in (printed, ended, watched):
                os.close(one)
        running = _Running(process, read, control, told)
        try:
            yield running
        finally:
            running.let_go()
            process.wait()


class _Lines:
    """Cuts output into lines, with what is secret hidden."""

    def __init__(
        self,
        line: Callable[[str], None],
        unfinished: Callable[[str], None] | None,
        tail: deque[str],
        secrets: tuple[str, ...],
    ) -> None:
        self._line, self._unfinished, self._tail = line, unfinished, tail
        self._secrets = tuple(one.encode() for one in sorted(secrets, key=len, reverse=True) if one)
        self._rest = b""

    def hide(self, text: str) -> bytes:
        """Hide secrets in a text."""
        return self._hidden(text.encode())

    def feed(self, output: bytes, last: bool = False) -> bytes:
        """Take output, tell the lines that it ends, and give what is to be logged of it."""
        lines = _ENDS.split(self._rest + output)
        self._rest = lines.pop()
        if last or len(self._rest) > _LONGEST:
            lines.append(self._rest)
            self._rest = b""
        logged = b""
        for one in lines:
            hidden = self._hidden(one)
            logged += hidden + b"\n" if hidden else b""
            text = hidden.decode(errors="replace").rstrip()
            if text:
                self._tail.append(text[:_LONGEST])
                self._line(text)
        if self._rest and self._unfinished is not None:
            self._unfinished(self._hidden(self._rest).decode(errors="replace"))
        return logged

    def _hidden(self, text: bytes) -> bytes:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN.encode())
        return text


@contextmanager
def _known_start(program: str) -> Iterator[None]:
    """Say of a program that could not be started why."""
    try:
        yield
    except FileNotFoundError as error:
        raise ConfigurationError(f"{program}: there is no such program on this machine") from error
    except OSError as error:
        raise ConfigurationError(f"{program}: cannot be run: {error.strerror}") from error


def _told(program: str, what: str, tail: Sequence[str], log: Path) -> str:
    last = " | ".join(list(tail)[-3:])
    return f"{program} {what}; {f'its last lines: {last}; ' if last else ''}all of it: {log}"
