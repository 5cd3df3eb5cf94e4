"""Runs one program and sees to its end: nothing that it started outlives the process that asked.

`geobservatory.program` starts this file by its path, as ``python -I -S keeper.py CONTROL STATUS
GRACE PROGRAM ARGUMENT…``; it needs the standard library only. CONTROL is the reading end of a pipe
that the asking process holds open: when that process lets go, or dies in whatever way, the program
and all its descendants get SIGTERM, and after GRACE seconds SIGKILL. How the program ended is
written to STATUS: ``exit 3``, ``signal 9``, ``error 2`` (the errno of a program that could not be
started).

On Linux orphans of the program become children of this process, so that those are found as well
that left the process group; should this process itself be killed, the kernel kills the program.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LOOK_S = 0.05
# Once killed, a process is gone as soon as the kernel has let go of it.
_PATIENCE_S = 10.0


def main(control: int, status: int, grace_s: float, arguments: list[str]) -> None:
    """Run a program to its end, or to that of the process that asked for it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for one in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, lambda number, frame: None)
    try:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            process_group=0,
            preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),
        )
    except OSError as error:
        os.write(status, f"error {error.errno}".encode())
        return
    ended = _watch(child.pid, control, woken)
    _end_all(child.pid, grace_s)
    if ended is None:
        ended = -signal.SIGKILL
    os.write(status, (f"signal {-ended}" if ended < 0 else f"exit {ended}").encode())


def _watch(child: int, control: int, woken: int) -> int | None:
    """Wait for the program's end and give its exit status; None if the asking process let go."""
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            told = os.read(woken, 4096)
            found = _reap(child)
            if found is not None:
                return found
            if set(told) & {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}:
                return None
        if control in ready:
            return None


def _reap(child: int) -> int | None:
    """Take leave of all processes that have ended; give the exit status of one, if it has."""
    found = None
    while True:
        try:
            pid, state = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            found = os.waitstatus_to_exitcode(state)


def _end_all(child: int, grace_s: float) -> None:
    """End whatever the program left running: asked first, killed then."""
    asked = time.monotonic()
    sent: set[tuple[int, int]] = set()
    while left := _descendants(child):
        waited = time.monotonic() - asked
        if waited > grace_s + _PATIENCE_S:
            return
        number = signal.SIGKILL if waited > grace_s else signal.SIGTERM
        for pid in left:
            if number == signal.SIGKILL or (pid, number) not in sent:
                sent.add((pid, number))
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        time.sleep(_LOOK_S)
        _reap(child)


def _descendants(child: int) -> list[int]:
    """List what is left of the program: all descendants of this process, where they can be told."""
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        try:
            os.killpg(child, 0)
        except (ProcessLookupError, PermissionError):
            return []
        return [-child]
    children: dict[int, list[int]] = {}
    for one in proc.iterdir():
        if one.name.isdecimal():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # The name in parentheses may hold anything.
                rest = (one / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if rest[0] != "Z":
                    children.setdefault(int(rest[1]), []).append(int(one.name))
    found, todo = [], [os.getpid()]
    while todo:
        here = children.get(todo.pop(), [])
        found += here
        todo += here
    return found


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
