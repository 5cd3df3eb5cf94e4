"""When a hub is in trouble, since when, and why; and when it is well again.

Judged from the catalogue alone: what has been measured since the last incident is gone through anew
each time, so that whoever judges, however often, comes to the same.
"""

import statistics
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.incidents import Incident, Turn
from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.probing.detect import Evidence, outcome_weight
from geobservatory.probing.round import PART
from geobservatory.probing.shifts import slow
from geobservatory.probing.staleness import stale
from geobservatory.settings.model import Hub, Settings

# What is gone through when nothing has happened for long.
_BACK = timedelta(days=3)
_RARELY_BACK = timedelta(days=30)
# The usual rate of failures is that of the middle day of these.
_USUAL = timedelta(days=28)
_LEAST_USUAL, _MOST_USUAL = 0.02, 0.3
# Days as good as can be, beside those known: trouble on the first days is not taken for usual.
_EXPECTED = (_LEAST_USUAL,) * 3
_EVIDENCE = 6
# Two rounds of values are among these, however many product types there are.
_LAST_VALUES = 40


@dataclass(frozen=True)
class Aspect:
    """One way in which a hub may be in trouble, told by outcomes.

    Attributes
    ----------
    kinds
        Whose outcomes tell.
    what
        The trouble, in words.
    passed_over
        Causes that do not count: of what is our doing.
    usual
        Rate of failures; learned where None.
    in_trouble
        The same while there is trouble.
    """

    name: str
    kinds: tuple[Kind, ...]
    what: str
    passed_over: tuple[str, ...] = ()
    usual: float | None = None
    in_trouble: float = 0.9
    back: timedelta = _BACK


_OURS = ("stopped", "offline", "gone")
ASPECTS = (
    Aspect("reachable", (Kind.SEARCH, Kind.METADATA), "it does not answer, or not rightly"),
    # Busy is a hub at whose limit we are ourselves.
    Aspect("download", (Kind.TRANSFER,), "downloads fail", (*_OURS, "busy")),
    Aspect("token", (Kind.TOKEN,), "its token service does not answer", back=_RARELY_BACK),
    # Files that are not as their checksum says are none of the usual failures.
    Aspect(
        "integrity",
        (Kind.INTEGRITY,),
        "files are not as their checksums say",
        ("broken", "busy", "hung", "refused", *_OURS),
        usual=0.001,
        back=_RARELY_BACK,
    ),
    # So are dates that cannot be: twice in a row is enough.
    Aspect(
        "clock",
        (Kind.CLOCK,),
        "its dates of publication cannot be right",
        usual=0.001,
        back=_RARELY_BACK,
    ),
)


def judge(
    settings: Settings,
    catalog: Catalog,
    hub: Hub,
    now: datetime,
    kinds: Collection[Kind] = tuple(Kind),
) -> list[Turn]:
    """Open and end the incidents of a hub by what has been measured up to now.

    Parameters
    ----------
    kinds
        What has been measured since it was last judged.

    Returns
    -------
    list
        What has changed, by this call and not by another.

    Raises
    ------
    TransientError
        If the catalogue does not answer.
    """
    lasting = {one.aspect: one for one in catalog.open_incidents(hub.name)}
    found: list[Turn] = []
    for aspect in ASPECTS:
        if set(aspect.kinds).isdisjoint(kinds):
            continue
        found += _by_outcomes(catalog, hub.name, aspect, lasting.get(aspect.name), now)
    for limits in (_certificate(), _completeness(settings), _window(hub)):
        if limits.kind in kinds:
            found += _by_values(catalog, hub, limits, lasting, now)
    if Kind.SEARCH in kinds:
        seen = catalog.last_by(hub.name, Kind.SEARCH, now - _BACK, now, PART, well=True)
        names = [one.name for one in settings.hubs]
        found += stale(catalog, hub.name, names, lasting, seen, now)
    # Once an hour is enough for what is judged by hours.
    if not {Kind.TRANSFER, Kind.COMPLETENESS}.isdisjoint(kinds):
        found += slow(catalog, hub.name, lasting, now)
    return found


