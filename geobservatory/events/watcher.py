"""Follow the agencies without end: every report once, whatever breaks.

Three threads: EMSC's WebSocket; EMSC's FDSN service, asked when the WebSocket opens and every few
minutes, for what it missed; USGS's feed, and now and then its FDSN service. How far the services
have been read is noted in the catalogue, so a watcher that comes after a crash begins there.

The note is by the agency's clock, and each look goes back a little before it, because the services
lag: a report is heard again rather than missed, and to hear it again changes nothing. A revision
dated after our own time does not move the note: one clock that lies cannot hide what comes later.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from typing import Any

import requests

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.hearing import Heard
from geobservatory.errors import InputError, TransientError
from geobservatory.events import emsc, usgs
from geobservatory.events.expected import expected
from geobservatory.events.land import load_land
from geobservatory.events.report import Report, Retraction
from geobservatory.events.service import BusyError, ask
from geobservatory.settings.model import Settings

_LOG = logging.getLogger(__name__)
_JITTER = SystemRandom()
# How far a look at an FDSN service goes back before what was seen: longer than the service lags.
_OVERLAP = timedelta(minutes=15)
# A revision may be dated so much after our time and still be believed.
_CLOCKS_DIFFER = timedelta(minutes=5)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0
# USGS asks for its feeds rather than its service to be used; this is for deletions and late words.
_USGS_SERVICE_S = 3600.0

Parse = Callable[[Any], Report | Retraction]
Told = Callable[[Heard], None]


class Watcher:
    """Hears, records and decides; what is to be started is told to the caller.

    Parameters
    ----------
    settings
        Feeds and criteria.
    open_catalog
        Opens the catalogue, again after it was lost.
    told
        Called with everything heard that was new, from any of the threads, one at a time.
    """

    def __init__(self, settings: Settings, open_catalog: Callable[[], Catalog], told: Told) -> None:
        self._settings = settings
        self._feeds = settings.feeds
        self._open_catalog = open_catalog
        self._told = told
        self._stop = threading.Event()
        self._opened = threading.Event()
        self._catalog: Catalog | None = None
        self._one = threading.RLock()
        self._fault: Exception | None = None
        self._patient = True
        self._begin: datetime | None = None
        self._newest: datetime | None = None
        self._refused = 0
        self._silent: set[str] = set()

    def stop(self) -> None:
        """Make `run` return soon; may be called from a signal handler."""
        self._stop.set()
        self._opened.set()

    def run(self, since: datetime | None = None) -> None:
        """Follow the feeds until `stop`.

        Parameters
        ----------
        since
            Begin with what was revised since then; where None, with what was not seen yet.

        Raises
        ------
        Exception
            Whatever a fault of ours raised in one of the threads; better to end than to be deaf.
        """
        self._warm_up()
        threads = [
            threading.Thread(target=self._guarded, args=(follow,))
            for follow in (
                self._follow_socket,
                lambda: self._follow_emsc(since),
                lambda: self._follow_usgs(since),
            )
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._close()
        if self._fault is not None:
            raise self._fault

    def once(self, since: datetime | None = None) -> list[str]:
        """Hear what was missed, and return.

        Returns
        -------
        list of str
            What went wrong with each feed that could not be read to the end.
        """
        self._warm_up()
        self._patient = False
        problems = []
        session = requests.Session()
        for catch_up in (self._catch_up_emsc, self._catch_up_usgs):
            try:
                catch_up(session, since)
            except TransientError as error:
                problems.append(str(error))
        self._close()
        return problems

    def _warm_up(self) -> None:
        """Read the land and compile Okada's formulas before the first alert, not during it."""
        load_land()
        expected(5.0, 10.0)

    def _guarded(self, follow: Callable[[], None]) -> None:
        try:
            follow()
        except Exception as error:  # noqa: BLE001  (raised again by `run`)
            self._fault = error
            self.stop()

    def _follow_socket(self) -> None:
        pause = _FIRST_PAUSE_S
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                for text in emsc.listen(self._feeds.emsc_websocket, self._opened.set, self._stop):
                    self._speaks("EMSC's WebSocket")
                    for updated in _believed(self._hear(emsc.parse_message, [text])):
                        self._newest = updated
                return
            except TransientError as error:
                self._is_silent("EMSC's WebSocket", error)
            # One that held for a while was sound: begin with short pauses again.
            if time.monotonic() - began > _LONGEST_PAUSE_S:
                pause = _FIRST_PAUSE_S
            self._stop.wait(pause * _JITTER.uniform(0.5, 1.5))
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _follow_emsc(self, since: datetime | None) -> None:
        session = requests.Session()
        while not self._stop.is_set():
            self._opened.clear()
            if self._tried("EMSC's service", self._catch_up_emsc, session, since):
                since = None
            # At once when the WebSocket has opened (again), else after a while.
            self._opened.wait(self._feeds.catch_up_s)

    def _follow_usgs(self, since: datetime | None) -> None:
        session = requests.Session()
        mark: dict[str, str] = {}
        due = 0.0
        while not self._stop.is_set():
            if time.monotonic() >= due and self._tried(
                "USGS's service", self._catch_up_usgs, session, since
            ):
                due, since = time.monotonic() + _USGS_SERVICE_S, None
            self._tried("USGS's feed", self._poll_usgs, session, mark)
            self._stop.wait(self._feeds.poll_s * _JITTER.uniform(0.9, 1.1))

    def _poll_usgs(self, session: requests.Session, mark: dict[str, str]) -> None:
        """Read the summary feed where it has changed."""
        answer = ask(session, self._feeds.usgs, mark=mark)
        self._hear(usgs.parse_feature, usgs.features(self._feeds.usgs, answer)[::-1])
        # Only now: what could not be recorded has to come again.
        mark.clear()
        mark.update(answer.mark)

    def _catch_up_emsc(self, session: requests.Session, since: datetime | None) -> None:
        # What the WebSocket told before this look is as good a mark of how far it has come.
        newest = [] if self._newest is None else [self._newest]
        since = self._since("emsc", since)
        found = emsc.revised_since(session, self._feeds.emsc_fdsn, since)
        self._note("emsc", newest + self._hear(emsc.parse_feature, found))

    def _catch_up_usgs(self, session: requests.Session, since: datetime | None) -> None:
        since = self._since("usgs", since)
        found = usgs.revised_since(session, self._feeds.usgs_fdsn, since)
        self._note("usgs", self._hear(usgs.parse_feature, found))

    def _since(self, feed: str, since: datetime | None) -> datetime:
        if since is not None:
            self._begin = since
            return since
        seen = self._kept(lambda catalog: catalog.seen_until(feed))
        if seen is not None:
            return seen - _OVERLAP
        # Nothing has been seen yet: as far back as at first.
        return self._begin or datetime.now(UTC) - timedelta(hours=self._feeds.look_back_hours)

    def _note(self, feed: str, updated: list[datetime]) -> None:
        if believed := _believed(updated):
            self._kept(lambda catalog: catalog.note_seen(feed, max(believed)))

    def _hear(self, parse: Parse, given: Iterable[Any]) -> list[datetime]:
        """Hear what was given; what makes no sense is said and left out.

        Returns
        -------
        list of datetime
            When each was revised, by the agency's clock.
        """
        updated = []
        for one in given:
            try:
                report = parse(one)
            except InputError as error:
                self._refuse(error)
                continue
            try:
                self._hear_one(report)
            except TransientError:
                raise
            except Exception:  # noqa: BLE001
                # One report that trips over a fault of ours must not hide those after it.
                _LOG.exception("%s %s could not be recorded", report.source, report.names)
            if report.updated is not None:
                updated.append(report.updated)
        return updated

    def _hear_one(self, report: Report | Retraction) -> None:
        criteria, least = self._settings.activation, self._feeds.least_magnitude
        heard = self._kept(lambda catalog: catalog.hear(report, criteria, least))
        if heard is not None:
            with self._one:
                self._told(heard)

    def _kept(self, work: Callable[[Catalog], Any]) -> Any:
        """Do something with the catalogue; where it is lost, wait until it is back.

        Raises
        ------
        TransientError
            If it is not back before `stop`.
        """
        pause = _FIRST_PAUSE_S
        while True:
            catalog = None
            try:
                catalog = self._open()
                done = work(catalog)
                self._speaks("the catalogue")
                return done
            except TransientError as error:
                self._is_silent("the catalogue", error)
                self._lose(catalog)
                if not self._patient:
                    raise TransientError("the catalogue does not answer") from error
            if self._stop.wait(pause * _JITTER.uniform(0.5, 1.5)):
                raise TransientError("the catalogue is not there")
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    def _open(self) -> Catalog:
        with self._one:
            if self._catalog is None:
                self._catalog = self._open_catalog()
            return self._catalog

    def _lose(self, catalog: Catalog | None) -> None:
        """Open another one next time, unless somebody has already."""
        with self._one:
            if catalog is self._catalog:
                self._close()

    def _close(self) -> None:
        with self._one:
            if self._catalog is not None:
                self._catalog.engine.dispose()
            self._catalog = None

    def _tried(self, who: str, work: Callable[..., None], *given: Any) -> bool:
        """Do something that may fail; say so once, and once when it goes well again."""
        try:
            work(*given)
        except TransientError as error:
            self._is_silent(who, error)
            if isinstance(error, BusyError) and error.after_s is not None:
                self._stop.wait(error.after_s)
            return False
        self._speaks(who)
        return True

    def _is_silent(self, who: str, error: TransientError) -> None:
        if who not in self._silent and not self._stop.is_set():
            self._silent.add(who)
            _LOG.warning("%s does not answer: %s", who, error)

    def _speaks(self, who: str) -> None:
        if who in self._silent:
            self._silent.discard(who)
            _LOG.warning("%s answers again", who)

    def _refuse(self, error: InputError) -> None:
        """Say what made no sense; a flood of it now and then only, or it would fill the log."""
        self._refused += 1
        if self._refused <= 10 or self._refused % 1000 == 0:
            _LOG.warning("left out (%d so far): %s", self._refused, error)


def _believed(updated: list[datetime]) -> list[datetime]:
    """Leave out what is dated after our own time."""
    return [one for one in updated if one <= datetime.now(UTC) + _CLOCKS_DIFFER]
