"""All there is to say of the hubs over some days, gathered from the catalogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.incidents import Incident
from geobservatory.catalog.measurements import Kind, Rollup
from geobservatory.hubs.outlook import deliveries
from geobservatory.probing.by_type import TypeReport, type_reports
from geobservatory.probing.objectives import Budget, budgets
from geobservatory.probing.score import (
    Purpose,
    Score,
    download_score,
    freshness_score,
    search_score,
    with_points,
)
from geobservatory.probing.statistics import (
    Share,
    Spread,
    answered,
    by_hour,
    online_share,
    spread,
)
from geobservatory.settings.model import Hub, Settings

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_ASKED = (Kind.SEARCH, Kind.METADATA)
# Of this the last hours tell what is so, not the month.
_NOW = timedelta(hours=2)


@dataclass(frozen=True)
class Day:
    """A day of a hub, UTC.

    Attributes
    ----------
    published
        Product type to how many.
    latency, speed, search
        Seconds, bytes a second, seconds.
    first
        Of how many products published on it the hub was the first to have them.
    """

    day: date
    published: Mapping[str, int]
    first: int
    latency: Spread
    speed: Spread
    search: Spread
    answers: Share


@dataclass(frozen=True)
class HubReport:
    """A hub over some days.

    Attributes
    ----------
    state
        ``well``, ``troubled``, ``down``, or ``not probed``.
    why
        Of what it has trouble with; empty where it is well.
    answers
        Searches and questions for products.
    hours
        The same for each hour of the time, hour by hour; None where nothing was asked.
    search, metadata, first_byte, speed, latency
        Seconds, seconds, seconds, bytes a second, seconds.
    search_by_hour, speed_by_hour
        ISO weekday (1 is Monday) and hour (UTC) to what it was then.
    first
        Of how many products it was the first of the hubs to have them.
    completeness
        Share of what all hubs have; None where that is not known.
    window_s
        Age of the oldest product it lists.
    certificate_s
        Until its certificate runs out; None where it has none or was not asked.
    token
        How many tokens it gave of those asked for.
    types
        What is known of each product type, by its name.
    """

    hub: Hub
    state: str
    why: str
    answers: Share
    hours: tuple[Share | None, ...]
    search: Spread
    metadata: Spread
    first_byte: Spread
    speed: Spread
    latency: Spread
    search_by_hour: Mapping[tuple[int, int], Spread]
    speed_by_hour: Mapping[tuple[int, int], Spread]
    downloads: Share
    integrity: Share
    online: Share
    token: Share
    types: Mapping[str, TypeReport]
    days: tuple[Day, ...]
    first: int
    completeness: float | None
    window_s: float | None
    certificate_s: float | None
    scores: Mapping[Purpose, Score]
    budgets: tuple[Budget, ...]
    incidents: tuple[Incident, ...]


@dataclass(frozen=True)
class StatusReport:
    """All hubs over some days.

    Attributes
    ----------
    since, at
        From the beginning of an hour to now, UTC.
    compared
        How many products more than one hub has had in that time.
    area
        Whether only what lies in the area of interest counts.
    """

    since: datetime
    at: datetime
    hubs: tuple[HubReport, ...]
    compared: int
    area: bool

    @property
    def measured(self) -> bool:
        """Whether there is anything to tell of any hub."""
        return any(one.answers.asked or one.types or one.incidents for one in self.hubs)

    @property
    def incidents(self) -> list[Incident]:
        """Incidents of all hubs, the newest first."""
        every = [one for hub in self.hubs for one in hub.incidents]
        return sorted(every, key=lambda one: one.began_at, reverse=True)


def status_report(settings: Settings, catalog: Catalog, at: datetime, days: float) -> StatusReport:
    """Gather what is known of the hubs of the settings.

    Parameters
    ----------
    at
        Now, UTC.
    days
        How far back.
    """
    since = (at - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
    window = timedelta(days=settings.probing.objectives.days)
    rollups: dict[str, list[Rollup]] = {hub.name: [] for hub in settings.hubs}
    for one in catalog.rollups(min(since, at - window)):
        if one.hub in rollups:
            rollups[one.hub].append(one)
    first = catalog.first_publishers(since, at, list(rollups))
    expected = deliveries(settings, catalog, at)
    complete = {
        hub.name: catalog.last_value(hub.name, Kind.COMPLETENESS, at) for hub in settings.hubs
    }
    scores: dict[Purpose, dict[str, Score]] = {purpose: {} for purpose in Purpose}
    for hub, known in rollups.items():
        lately = [one for one in known if since <= one.hour]
        for score in (
            search_score(lately),
            download_score(expected[hub]),
            freshness_score(lately, complete[hub]),
        ):
            if score is not None:
                scores[score.purpose][hub] = score
    compared = {purpose: with_points(ones) for purpose, ones in scores.items()}
    incidents = catalog.incidents(since, list(rollups))
    reports = [
        _hub_report(
            hub,
            [one for one in rollups[hub.name] if one.hour >= since],
            since,
            at,
            scores={
                purpose: ones[hub.name] for purpose, ones in compared.items() if hub.name in ones
            },
            incidents=[one for one in incidents if one.hub == hub.name],
            budgets=budgets(settings.probing.objectives, rollups[hub.name], at),
            first={day: ones.get(hub.name, 0) for day, ones in first.items()},
            completeness=complete[hub.name],
            window_s=catalog.last_value(hub.name, Kind.WINDOW, at),
            certificate_s=catalog.last_value(hub.name, Kind.CERTIFICATE, at),
        )
        for hub in settings.hubs
    ]
    compared_in_all = sum(sum(ones.values()) for ones in first.values())
    return StatusReport(
        since, at, tuple(reports), compared_in_all, settings.mirror.area is not None
    )


def _hub_report(
    hub: Hub,
    rollups: Sequence[Rollup],
    since: datetime,
    at: datetime,
    *,
    scores: Mapping[Purpose, Score],
    incidents: Sequence[Incident],
    budgets: Sequence[Budget],
    first: Mapping[date, int],
    completeness: float | None,
    window_s: float | None,
    certificate_s: float | None,
) -> HubReport:
    of = {kind: [one for one in rollups if one.kind is kind] for kind in Kind}
    asked = [one for kind in _ASKED for one in of[kind]]
    state, why = _state(asked, incidents, at)
    return HubReport(
        hub=hub,
        state=state,
        why=why,
        answers=answered(asked),
        hours=_hours(asked, since, at),
        search=spread(of[Kind.SEARCH]),
        metadata=spread(of[Kind.METADATA]),
        first_byte=spread(of[Kind.FIRST_BYTE]),
        speed=spread(of[Kind.TRANSFER]),
        latency=spread(of[Kind.LATENCY]),
        search_by_hour=by_hour(of[Kind.SEARCH]),
        speed_by_hour=by_hour(of[Kind.TRANSFER]),
        downloads=answered(of[Kind.TRANSFER]),
        integrity=answered(of[Kind.INTEGRITY]),
        online=online_share(of[Kind.ONLINE]),
        token=answered(of[Kind.TOKEN]),
        types=type_reports(rollups),
        days=tuple(_days(of, first, since, at)),
        first=sum(first.values()),
        completeness=completeness,
        window_s=window_s,
        certificate_s=certificate_s,
        scores=scores,
        budgets=tuple(budgets),
        incidents=tuple(incidents),
    )


def _state(asked: Sequence[Rollup], incidents: Sequence[Incident], at: datetime) -> tuple[str, str]:
    lasting = [one for one in incidents if one.ended_at is None]
    if lasting:
        down = any(one.aspect == "reachable" for one in lasting)
        return "down" if down else "troubled", "; ".join(one.cause for one in lasting)
    if not any(one.hour >= at - _NOW for one in asked):
        return "not probed", "nothing was asked of it in the last hours"
    return "well", ""


def _hours(asked: Sequence[Rollup], since: datetime, at: datetime) -> tuple[Share | None, ...]:
    by_time: dict[datetime, list[Rollup]] = {}
    for one in asked:
        by_time.setdefault(one.hour, []).append(one)
    count = int((at - since) / _HOUR) + 1
    hours = (since + number * _HOUR for number in range(count))
    return tuple(answered(by_time[hour]) if hour in by_time else None for hour in hours)


def _days(
    of: Mapping[Kind, Sequence[Rollup]],
    first: Mapping[date, int],
    since: datetime,
    at: datetime,
) -> list[Day]:
    by_day: dict[date, dict[Kind, list[Rollup]]] = {}
    for kind, ones in of.items():
        for one in ones:
            there = by_day.setdefault(one.hour.astimezone(UTC).date(), {})
            there.setdefault(kind, []).append(one)
    made = []
    day = since.astimezone(UTC).date()
    while day <= at.astimezone(UTC).date():
        there = {kind: by_day.get(day, {}).get(kind, []) for kind in Kind}
        published: dict[str, int] = {}
        for one in there[Kind.LATENCY]:
            published[one.product_type] = published.get(one.product_type, 0) + one.good
        made.append(
            Day(
                day,
                published,
                first.get(day, 0),
                spread(there[Kind.LATENCY]),
                spread(there[Kind.TRANSFER]),
                spread(there[Kind.SEARCH]),
                answered([one for kind in _ASKED for one in there[kind]]),
            )
        )
        day += _DAY
    return made
