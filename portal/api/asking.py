"""What can be asked of lists, read with care: boxes, times, pages."""

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from geobservatory.catalog.paging import Box, Place
from geobservatory.events.model import EventType

MOST = 1000
_NUMBER = r"[+-]?(?:\d{1,20}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?"
_BOX = rf"^{_NUMBER}(?:,{_NUMBER}){{3}}(?:(?:,{_NUMBER}){{2}})?$"
_TIME = r"\d{4}-\d{2}-\d{2}(?:[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2}))?"
_TIMES = rf"^(?:{_TIME}|(?:{_TIME}|(?:\.\.)?)/(?:{_TIME}|(?:\.\.)?))$"
_CURSOR = r"^[A-Za-z0-9_-]{1,400}$"


def read_box(text: str) -> Box:
    """Read a bounding box: west, south, east, north; of six numbers heights are passed over.

    West may be greater than east: over the antimeridian (RFC 7946, 5.2).

    Raises
    ------
    ValueError
        If it is none.
    """
    numbers = [float(one) for one in text.split(",")]
    if len(numbers) == 6:
        numbers = [numbers[0], numbers[1], numbers[3], numbers[4]]
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise ValueError("a box is four numbers: west, south, east, north")
    west, south, east, north = numbers
    if not (-180 <= west <= 180 and -180 <= east <= 180):
        raise ValueError("longitudes of a box lie within ±180")
    if not -90 <= south <= north <= 90:
        raise ValueError("latitudes of a box lie within ±90, the southern first")
    return west, south, east, north


def read_times(text: str) -> tuple[datetime | None, datetime | None]:
    """Read a time or an interval (OGC API Features, 7.15.4); open ends are ``..`` or nothing.

    Raises
    ------
    ValueError
        If it is none, or ends before it begins.
    """
    first, slash, last = text.partition("/")
    if not slash:
        return _time(first, last=False), _time(first, last=True)
    since = None if first in ("", "..") else _time(first, last=False)
    until = None if last in ("", "..") else _time(last, last=True)
    if since is not None and until is not None and since > until:
        raise ValueError("the interval ends before it begins")
    return since, until


def write_place(place: Place) -> str:
    """Write where a page begins, for the address of the next."""
    return (
        base64.urlsafe_b64encode(f"{place[0].isoformat()} {place[1]}".encode()).decode().rstrip("=")
    )


def read_place(text: str) -> Place:
    """Read where a page begins.

    Raises
    ------
    ValueError
        If it is none that `write_place` wrote.
    """
    try:
        told = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        time, space, identifier = told.partition(" ")
        at = datetime.fromisoformat(time)
        if not space or not identifier.isprintable() or at.tzinfo is None:
            raise ValueError
        return at.astimezone(UTC), identifier
    except (ValueError, OverflowError, binascii.Error):
        raise ValueError("is no cursor; take it from a link `next`") from None


def _checked(read: Callable[[str], object]) -> AfterValidator:
    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


def _time(text: str, *, last: bool) -> datetime:
    try:
        if len(text) == 10:
            # A day, wholly.
            at = datetime.fromisoformat(text).replace(tzinfo=UTC)
            return at.replace(hour=23, minute=59, second=59, microsecond=999_999) if last else at
        # More digits than microseconds have are cut.
        short = re.sub(r"(\.\d{6})\d+", r"\1", text.upper())
        return datetime.fromisoformat(short).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text} is no time, as 2023-09-08T22:11:01Z") from None


BoxText = Annotated[
    str,
    Field(
        pattern=_BOX,
        max_length=300,
        description="West, south, east, north in degrees; over the antimeridian west > east",
        examples=["-9,30,-7,32"],
    ),
    _checked(read_box),
]
TimesText = Annotated[
    str,
    Field(
        pattern=_TIMES,
        max_length=100,
        description="A time, a day, or an interval with open ends as `..`",
        examples=["2023-09-01/2023-09-30", "2023-09-08T22:11:01Z/.."],
    ),
    _checked(read_times),
]
Cursor = Annotated[
    str,
    Field(pattern=_CURSOR, description="Where the page begins, from the link `next` of another"),
    _checked(read_place),
]
Limit = Annotated[int, Field(ge=1, le=MOST, description="How many on a page")]
Magnitude = Annotated[float, Field(ge=-2, le=10, allow_inf_nan=False)]


class Asked(BaseModel):
    """What can be asked of every list; what is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    limit: Limit = 100
    cursor: Cursor | None = None

    @property
    def after(self) -> Place | None:
        """Where the page begins."""
        return None if self.cursor is None else read_place(self.cursor)


class AskedPlace(Asked):
    """What can be asked of what has a place and a time."""

    bbox: BoxText | None = None
    datetime: TimesText | None = None

    def about(self) -> dict[str, Any]:
        """Give it as `Sought` has it."""
        since, until = (None, None) if self.datetime is None else read_times(self.datetime)
        box = None if self.bbox is None else read_box(self.bbox)
        return {"box": box, "since": since, "until": until}


class AskedEvents(AskedPlace):
    """What can be asked of events."""

    event_type: EventType | None = None
    min_magnitude: Magnitude | None = None
    max_magnitude: Magnitude | None = None

    def about(self) -> dict[str, Any]:
        """Give it as `Sought` has it."""
        return {
            **super().about(),
            "least": self.min_magnitude,
            "most": self.max_magnitude,
            "kinds": () if self.event_type is None else (self.event_type,),
        }


def address(request: Request, path: str, **query: Any) -> str:
    """Write the whole address of something of ours, where people reach the portal.

    Parameters
    ----------
    path
        From the portal's own root.
    """
    public: str | None = request.app.state.shared.settings.portal.public_address
    base = public or str(request.base_url)
    given = urlencode({name: one for name, one in query.items() if one is not None}, doseq=True)
    return f"{base.rstrip('/')}{path}" + (f"?{given}" if given else "")


def next_page(request: Request, path: str, asked: BaseModel, after: Place | None) -> str | None:
    """Write the address of the next page; None on the last."""
    if after is None:
        return None
    query = asked.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    return address(request, path, **{**query, "cursor": write_place(after)})
