"""One process at a time at a file: the others wait, and take what it made."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone_at(path: Path) -> Iterator[None]:
    """Hold the lock of a file; waits while another process, or thread, does.

    The lock ends with the process that holds it. Its file is removed when nobody needs it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f".{path.name}.lock")
    fd = _locked(file)
    try:
        yield
    finally:
        # While it is held: whoever waits for it sees that it is gone, and takes the new one.
        file.unlink(missing_ok=True)
        os.close(fd)


def _locked(file: Path) -> int:
    while True:
        fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            if file.stat().st_ino == os.fstat(fd).st_ino:
                return fd
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
