"""What an agency says of an earthquake, and whose word counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from geobservatory.errors import InputError
from geobservatory.events.model import EventType, GeohazardEvent

# An agency cannot tell of an earthquake before it happened; its clocks may differ by so much.
_CLOCKS_DIFFER = timedelta(minutes=5)
# Longer identifiers are none, and would only fill tables.
_LONGEST_NAME = 100


@dataclass(frozen=True)
class Report:
    """One revision of an agency's solution.

    Attributes
    ----------
    event
        The solution; `source` and `source_id` are the agency and its identifier.
    updated
        When the agency made this revision, by its own clock; None where a person reported.
    magnitude_type
        As the agency has it: ``mww``, ``mb``, ``ml``.
    names
        All identifiers this earthquake has had at that agency, its present one among them.
    """

    event: GeohazardEvent
    updated: datetime | None
    magnitude_type: str = ""
    names: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        """The agency."""
        return self.event.source


@dataclass(frozen=True)
class Retraction:
    """An agency takes back what it said: there was no such earthquake."""

    source: str
    names: tuple[str, ...]
    updated: datetime
    why: str


def make_report(
    source: str,
    name: object,
    *,
    time: datetime,
    updated: datetime,
    longitude: object,
    latitude: object,
    depth_km: object,
    magnitude: object,
    magnitude_type: object,
    place: object,
    names: tuple[str, ...] = (),
) -> Report:
    """Make a report of what an agency sent, or refuse it.

    Raises
    ------
    InputError
        If something is missing or cannot be: no identifier, no place on the globe, a time after the
        time of the report itself.
    """
    own = checked_name(name)
    if time > updated + _CLOCKS_DIFFER:
        raise InputError(f"{own}: reported at {updated:%F %T} of {time:%F %T}, which is later")
    try:
        event = GeohazardEvent.model_validate(
            {
                "event_type": EventType.EARTHQUAKE,
                "time": time,
                "longitude": _number(longitude),
                "latitude": _number(latitude),
                "depth_km": _number(depth_km),
                "magnitude": _number(magnitude),
                "name": "".join(sign for sign in str(place or "") if sign.isprintable())[:200],
                "source": source,
                "source_id": own,
            }
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{own}: {place}: {first['msg']} (got {first['input']!r})") from error
    kind = magnitude_type.lower()[:10] if isinstance(magnitude_type, str) else ""
    return Report(event, updated, kind, tuple(dict.fromkeys((own, *names))))


def checked_name(name: object) -> str:
    """Take an identifier of an agency.

    Raises
    ------
    InputError
        If it is none.
    """
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise InputError(f"no identifier of an earthquake: {str(name)[:_LONGEST_NAME]!r}")
    return name


def utc_time(text: Any) -> datetime:
    """Read a time as agencies write it: ISO 8601, in UTC where it does not say.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError) as error:
        raise InputError(f"not a time: {str(text)[:40]!r}") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def preferred(reports: Iterable[Report]) -> Report | None:
    """Choose the solution that counts among the newest of each agency.

    One with magnitude and depth before one that lacks either; an agency's before a person's; one
    with a moment magnitude before others, because the scaling is of moment; then the newest.
    """
    return max(reports, key=_worth, default=None)


def _worth(report: Report) -> tuple[bool, bool, bool, datetime, str]:
    event = report.event
    return (
        event.magnitude is not None and event.depth_km is not None,
        report.updated is not None,
        report.magnitude_type.startswith("mw"),
        report.updated or datetime.min.replace(tzinfo=UTC),
        report.source,
    )


def _number(value: object) -> object:
    """Refuse what pydantic would take for a number: truth and text."""
    if isinstance(value, bool | str):
        raise InputError(f"not a number: {str(value)[:40]!r}")
    return value
