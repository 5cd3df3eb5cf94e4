"""Run SNAP's graph processing tool, `gpt`, and tell from its output how it really went.

Its habits, as far as they are known (docs/snap.md): it may end with status 0 after an error that it
only printed; Java runs out of its heap long before the machine does; its user directory holds a
database that one process at a time may open, so that every run gets a directory of its own; and
parameters come and go from version to version.
"""

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from geobservatory.engines.snap.catalogue import require_valid
from geobservatory.engines.snap.fitting import fitting, major, without
from geobservatory.engines.snap.graph import Graph
from geobservatory.engines.snap.heard import Heard
from geobservatory.errors import ConfigurationError
from geobservatory.program import Ended, LimitError, plain_environment, run
from geobservatory.settings.snap import Snap

_VERSION = re.compile(r"SNAP Release version (\d+(?:\.\d+)*)")
# Shares of the machine's memory for the heap, and of the heap for the cache of tiles.
_HEAP_SHARE, _CACHE_SHARE = 0.7, 0.6
# Beside its heap Java holds stacks, code and buffers.
_BESIDE_HEAP = 1.25


@dataclass(frozen=True)
class Gpt:
    """SNAP's gpt on this machine.

    Attributes
    ----------
    program
        Where it is.
    heap_gb, cache_gb
        Memory of its Java, and of that the cache of tiles.
    limit_s
        Seconds a run may take.
    """

    program: Path
    heap_gb: float
    cache_gb: float
    limit_s: float

    @property
    def version(self) -> str:
        """Version of SNAP.

        Raises
        ------
        ConfigurationError
            If it does not tell.
        """
        return _version(self.program, self.program.stat().st_mtime_ns)

    def work(
        self,
        graph: Graph,
        path: Path,
        user: Path,
        log: Path,
        threads: int | None,
        progress: Callable[[float], None],
    ) -> Graph:
        """Run a graph to its end, and make sure that it left what it was to leave.

        Parameters
        ----------
        path
            Where the graph is written.
        user
            SNAP's user directory for this run.
        threads
            At most so many tiles at once; as SNAP likes if None.
        progress
            Told the share that is finished.

        Returns
        -------
        graph
            As it was run: without parameters that this version does not know and that say no more
            than its own default.

        Raises
        ------
        InputError
            If the graph does not keep to the catalogue.
        ConfigurationError
            If this version cannot do what is asked of it, or memory is too small.
        TransientError
            If auxiliary data could not be fetched, or the user directory is held by another.
        ProgramError
            If it failed in another way.
        """
        version = self.version
        graph = fitting(graph, version)
        while True:
            require_valid(graph, major(version))
            graph.write(path)
            heard = Heard(progress)
            ended = self._run(path, user, log, threads, heard)
            unknown = heard.unknown()
            if ended.status == 0 and not heard.errors:
                _require_left(graph, ended)
                return graph
            if unknown is None:
                raise heard.error(ended, self.heap_gb)
            graph = without(graph, *unknown, version)

    def _run(self, path: Path, user: Path, log: Path, threads: int | None, heard: Heard) -> Ended:
        heap, cache = round(self.heap_gb * 1024), round(self.cache_gb * 1024)
        places = [f"-J-Dsnap.userdir={user}", f"-J-Djava.io.tmpdir={user / 'tmp'}"]
        (user / "tmp").mkdir(parents=True, exist_ok=True)
        parallel = [] if threads is None else ["-q", str(threads)]
        try:
            return run(
                [
                    self.program, path, "-e", "-x", "-c", f"{cache}M", *parallel,
                    f"-J-Xmx{heap}M", *places, f"-Dsnap.userdir={user}",
                ],
                folder=path.parent,
                log=log,
                # Whatever Java keeps for its user goes into the run's directory as well.
                environment=plain_environment({"HOME": str(user), "SNAP_USER": str(user)}),
                line=heard.line,
                unfinished=heard.unfinished,
                limit_s=self.limit_s,
                memory_bytes=int(self.heap_gb * _BESIDE_HEAP * 1e9 + 2e9),
            )  # fmt: skip
        except LimitError as error:
            raise LimitError(
                f"{error}; the bounds are engine.snap.time_limit_h and engine.snap.memory_gb"
            ) from error


def find_gpt(settings: Snap) -> Gpt:
    """Find gpt, and share the machine out.

    Raises
    ------
    ConfigurationError
        If it is not there.
    """
    named = shutil.which(str(settings.gpt or "gpt"))
    if named is None:
        raise ConfigurationError(f"{settings.gpt or 'gpt'}: there is no such program")
    heap = settings.memory_gb or _HEAP_SHARE * psutil.virtual_memory().total / 2**30
    return Gpt(
        Path(named).absolute(),
        heap,
        min(settings.cache_gb or _CACHE_SHARE * heap, heap),
        settings.time_limit_h * 3600,
    )


@lru_cache
def _version(program: Path, changed: int) -> str:
    """Ask a program for its version, once as long as it is the same file."""
    del changed
    with TemporaryDirectory(prefix="geobs-snap-") as folder:
        lines: list[str] = []
        ended = run(
            [program, "--diag", f"-J-Dsnap.userdir={folder}"],
            folder=Path(folder),
            log=Path(folder) / "log",
            environment=plain_environment({"HOME": folder}),
            line=lines.append,
            limit_s=120,
        )
    match = _VERSION.search("\n".join(lines))
    if match is None:
        raise ConfigurationError(
            f"{program}: does not tell its version (exit status {ended.status}): "
            f"{' | '.join(lines[-3:])}"
        )
    return match[1]


def _require_left(graph: Graph, ended: Ended) -> None:
    """Refuse a run that left nothing, whatever it said."""
    for path in graph.outputs:
        data = path.with_suffix(".data")
        images = list(data.glob("*.img")) if path.suffix == ".dim" else [path]
        if not path.is_file() or not images or not all(one.stat().st_size for one in images):
            raise ended.error(f"ended as if all were well, and left no {path.name}")