def _by_outcomes(
    catalog: Catalog, hub: str, aspect: Aspect, lasting: Incident | None, now: datetime
) -> list[Turn]:
    if lasting is None:
        if not catalog.has_failed(hub, aspect.kinds, now - aspect.back):
            return []
        ended = catalog.last_incident_end(hub, aspect.name)
        since = max(now - aspect.back, ended or now - aspect.back)
    else:
        since = lasting.noticed_at
    outcomes = [
        one
        for one in catalog.measurements(hub, aspect.kinds, since)
        if one.cause not in aspect.passed_over and one.at <= now
    ]
    if lasting is not None:
        outcomes = [one for one in outcomes if one.at > lasting.noticed_at]
    usual = aspect.usual if aspect.usual is not None else _usual(catalog, hub, aspect, now)
    evidence = Evidence(in_trouble=lasting is not None)
    found: list[Turn] = []
    for number, one in enumerate(outcomes):
        weight = outcome_weight(one.ok, usual, aspect.in_trouble)
        change = evidence.take(one.at, weight)
        if change is None:
            continue
        if change.began:
            bad = [other for other in outcomes[: number + 1] if not other.ok]
            made = catalog.open_incident(
                hub, aspect.name, change.at, change.sure_at, _cause(aspect, bad), _evidence(bad)
            )
            if made is None:
                return found
            lasting = made
            found.append(Turn(made, began=True))
        elif lasting is not None:
            ended_now = catalog.end_incident(lasting.id, change.at)
            if ended_now is None:
                return found
            lasting = None
            found.append(Turn(ended_now, began=False))
    return found


def _usual(catalog: Catalog, hub: str, aspect: Aspect, now: datetime) -> float:
    rates = catalog.failure_rates(hub, aspect.kinds, now - _USUAL, now)
    middle = statistics.median([*rates, *_EXPECTED])
    return min(_MOST_USUAL, max(_LEAST_USUAL, middle))


def _cause(aspect: Aspect, bad: Sequence[Measured]) -> str:
    causes = [one.cause for one in bad]
    most = max(dict.fromkeys(causes), key=causes.count)
    said = next(
        (str(one.detail["failure"]) for one in reversed(bad) if one.detail.get("failure")), ""
    )
    return f"{aspect.what}: {most}" + (f" ({said[:300]})" if said else "")


def _evidence(bad: Sequence[Measured]) -> dict[str, Any]:
    return {
        "measurements": [
            {"at": one.at.isoformat(), "kind": one.kind.value, "cause": one.cause}
            for one in bad[-_EVIDENCE:]
        ]
    }


@dataclass(frozen=True)
class _Limits:
    """A value that is to stay on one side of a limit; twice in a row beyond is trouble."""

    aspect: str
    kind: Kind
    bad: Callable[[float], bool]
    well: Callable[[float], bool]
    what: Callable[[float], str]


def _certificate() -> _Limits:
    day = 86_400.0
    return _Limits(
        "certificate",
        Kind.CERTIFICATE,
        lambda left: left < 14 * day,
        lambda left: left > 15 * day,
        lambda left: f"its certificate runs out in {left / day:.0f} days",
    )


def _completeness(settings: Settings) -> _Limits:
    target = settings.probing.objectives.completeness
    return _Limits(
        "completeness",
        Kind.COMPLETENESS,
        lambda held: held < target - 0.05,
        lambda held: held >= target,
        lambda held: f"it has {held:.0%} of what all hubs have after a day",
    )


def _window(hub: Hub) -> _Limits:
    days = hub.rolling_days or 0
    return _Limits(
        "window",
        Kind.WINDOW,
        lambda age: age < 0.8 * 86_400 * days,
        lambda age: age >= 0.9 * 86_400 * days,
        lambda age: f"it lists {age / 86_400:.0f} days in place of {days}",
    )


def _by_values(
    catalog: Catalog, hub: Hub, limits: _Limits, lasting: dict[str, Incident], now: datetime
) -> list[Turn]:
    """Judge by the last two values; one that could not be measured is as good as one beyond."""
    last = [
        one
        for one in catalog.measurements(hub.name, (limits.kind,), now - _RARELY_BACK, _LAST_VALUES)
        if one.product_type is None and one.at <= now
    ][-2:]
    if len(last) < 2:
        return []
    known = lasting.get(limits.aspect)
    values = [one.value if one.ok else None for one in last]
    if known is None and all(value is None or limits.bad(value) for value in values):
        value, said = values[-1], str(last[-1].detail.get("failure", "it cannot be told"))
        cause = said if value is None else limits.what(value)
        evidence = {"values": values, "at": [one.at.isoformat() for one in last]}
        made = catalog.open_incident(
            hub.name, limits.aspect, last[0].at, last[1].at, cause, evidence
        )
        return [] if made is None else [Turn(made, began=True)]
    if known is not None and all(value is not None and limits.well(value) for value in values):
        ended = catalog.end_incident(known.id, max(last[0].at, known.began_at))
        return [] if ended is None else [Turn(ended, began=False)]
    return []
