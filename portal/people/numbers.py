"""The service in numbers: what was made and handed out, by day and by country, as pictures."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.numbers import Count, Numbers
from geobservatory.errors import InputError
from portal.access.guard import Reader
from portal.people import charts
from portal.people.frame import page, size
from portal.people.search import countries_of
from portal.shared import Shared

_SPANS = {"30": "30 days", "90": "90 days", "365": "a year"}
_MOST_NAMES = 12


def router(shared: Shared) -> APIRouter:
    """Make the addresses of this part."""
    made = APIRouter(include_in_schema=False)

    @made.api_route("/numbers", methods=["GET", "HEAD"])
    async def numbers(request: Request, who: Reader, days: str = "30") -> Response:
        if days not in _SPANS:
            raise InputError(f"days: {days[:20]!r} is none of {', '.join(_SPANS)}")
        until = datetime.now(UTC).date()
        since = until - timedelta(days=int(days) - 1)
        found, places, accounts = await shared.ask(lambda catalog: _read(catalog, since, until))
        return page(
            request, shared, who, "numbers.html",
            spans=_SPANS, days=days, since=since, until=until, accounts=accounts,
            totals=_totals(found), pictures=_pictures(found, places), subscribers=found.subscribers,
        )  # fmt: skip

    return made


def _read(catalog: Catalog, since: date, until: date) -> tuple[Numbers, Mapping[str, str], int]:
    """Read the numbers, the first country of each activation, and how many accounts there are."""
    found = catalog.numbers(since, until)
    places = {
        one.activation.id: (countries_of(one.activation) or ("at sea",))[0]
        for one in catalog.overviews()
    }
    return found, places, sum(one.disabled_at is None for one in catalog.accounts())


def _totals(found: Numbers) -> dict[str, str]:
    def both(counts: Sequence[Count]) -> tuple[int, int]:
        return sum(one.count for one in counts), sum(one.bytes for one in counts)

    made, results, scenes = both(found.made), both(found.results), both(found.scenes)
    return {
        "Activations": str(len(found.activations)),
        "Maps made": str(made[0]),
        "Volume of maps made": size(made[1]),
        "Result files handed out": str(results[0]),
        "Volume of results handed out": size(results[1]),
        "Products handed out": str(scenes[0]),
        "Volume of products handed out": size(scenes[1]),
    }


def _pictures(found: Numbers, places: Mapping[str, str]) -> list[dict[str, Any]]:
    by_country = {name: _by(counts, places) for name, counts in (
        ("activations", found.activations), ("maps", found.made), ("results", found.results),
    )}  # fmt: skip
    whole = _whole
    drawn = [
        _days(found, found.activations, "count", "Activations by day", whole),
        _names(by_country["activations"]["count"], "Activations by country", whole),
        _days(found, found.made, "count", "Maps made by day", whole),
        _names(by_country["maps"]["count"], "Maps made by country", whole),
        _days(found, found.results, "bytes", "Results handed out by day", size),
        _names(by_country["results"]["bytes"], "Results handed out by country", size),
        _days(found, found.published, "count", "Products published by day", whole),
        _days(found, found.scenes, "bytes", "Products handed out by day", size),
        _names(Counter(_sums(found.scenes)), "Products handed out, by where they came from", size),
        _days(
            found, found.users, "count", "Users who fetched products, by day", whole, total=False
        ),
        _names(_countries(found), "Users who fetched products, by country", whole),
    ]
    return [one for one in drawn if one is not None]


def _by(counts: Sequence[Count], places: Mapping[str, str]) -> dict[str, Counter[str]]:
    summed: dict[str, Counter[str]] = {"count": Counter(), "bytes": Counter()}
    for one in counts:
        name = places.get(one.name, "at sea")
        summed["count"][name] += one.count
        summed["bytes"][name] += one.bytes
    return summed


def _sums(counts: Sequence[Count]) -> Counter[str]:
    summed: Counter[str] = Counter()
    for one in counts:
        summed[one.name] += one.bytes
    return summed


def _countries(found: Numbers) -> Counter[str]:
    return Counter({name or "not told": count for name, count in found.users_by_country.items()})


def _days(
    found: Numbers,
    counts: Sequence[Count],
    what: str,
    title: str,
    said: Callable[[float], str],
    *,
    total: bool = True,
) -> dict[str, Any] | None:
    """Draw a bar a day; `total` says their sum, which of users is none."""
    summed: Counter[date] = Counter()
    for one in counts:
        summed[one.day] += getattr(one, what)
    length = (found.until - found.since).days + 1
    days = [found.since + timedelta(days=number) for number in range(length)]
    values = [(day, float(summed[day])) for day in days]
    whole = f": {said(sum(value for _, value in values))} in all" if total else ""
    drawn = charts.bars(values, f"{title}{whole}", said)
    rows = [(f"{day}", said(value)) for day, value in values if value]
    if drawn is None:
        return None
    return {"title": title, "drawn": drawn, "rows": rows, "of": "Day (UTC)"}


def _names(summed: Counter[str], title: str, said: Callable[[float], str]) -> dict[str, Any] | None:
    most = [(name, float(value)) for name, value in summed.most_common(_MOST_NAMES) if value]
    rest = sum(summed.values()) - sum(value for _, value in most)
    if rest > 0:
        most.append(("others", rest))
    words = ", ".join(f"{name} {said(value)}" for name, value in most[:3])
    drawn = charts.ranks(most, f"{title}: {words}", said)
    rows = [(name, said(value)) for name, value in most]
    if drawn is None:
        return None
    return {"title": title, "drawn": drawn, "rows": rows, "of": "Name"}


def _whole(value: float) -> str:
    return f"{value:g}"
