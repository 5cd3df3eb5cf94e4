"""What all doors for client programs share: one catalogue, searched and paged, and deliveries.

A search asks the hubs, within a deadline, and records what they answer; what it gives is what the
catalogue knows then. The list of names is kept for a while, so that pages of one search neither
overlap nor leave anything out while products come in.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from fastapi import Response

from geobservatory.catalog.database import Catalog, beside
from geobservatory.catalog.deliveries import Delivered
from geobservatory.catalog.listing import Listed, Wanted
from geobservatory.errors import GeobservatoryError, InputError
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.model import Query
from geobservatory.hubs.queries.question import question
from geobservatory.hubs.queries.terms import Term, size_of
from geobservatory.hubs.umbrella import Located, Umbrella
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.asked import fetch_asked
from portal.access.identity import Identity
from portal.programs.delivery import Delivery, Order
from portal.programs.limits import Limits, TooMuchError, Users
from portal.shared import Places, Shared

_LOG = logging.getLogger(__name__)
_MOST_TERMS = 200
_KEPT_S, _MOST_KEPT, _MOST_NAMES = 600.0, 200, 2_000_000
_MARGIN_S = 5.0
# Of the threads that hand on: they ask at the beginning and at the end, and can wait; four may keep
# what they hand on, and hold one meanwhile.
_CONNECTIONS, _FOR_ONE_S = 12, 60.0

T = TypeVar("T")


@dataclass(frozen=True)
class Results:
    """What a search found.

    Attributes
    ----------
    names
        Of all products, in order.
    silent
        Hubs that did not answer to the end just now.
    """

    names: tuple[str, ...]
    silent: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Kept:
    at: float
    results: Results


class Programs:
    """One catalogue over all hubs, for all doors.

    Parameters
    ----------
    shared
        What the parts of the portal share.
    """

    def __init__(self, shared: Shared) -> None:
        self.settings = shared.settings
        self._shared, told = shared, shared.settings.programs
        self._lock = threading.Lock()
        self._umbrella: tuple[Catalog, Umbrella] | None = None
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._asked: OrderedDict[Query, float] = OrderedDict()
        self._live = Places(4, told.live_s + _MARGIN_S)
        # Longer than the longest question to the catalogue, and than finding a product at hubs.
        self._reading, self._finding = Places(6, 30.0), Places(16, 60.0)
        daily = None if told.daily_gb is None else told.daily_gb * 1e9
        self.users = Users(Limits(shared.settings.portal.limits.downloads_at_once, daily))

    async def search(self, who: Identity, key: str, wanted: Wanted, *, anew: bool) -> Results:
        """Search.

        Parameters
        ----------
        key
            Names the search among those of a user.
        wanted
            What is looked for.
        anew
            Whether it is the first page; others are of what was found then.

        Raises
        ------
        TransientError, TimeoutError
            If the catalogue does not answer, or not in time.
        """

        async def find() -> Results:
            silent = await self._ask_hubs(question(wanted.term, wanted.meaning)) if anew else ()
            names = await self._shared.ask(
                lambda catalog: catalog.list_names(wanted), self._reading
            )
            return Results(tuple(names), silent)

        return await self.kept(who, key, find, anew=anew, fresh_s=self.settings.programs.fresh_s)

    async def kept(
        self,
        who: Identity,
        key: str,
        find: Callable[[], Awaitable[Results]],
        *,
        anew: bool,
        fresh_s: float = 0.0,
    ) -> Results:
        """Give what a search found just now, for pages after the first; or find it.

        Parameters
        ----------
        key, anew
            As for `search`.
        fresh_s
            So long a first page, too, is of what was found before.
        """
        place = who.name, key
        with self._lock:
            kept = self._kept.get(place)
        age = float("inf") if kept is None else time.monotonic() - kept.at
        if kept is not None and age < (fresh_s if anew else _KEPT_S):
            return kept.results
        results = await find()
        self._keep(place, results)
        return results

    async def page(self, names: tuple[str, ...]) -> list[Listed]:
        """Give products by their names."""
        return await self._shared.ask(lambda catalog: catalog.listed(names), self._reading)

    async def find(self, identifier: UUID) -> Listed | None:
        """Find a product by what client programs call it."""
        return await self._shared.ask(
            lambda catalog: catalog.listed_by_id(identifier), self._reading
        )

    async def known(self, listed: list[Listed]) -> list[Located]:
        """Tell what the catalogue knows of where products are."""
        return await self._do(lambda umbrella: [umbrella.known(one) for one in listed])

    async def locate(self, listed: Listed) -> Located:
        """Find a product at the hubs; see `Umbrella.locate`."""
        return await self._do(lambda umbrella: umbrella.locate(listed))

    async def told(self, listed: Listed) -> Located:
        """Find a product at the hubs, or tell what is known where they do not answer."""

        def ask(umbrella: Umbrella) -> Located:
            try:
                return umbrella.locate(listed)
            except GeobservatoryError as error:
                _LOG.info("%s: %s", listed.product.name, error)
                return umbrella.known(listed)

        return await self._do(ask)

    async def members(self, located: Located) -> dict[str, int]:
        """List the files inside a product."""
        return dict(await self._do(lambda umbrella: umbrella.members(located)))

    async def allowed(self, who: Identity) -> None:
        """Let through who has not had too much.

        Raises
        ------
        TooMuchError
            If they have.
        """
        most = self.users.limits.daily_bytes
        if most is None:
            return
        since = datetime.now(UTC) - timedelta(days=1)
        had = await self._shared.ask(lambda catalog: catalog.delivered_bytes(who.name, since))
        if had >= most:
            raise TooMuchError(
                f"{who.name} has had {had / 1e9:.3g} GB in 24 hours, of {most / 1e9:.3g} GB; come"
                " back later"
            )

    def deliver(self, order: Order, refused: Callable[[Exception], Response]) -> Response:
        """Deliver, within what a user may have."""

        async def record(one: Delivered) -> None:
            try:
                await self._shared.ask(lambda catalog: catalog.record_delivery(one))
            except Exception as error:  # noqa: BLE001  (what was sent is worth more than the note)
                _LOG.warning("a delivery was not recorded: %s", type(error).__name__)

        return Delivery(order, self.users, refused, record)

    def umbrella(self) -> Umbrella:
        """Give the one hub over all; of the catalogue that is in use."""
        with self._shared.catalog.use() as catalog, self._lock:
            if self._umbrella is None or self._umbrella[0] is not catalog:
                if self._umbrella is not None:
                    self._umbrella[1].close()
                own = beside(catalog, _CONNECTIONS, _FOR_ONE_S)
                archive = Archive(self.settings, own)

                def bring(hubs: Hubs, name: str, patience_s: float) -> None:
                    fetch_asked(hubs, archive, name, patience_s=patience_s)

                self._umbrella = catalog, Umbrella(self.settings, own, bring)
            return self._umbrella[1]

    async def _do(self, work: Callable[[Umbrella], T]) -> T:
        return await self._finding.do(lambda: work(self.umbrella()))

    async def _ask_hubs(self, query: Query | None) -> tuple[str, ...]:
        """Ask the hubs, if they were not asked this just now; gives those that did not answer."""
        told, now = self.settings.programs, time.monotonic()
        if query is None or not told.live_s or not self.settings.hubs:
            return ()
        with self._lock:
            if now - self._asked.get(query, float("-inf")) < told.fresh_s:
                return ()
            self._asked[query] = now
            self._asked.move_to_end(query)
            if len(self._asked) > _MOST_KEPT:
                self._asked.popitem(last=False)
        try:
            return tuple(await self._live.do(lambda: self.umbrella().refresh(query)))
        except (GeobservatoryError, TimeoutError) as error:
            _LOG.warning("hubs were not asked: %s", error)
            return tuple(hub.name for hub in self.settings.hubs)

    def _keep(self, place: tuple[str, str], results: Results) -> None:
        with self._lock:
            self._kept[place] = _Kept(time.monotonic(), results)
            self._kept.move_to_end(place)
            total = sum(len(one.results.names) for one in self._kept.values())
            while len(self._kept) > 1 and (len(self._kept) > _MOST_KEPT or total > _MOST_NAMES):
                _, gone = self._kept.popitem(last=False)
                total -= len(gone.results.names)


def checked_text(text: str, most: int) -> str:
    """Give a query as it is, if it may be one at all.

    Raises
    ------
    InputError
        If it is too long, or has signs that no query has.
    """
    if len(text) > most:
        raise InputError(f"Request-URI Too Long: a query of {len(text)} signs, {most} at most")
    if any(not sign.isprintable() and sign not in "\t\n\r" for sign in text):
        raise InputError("Invalid query: it has control characters")
    return text


def term_of(read: Callable[[], Term]) -> Term:
    """Read a term; whatever is wrong with it is the client's mistake.

    Raises
    ------
    InputError
        If it is none, or too much of one.
    """
    try:
        term = read()
    except RecursionError as error:
        raise InputError("Invalid query: nested too deeply") from error
    if size_of(term) > _MOST_TERMS:
        raise InputError(f"Invalid query: more than {_MOST_TERMS} terms; ask in parts")
    return term
