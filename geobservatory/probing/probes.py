"""What can be asked of a hub to learn how it does: one function a question.

Each asks once, and gives what was measured whether it went well or not; what to ask when, and
whether to ask again, is the prober's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from geobservatory.catalog.hubs import Held
from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.hubs.connector import Connector, HasTokenService
from geobservatory.hubs.model import Offer, Query
from geobservatory.probing.clock import Clock
from geobservatory.transfer.attempt import Measurement, Outcome, outcome_of
from geobservatory.transfer.digest import ALGORITHMS, Digest
from geobservatory.transfer.source import HubUnreachableError, ProductGoneError

# Of what is new since the last look.
_MOST_PAGES = 50
# What comes before this part of a sample tells of the line's beginning, not of its speed.
_UNDER_WAY = 0.25
_SAMPLE_S = 20.0
_LONGEST_WINDOW = timedelta(days=4000)
_FINE_ENOUGH = timedelta(days=1)


class HungError(HubUnreachableError):
    """A hub had not answered to the end in time."""


class WrongAnswerError(HubUnreachableError):
    """A hub answers, and not what it is known to have."""


# Gives what a question gives; raises `HungError` where it takes too long.
Guard = Callable[[Callable[[], Any]], Any]


@dataclass
class Asked:
    """A hub, and how it is asked.

    Attributes
    ----------
    clock
        By which all is timed.
    guard
        Bounds each question.
    """

    connector: Connector
    clock: Clock
    guard: Guard
    hub: str = field(init=False)

    def __post_init__(self) -> None:
        self.hub = self.connector.name

    def measured(
        self, kind: Kind, question: Callable[[], tuple[float | None, dict[str, Any]]]
    ) -> Measured:
        """Ask, and measure; the value is the seconds it took where the question gives none."""
        at, began = self.clock.now(), self.clock.elapsed()
        try:
            value, detail = self.guard(question)
        except Exception as error:  # noqa: BLE001  (whatever a hub makes of us is its failure)
            detail = {"failure": str(error)[:500], "seconds": self.clock.elapsed() - began}
            return Measured(self.hub, kind, at, None, False, cause_of(error), detail=detail)
        value = self.clock.elapsed() - began if value is None else value
        return Measured(self.hub, kind, at, value, detail=detail)


def cause_of(error: BaseException) -> str:
    """Say in a word why a question failed."""
    if isinstance(error, HungError):
        return "hung"
    return (Outcome.WRONG if isinstance(error, WrongAnswerError) else outcome_of(error)).value


def search(asked: Asked, query: Query) -> tuple[Measured, list[Offer]]:
    """Search; measures the seconds to the first page."""
    offers: list[Offer] = []
    first: float | None = None

    def question() -> tuple[float | None, dict[str, Any]]:
        nonlocal first
        began = asked.clock.elapsed()
        for number, page in enumerate(asked.connector.search(query)):
            if number == 0:
                first = asked.clock.elapsed() - began
            offers.extend(page)
            if number + 1 >= _MOST_PAGES:
                break
        return first, {"found": len(offers)}

    return asked.measured(Kind.SEARCH, question), offers


def metadata(asked: Asked, held: Held) -> tuple[Measured, Offer | None]:
    """Ask for a product that the hub is known to hold; it must tell the same of it as before."""
    found: Offer | None = None

    def question() -> tuple[float | None, dict[str, Any]]:
        nonlocal found
        began = asked.clock.elapsed()
        found = asked.connector.find(held.name)
        took = asked.clock.elapsed() - began
        if found is None:
            raise ProductGoneError(f"{asked.hub}: it had {held.name}, and says it has it not")
        _same(asked.hub, held, found)
        return took, {"name": held.name}

    return asked.measured(Kind.METADATA, question), found


def _same(hub: str, held: Held, offer: Offer) -> None:
    if held.size and offer.size and held.size != offer.size:
        raise WrongAnswerError(
            f"{hub}: of {held.name} it told {held.size} bytes, and now tells {offer.size}"
        )
    algorithm, _, digits = (held.checksum or "").partition(":")
    now = offer.checksums.get(algorithm)
    if digits and now and now != digits:
        raise WrongAnswerError(f"{hub}: of {held.name} it tells another {algorithm} than before")


def online(offer: Offer, at: datetime) -> Measured | None:
    """Tell whether a product can be had at once; None where the hub does not tell."""
    if offer.online is None:
        return None
    detail = {"name": offer.product.name}
    return Measured(offer.hub, Kind.ONLINE, at, float(offer.online), detail=detail)


def sample(asked: Asked, offer: Offer, first_byte: int, size: int) -> Measurement:
    """Fetch some bytes of a product, and throw them away."""
    at, began = asked.clock.now(), asked.clock.elapsed()
    came, first_s, middle = 0, None, None
    outcome, now = Outcome.DONE, began

    def question() -> None:
        nonlocal came, first_s, middle, now
        reply = asked.connector.source(offer).open(first_byte, first_byte + size)
        try:
            for piece in reply.chunks:
                now = asked.clock.elapsed()
                if first_s is None:
                    first_s = now - began
                came += len(piece)
                if middle is None and came >= _UNDER_WAY * size:
                    middle = now, came
                # A hub that knows no ranges sends all of it.
                if came >= size or now - began >= _SAMPLE_S:
                    return
        finally:
            reply.close()

    try:
        asked.guard(question)
        now = asked.clock.elapsed()
    except Exception as error:  # noqa: BLE001  (whatever a hub makes of us is its failure)
        outcome, now = outcome_of(error), asked.clock.elapsed()
    sustained = None
    if middle is not None and now > middle[0] and came > middle[1]:
        sustained = (came - middle[1]) / (now - middle[0])
    return Measurement(
        asked.hub, offer.product.name, at, came, now - began, first_s, outcome, sustained
    )


def integrity(asked: Asked, offer: Offer) -> Measured:
    """Fetch a small file of a product, and hold it against the checksum that the product tells."""

    def question() -> tuple[float | None, dict[str, Any]]:
        inside = asked.connector.inside(offer)
        members = inside.members()
        small = [one for one in members if one.startswith("annotation/") and one.endswith(".xml")]
        name = min(small or members, key=lambda one: (members[one], one))
        source = inside.source(name)
        algorithm = next((one for one in ALGORITHMS if one in source.checksums), "md5")
        digest, came = Digest(algorithm), 0
        reply = source.open()
        try:
            for piece in reply.chunks:
                digest.update(piece)
                came += len(piece)
        finally:
            reply.close()
            told = digest.hexdigest()
        what = f"{asked.hub}: {name} of {offer.product.name}"
        if came != members[name]:
            raise WrongAnswerError(f"{what} has {came} bytes in place of {members[name]}")
        if source.checksums and told != source.checksums[algorithm]:
            raise WrongAnswerError(f"{what} is not as its {algorithm} says")
        # Members of a zip are told by their CRC, which their source has held them against.
        by = algorithm if source.checksums else "length and CRC"
        return float(came), {"name": offer.product.name, "member": name, "by": by}

    return asked.measured(Kind.INTEGRITY, question)


def token(asked: Asked, service: HasTokenService) -> Measured:
    """Get a new token."""

    def question() -> tuple[float | None, dict[str, Any]]:
        service.renew_token()
        return None, {}

    return asked.measured(Kind.TOKEN, question)


def window(asked: Asked, query: Query, now: datetime) -> Measured:
    """Look for the oldest product that the hub lists, to a day, by halving the time.

    What lies in between is taken to be there: a hub that keeps a rolling window, or all.
    """
    pages = 0

    def listed(start: datetime, stop: datetime) -> Sequence[Offer]:
        nonlocal pages
        pages += 1
        between = _between(query, start, stop)
        return next((page for page in asked.connector.search(between) if page), ())

    def question() -> tuple[float | None, dict[str, Any]]:
        far = now - _LONGEST_WINDOW
        near = now
        oldest: datetime | None = None
        while near - far > _FINE_ENOUGH:
            # Everything before the middle: if there is anything, the end is further back.
            middle = near - (near - far) / 2
            if offers := listed(now - _LONGEST_WINDOW, middle):
                oldest = min(one.product.start for one in offers)
                near = min(middle, oldest)
            else:
                far = middle
        if oldest is None:
            offers = listed(now - _LONGEST_WINDOW, now)
            oldest = min((one.product.start for one in offers), default=now)
        return (now - oldest).total_seconds(), {"questions": pages}

    return asked.measured(Kind.WINDOW, question)


def _between(query: Query, start: datetime, stop: datetime) -> Query:
    return Query(
        product_type=query.product_type,
        mode=query.mode,
        area=query.area,
        start=start,
        stop=stop,
    )
