"""What people look for among the activations, as an address has it, and what is found."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import isfinite
from typing import TypeVar

from starlette.datastructures import QueryParams

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.overview import Overview
from geobservatory.errors import InputError
from geobservatory.events.model import Activation, ActivationState, EventType
from portal.people.countries import countries

PAGE = 40

T = TypeVar("T", EventType, ActivationState)


@dataclass(frozen=True)
class Wanted:
    """What is looked for; what is empty is not asked about.

    Attributes
    ----------
    since, until
        Days (UTC) of the event, both included.
    magnitude
        The least.
    """

    since: date | None = None
    until: date | None = None
    kinds: tuple[EventType, ...] = ()
    states: tuple[ActivationState, ...] = ()
    magnitude: float | None = None
    country: str = ""
    page: int = 1

    @classmethod
    def read(cls, given: QueryParams) -> "Wanted":
        """Read the query of an address.

        Raises
        ------
        InputError
            If something in it cannot be.
        """
        magnitude = _number(given.get("magnitude", ""), "magnitude")
        number = _number(given.get("page", ""), "page")
        wanted = cls(
            since=_day(given.get("since", ""), "since"),
            until=_day(given.get("until", ""), "until"),
            kinds=tuple(_known(EventType, one, "kind") for one in given.getlist("kind") if one),
            states=tuple(
                _known(ActivationState, one, "state") for one in given.getlist("state") if one
            ),
            magnitude=magnitude,
            country=given.get("country", "")[:80],
            page=1 if number is None else int(number),
        )
        if wanted.page < 1 or wanted.page > 10_000:
            raise InputError("page: counted from 1")
        return wanted

    def query(self, **changed: object) -> dict[str, object]:
        """Write it as the query of an address."""
        one = replace(self, **changed)  # type: ignore[arg-type]
        return {
            "since": one.since and one.since.isoformat(),
            "until": one.until and one.until.isoformat(),
            "kind": list(one.kinds),
            "state": list(one.states),
            "magnitude": "" if one.magnitude is None else f"{one.magnitude:g}",
            "country": one.country,
            "page": one.page if one.page > 1 else "",
        }

    @property
    def any(self) -> bool:
        """Whether anything is asked about."""
        return replace(self, page=1) != Wanted()


@dataclass(frozen=True)
class Found:
    """What was found: a page of it, how many there are, and the countries of all activations."""

    shown: Sequence[Overview]
    count: int
    countries: Mapping[str, tuple[str, ...]]
    all_countries: Sequence[str]

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.count // PAGE))


def find(catalog: Catalog, wanted: Wanted) -> Found:
    """Look for activations."""
    first, last = _times(wanted)
    found = catalog.overviews(
        kinds=wanted.kinds, states=wanted.states, since=first, until=last,
        magnitude=wanted.magnitude,
    )  # fmt: skip
    everything = found if not wanted.any else catalog.overviews()
    places = {one.activation.id: countries_of(one.activation) for one in everything}
    if wanted.country:
        found = [one for one in found if wanted.country in places.get(one.activation.id, ())]
    start = (wanted.page - 1) * PAGE
    named = sorted({name for names in places.values() for name in names})
    return Found(found[start : start + PAGE], len(found), places, named)


def countries_of(activation: Activation) -> tuple[str, ...]:
    """Name the countries that the area of an activation lies in, first that of its event."""
    request = activation.request
    return _countries(json.dumps(request.area), request.event.longitude, request.event.latitude)


@lru_cache(maxsize=20_000)
def _countries(area: str, longitude: float, latitude: float) -> tuple[str, ...]:
    return countries(json.loads(area), longitude, latitude)


def _times(wanted: Wanted) -> tuple[datetime | None, datetime | None]:
    def midnight(day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=UTC)

    return (
        None if wanted.since is None else midnight(wanted.since),
        None if wanted.until is None else midnight(wanted.until) + timedelta(days=1),
    )


def _day(text: str, name: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{name}: {text[:40]!r} is no day, as 2023-09-08") from None
    if not 1900 <= day.year <= 2200:
        raise InputError(f"{name}: {text[:40]!r} is not between the years 1900 and 2200")
    return day


def _number(text: str, name: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise InputError(f"{name}: {text[:40]!r} is no number")
    return value


def _known(kind: type[T], text: str, name: str) -> T:
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{name}: {text[:40]!r} is none of {', '.join(kind)}") from None
