"""Lists page by page, and what lies in a box.

A page begins after a place, which is a time and an identifier, not a number: what is added in the
meantime moves nothing, and the thousandth page costs what the first does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from shapely import box
from shapely.geometry import shape
from sqlalchemy import ColumnElement, Select, and_, false, func, literal, or_, true, tuple_
from sqlalchemy.orm import Session

from geobservatory.globe import meet

T = TypeVar("T")
Place = tuple[datetime, str]
# West, south, east, north, degrees; over the antimeridian west > east.
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Page(Generic[T]):
    """A page.

    Attributes
    ----------
    matched
        How many there are on all pages; None where that would be to look at each.
    after
        Where the next begins; None on the last.
    """

    items: Sequence[T]
    matched: int | None
    after: Place | None


def _parts(box: Box) -> list[Box]:
    west, south, east, north = box
    if west <= east:
        return [box]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def holds(box: Box, longitude: Any, latitude: Any) -> ColumnElement[bool]:
    """Say that a place lies in a box."""
    return and_(
        latitude.between(box[1], box[3]),
        or_(*(longitude.between(west, east) for west, _, east, _ in _parts(box))),
    )


def meets(box: Box, table: Any) -> ColumnElement[bool]:
    """Say that boxes meet; that of the row may be one over the antimeridian, too."""
    across = table.west > table.east
    beside: list[ColumnElement[bool]] = [
        or_(
            and_(~across, table.west <= east, table.east >= west),
            and_(across, or_(table.west <= east, table.east >= west)),
        )
        for west, _, east, _ in _parts(box)
    ]
    return and_(table.south <= box[3], table.north >= box[1], or_(false(), *beside))


def read_page(
    session: Session,
    query: Select[Any],
    place: tuple[Any, Any],
    limit: int,
    after: Place | None,
    place_of: Callable[[Any], Place],
    made: Callable[[Any], T],
    keep: Callable[[Any], bool] | None = None,
) -> Page[T]:
    """Read a page; where SQL says only of boxes that they meet, `keep` says the rest."""
    counted = query.with_only_columns(func.count(), maintain_column_froms=True)
    matched = None if keep else session.execute(counted).scalar_one()
    query = query.order_by(*(one.desc() for one in place)).limit(limit + 1)
    shown: list[Any] = []
    while True:
        beyond = tuple_(*place) < tuple_(literal(after[0]), literal(after[1])) if after else true()
        # A row of one column is that column.
        rows = [row[0] if len(row) == 1 else row for row in session.execute(query.where(beyond))]
        for row in rows:
            if keep is None or keep(row):
                if len(shown) == limit:
                    return Page([made(one) for one in shown], matched, place_of(shown[-1]))
                shown.append(row)
        if len(rows) <= limit:
            return Page([made(one) for one in shown], matched, None)
        after = place_of(rows[-1])


def meets_shape(sought: Box | None, geometry: Callable[[Any], Any]) -> Callable[[Any], bool] | None:
    """Say whether the very geometry of a row meets a box; None where no box is sought."""
    if sought is None:
        return None
    # Of a box without width or height, the line or the point that it is.
    areas = [box(*one).envelope for one in _parts(sought)]
    return lambda row: any(meet(shape(geometry(row)), area) for area in areas)
