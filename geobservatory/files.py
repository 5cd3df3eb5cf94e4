"""Files that appear whole: written beside their final name, synced, renamed."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import psutil


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; it becomes `path` when all went well.

    Two processes writing the same file do not disturb each other: the later one wins whole. After
    an error nothing is left.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{uuid4().hex[:8]}.part")
    try:
        yield beside
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        beside.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Remove what processes that are no more left beside a file they were writing."""
    for left in path.parent.glob(f".{path.name}.*.*"):
        owner = left.name.removeprefix(f".{path.name}.").split(".")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


@contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """Give a folder beside `path` to fill; it takes the place of `path` when all went well.

    What was there is gone then. What processes that are no more left beside it is removed first;
    of two that write the same folder, the later one wins whole. After an error nothing is left.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is in the way of a folder", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path)
    mark = path.with_name(f".{path.name}.{os.getpid()}.{uuid4().hex[:8]}")
    beside, old = mark.with_name(f"{mark.name}.part"), mark.with_name(f"{mark.name}.old")
    beside.mkdir()
    try:
        yield beside
        while True:
            with suppress(FileNotFoundError):
                path.rename(old)
            try:
                beside.rename(path)
                break
            except OSError as error:
                # Another process put its own there meanwhile.
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
