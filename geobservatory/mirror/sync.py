"""One run of the mirror: look at the upstreams, let go what is over, bring what is missing.

Any number of runs may go at once: each look, each product is the work of one of them. A run that
was killed leaves nothing that the next does not bring to its end.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event

from geobservatory.catalog.mirror_plan import Turn
from geobservatory.errors import ConfigurationError
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.connector import Connector
from geobservatory.hubs.connectors import connect
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.books import settle_unfinished
from geobservatory.mirror.bring import Bringer, Brought, Outcome
from geobservatory.mirror.look import Looked, look
from geobservatory.mirror.plan import turns
from geobservatory.mirror.priority import needed
from geobservatory.mirror.roll import Going, drop_abandoned, roll, take_over
from geobservatory.mirror.streams import Wanted, upstream
from geobservatory.transfer.attempt import Progress

# How many products are planned for at a time: what is published meanwhile goes before the rest.
_AT_A_TIME = 100


@dataclass
class Run:
    """What a run did.

    Attributes
    ----------
    looked
        What each look brought.
    brought
        What became of each product whose turn it was.
    gone
        What went.
    settled
        What killed processes had left, and what was done about it.
    stopped
        Why it ended before all was done; empty where it did not.
    """

    looked: list[Looked] = field(default_factory=list)
    brought: list[Brought] = field(default_factory=list)
    gone: list[Going] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    stopped: str = ""

    def came(self) -> list[Brought]:
        """List what is new in the archive."""
        return [one for one in self.brought if one.outcome is Outcome.CAME]


@dataclass(frozen=True)
class Listeners:
    """Who is told what a run does, as it does it; in threads of its own."""

    looked: Callable[[Looked], None] = lambda looked: None
    brought: Callable[[Brought], None] = lambda brought: None
    went: Callable[[Going], None] = lambda going: None
    progress: Callable[[str, Progress], None] = lambda name, progress: None
    planned: Callable[[str, int, int], None] = lambda stream, products, size: None


@dataclass(frozen=True)
class Synchroniser:
    """Runs of the mirror.

    Attributes
    ----------
    connectors
        Of some hubs, by name, in place of those that the settings tell of.
    wait
        Waits so many seconds.
    stop
        Set to have a run begin nothing more.
    """

    archive: Archive
    connectors: Mapping[str, Connector] = field(default_factory=dict)
    listeners: Listeners = field(default_factory=Listeners)
    wait: Callable[[float], None] = time.sleep
    stop: Event = field(default_factory=Event)
    patience_s: float = 1800.0

    def run(self, only: str | None = None, *, full: bool = False) -> Run:
        """Do what is to be done now.

        Parameters
        ----------
        only
            One stream; all where None.
        full
            Look at all of the window, due or not.

        Raises
        ------
        ConfigurationError
            If there is no such stream, or none at all.
        TransientError
            If the catalogue does not answer.
        """
        chosen, run = _chosen(self.archive, only), Run()
        run.settled = settle_unfinished(self.archive)
        drop_abandoned(self.archive)
        for wanted in chosen:
            run.looked += self._look(wanted, full)
        take_over(self.archive)
        kept = needed(self.archive)
        run.gone += roll(self.archive, kept, self.listeners.went)
        limit = time.monotonic() + 60 * self.archive.settings.mirror.run_minutes
        for wanted in chosen:
            if not run.stopped:
                self._bring(wanted, kept, run, limit)
        run.gone += roll(self.archive, kept, self.listeners.went)
        # What is of a window still is wanted, however long ago it was sensed.
        windows = [one.stream.window_days + 1 for one in self.archive.streams]
        keep = timedelta(days=max(self.archive.settings.mirror.keep_days, *windows))
        self.archive.catalog.prune_mirror(self.archive.now() - keep)
        return run

    def _look(self, wanted: Wanted, full: bool) -> list[Looked]:
        settings = upstream(self.archive.settings, wanted.stream)
        hubs = [hub for hub in settings.hubs if "SENTINEL-1" in hub.missions]
        asked = [
            (hub, self.connectors.get(hub.name) or connect(hub, settings.data_dir)) for hub in hubs
        ]
        if not asked:
            raise ConfigurationError("no hub is configured: add [[hubs]] to geobs.toml")
        looked = look(self.archive, wanted, asked, full=full, told=self.listeners.looked)
        return looked or []

    def _bring(self, wanted: Wanted, kept: Mapping[str, str], run: Run, limit: float) -> None:
        """Bring what is missing, some at a time, until nothing more can be had."""
        settings = upstream(self.archive.settings, wanted.stream)
        hubs = Hubs(
            settings, self.archive.catalog, connectors=self.connectors, now=self.archive.now
        )

        def went(going: Going) -> None:
            run.gone.append(going)
            self.listeners.went(going)

        bringer = Bringer(
            self.archive,
            wanted.name,
            hubs,
            self.patience_s,
            self.wait,
            self.listeners.progress,
            went,
        )
        tried: set[str] = set()
        while not run.stopped:
            found = turns(self.archive, wanted, kept, most=_AT_A_TIME + len(tried))
            batch = [one for one in found.fetch if one.name not in tried][:_AT_A_TIME]
            if not batch:
                return
            self.listeners.planned(wanted.name, *found.totals.get("fetch", (0, 0)))
            brought = self._batch(bringer, batch, run, limit)
            # What found no room is tried again once something has come in that lets others go.
            came = any(one.outcome is Outcome.CAME for one in brought)
            tried |= {one.name for one in brought if not (came and one.outcome is Outcome.NO_ROOM)}
            if not came and not brought:
                return

    def _batch(
        self, bringer: Bringer, batch: Iterable[Turn], run: Run, limit: float
    ) -> list[Brought]:
        def one(turn: Turn) -> Brought | None:
            if run.stopped or self.stop.is_set() or time.monotonic() > limit:
                run.stopped = run.stopped or "its time was over; the next run goes on"
                return None
            brought = bringer.bring(turn)
            if brought.outcome is Outcome.DISK_FULL:
                run.stopped = f"the disk is full: {brought.said}"
            self.listeners.brought(brought)
            return brought

        with ThreadPoolExecutor(self.archive.settings.mirror.downloads) as pool:
            brought = [done for done in pool.map(one, batch) if done is not None]
        run.brought += brought
        return brought


def _chosen(archive: Archive, only: str | None) -> list[Wanted]:
    if not archive.streams:
        raise ConfigurationError("no stream is configured: add [[mirror.streams]] to geobs.toml")
    if only is None:
        return archive.streams
    chosen = [one for one in archive.streams if one.name == only]
    if not chosen:
        names = ", ".join(one.name for one in archive.streams)
        raise ConfigurationError(f"no stream is named {only!r}; there are {names}")
    return chosen
