"""Where an unfinished interferogram is kept, so that a killed run goes on where it was.

The folder `.work` inside the results' holds the look cells of every finished burst, under a key of
all they depend on, and the results until all are there. Results move to their final names last, and
the metadata last of all: a folder that has it is whole.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from geobservatory.errors import GeobservatoryError
from geobservatory.files import written_whole
from geobservatory.insar.interfere import Looked
from geobservatory.insar.pair import Tile

METADATA = "metadata.json"


class Work:
    """Unfinished work; `opened` gives one.

    Attributes
    ----------
    results
        Folder of the files that are to be published; empty at the start.
    kept
        Folder of what is worth keeping when the work is broken off, of this key alone.
    """

    def __init__(self, out: Path, key: str) -> None:
        self._out, self._folder = out, out / ".work"
        self.results = self._folder / "results"
        self.kept = self._folder / key

    def prepare(self) -> None:
        """Make the folders, and drop what was kept under other keys."""
        for old in self._folder.iterdir():
            if old.is_dir() and old != self.kept:
                shutil.rmtree(old)
        self.kept.mkdir(exist_ok=True)
        self.results.mkdir()

    def load(self, tile: Tile) -> Looked | None:
        """Look cells of a burst that was finished; None where it was not."""
        try:
            with np.load(self._path(tile)) as kept:
                return Looked(
                    kept["cross"], kept["reference_power"], kept["secondary_power"], kept["pixels"]
                )
        except (OSError, ValueError, KeyError, EOFError):
            return None

    def save(self, tile: Tile, cells: Looked) -> None:
        """Keep the look cells of a burst."""
        path = self._path(tile)
        with written_whole(path) as beside, beside.open("wb") as file:
            np.savez(
                file,
                cross=cells.cross,
                reference_power=cells.reference_power,
                secondary_power=cells.secondary_power,
                pixels=cells.pixels,
            )

    def publish(self) -> None:
        """Move the results to their final names, the metadata last, and drop the rest."""
        (self._out / METADATA).unlink(missing_ok=True)
        for path in sorted(self.results.iterdir(), key=lambda one: one.name == METADATA):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            path.replace(self._out / path.name)
        shutil.rmtree(self._folder)

    def _path(self, tile: Tile) -> Path:
        return self.kept / f"{tile.pair.identity}.npz"


def key_of(facts: dict[str, Any]) -> str:
    """Give a name to all that look cells depend on."""
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def whatever_fails_is_told(out: Path) -> Iterator[None]:
    """Say of a disk or a file that failed where that was, and that what was finished is kept."""
    try:
        yield
    except OSError as error:
        raise GeobservatoryError(
            f"{out}: {error.strerror or error}; what was finished is kept there, "
            "and the same command goes on with it"
        ) from error


@contextmanager
def opened(out: Path, key: str) -> Iterator[Work]:
    """Take the work folder of some results, alone.

    Raises
    ------
    GeobservatoryError
        If another process works there.
    """
    folder = out / ".work"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GeobservatoryError(f"{out}: another process is making this; wait for it") from (
                error
            )
        work = Work(out, key)
        work.prepare()
        yield work
