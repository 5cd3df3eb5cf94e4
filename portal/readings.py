"""What a monitor is told of the hubs, read from the catalogue in some tens of milliseconds.

A month of sums takes a second to read, so what is older than a day is read once an hour and kept:
the counts of the error budgets and of the counters, to which each reading adds the last day. Of one
reader they only grow, as counters must.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.incidents import Incident
from geobservatory.catalog.measurements import Kind, Rollup
from geobservatory.catalog.totals import Total
from geobservatory.events.model import ActivationState
from geobservatory.hubs.outlook import deliveries
from geobservatory.probing.objectives import Budget, budgets
from geobservatory.probing.statistics import Share, Spread, online_share, spread
from geobservatory.settings.model import Settings

DAY = timedelta(days=1)
_KEPT = timedelta(hours=1)
_EXPECTED = timedelta(minutes=1)
# Of these there are objectives.
_HELD_TO = (Kind.SEARCH, Kind.METADATA, Kind.LATENCY, Kind.TRANSFER)
# Publications are not asked for: they happen. A first byte comes with a transfer.
ASKED = tuple(kind for kind in Kind if kind not in (Kind.LATENCY, Kind.FIRST_BYTE))
SPREAD = (Kind.SEARCH, Kind.TRANSFER, Kind.FIRST_BYTE, Kind.LATENCY)
LAST = (Kind.COMPLETENESS, Kind.CERTIFICATE, Kind.WINDOW)


@dataclass(frozen=True)
class Readings:
    """What a monitor is told.

    Attributes
    ----------
    at
        When, UTC.
    hubs
        Names, in the order of the settings.
    incidents
        Open, or ended in the last day.
    totals
        Of all time.
    published
        Products of all time, by hub and type.
    spreads, online
        Of the last day.
    last_asked
        When a hub was last asked, with success or not.
    last_values
        The newest that were well, and when they were measured.
    budgets
        By hub.
    expected_s
        Until a product of usual size would be here, by hub.
    """

    at: datetime
    hubs: Sequence[str]
    activations: Mapping[ActivationState, int]
    incidents: Sequence[Incident]
    totals: Mapping[tuple[str, Kind], Total]
    published: Mapping[tuple[str, str], int]
    spreads: Mapping[tuple[str, Kind], Spread]
    online: Mapping[str, Share]
    last_asked: Mapping[tuple[str, Kind], datetime]
    last_values: Mapping[tuple[str, Kind], tuple[datetime, float]]
    budgets: Mapping[str, Sequence[Budget]]
    expected_s: Mapping[str, float]


@dataclass(frozen=True)
class _Settled:
    """What was measured before a time."""

    read_at: datetime
    until: datetime
    totals: Mapping[tuple[str, Kind], Total]
    published: Mapping[tuple[str, str], int]
    budgets: Mapping[str, Sequence[Budget]]


class Reader:
    """Reads for monitors; several threads may use one.

    Parameters
    ----------
    settings
        Hubs and what they are held to.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hubs = [hub.name for hub in settings.hubs]
        self._lock = threading.Lock()
        self._settled: _Settled | None = None
        self._expected: tuple[datetime, dict[str, float]] | None = None

    def read(self, catalog: Catalog, now: datetime) -> Readings:
        """Read all of it.

        Raises
        ------
        TransientError
            If the catalogue does not answer.
        """
        # One at a time: two who come at once do not both read the month.
        with self._lock:
            settled = self._kept(catalog, now)
            expected = self._delivery(catalog, now)
        recent = _by_hub(self._hubs, catalog.rollups(settled.until))
        totals = dict(settled.totals)
        for key, more in catalog.answer_totals(self._hubs, since=settled.until).items():
            totals[key] = totals[key] + more if key in totals else more
        return Readings(
            at=now,
            hubs=self._hubs,
            activations=catalog.activation_counts(),
            incidents=catalog.incidents(now - DAY, self._hubs),
            totals=totals,
            published=_published(settled.published, recent),
            spreads={
                (hub, kind): spread(
                    one for one in ones if one.kind is kind and one.hour >= now - DAY
                )
                for hub, ones in recent.items()
                for kind in SPREAD
            },
            online={
                hub: online_share(
                    one for one in ones if one.kind is Kind.ONLINE and one.hour >= now - DAY
                )
                for hub, ones in recent.items()
            },
            last_asked=catalog.last_asked(self._hubs, ASKED, now),
            last_values=catalog.last_values(self._hubs, LAST, now),
            budgets={
                hub: _together(
                    settled.budgets[hub], budgets(self._settings.probing.objectives, ones, now)
                )
                for hub, ones in recent.items()
            },
            expected_s=expected,
        )

    def _kept(self, catalog: Catalog, now: datetime) -> _Settled:
        known = self._settled
        if known is None or not timedelta() <= now - known.read_at < _KEPT:
            # On the hour, as the sums are; a day back at least, for what is told of the last day.
            until = (now - DAY).replace(minute=0, second=0, microsecond=0)
            objectives = self._settings.probing.objectives
            since = now - timedelta(days=objectives.days)
            known = _Settled(
                now,
                until,
                catalog.answer_totals(self._hubs, until=until),
                catalog.publication_totals(self._hubs, until),
                {
                    hub: budgets(objectives, catalog.rollups(since, _HELD_TO, hub, until), now)
                    for hub in self._hubs
                },
            )
            self._settled = known
        return known

    def _delivery(self, catalog: Catalog, now: datetime) -> dict[str, float]:
        known = self._expected
        if known is None or not timedelta() <= now - known[0] < _EXPECTED:
            found = deliveries(self._settings, catalog, now)
            known = self._expected = now, {hub: one.seconds for hub, one in found.items()}
        return known[1]


def _by_hub(hubs: Sequence[str], rollups: Sequence[Rollup]) -> dict[str, list[Rollup]]:
    parts: dict[str, list[Rollup]] = {hub: [] for hub in hubs}
    for one in rollups:
        if one.hub in parts:
            parts[one.hub].append(one)
    return parts


def _published(
    before: Mapping[tuple[str, str], int], recent: Mapping[str, Sequence[Rollup]]
) -> dict[tuple[str, str], int]:
    counted = dict(before)
    for hub, ones in recent.items():
        for one in ones:
            if one.kind is Kind.LATENCY:
                key = hub, one.product_type
                counted[key] = counted.get(key, 0) + one.good
    return counted


def _together(before: Sequence[Budget], lately: Sequence[Budget]) -> list[Budget]:
    """Add up what was counted in two parts of the window; how fast it goes the later one tells."""
    counted = {one.name: replace(one, burn=0.0) for one in before}
    for one in lately:
        known = counted.get(one.name)
        if known is not None:
            one = replace(one, good=known.good + one.good, asked=known.asked + one.asked)
        counted[one.name] = one
    return list(counted.values())
