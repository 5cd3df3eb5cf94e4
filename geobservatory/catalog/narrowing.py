"""Terms as a condition in SQL: of all that is meant, and where SQL cannot say it, of more."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import shapely
from sqlalchemy import ColumnElement, and_, false, func, or_, true

from geobservatory.catalog.scene_tables import SceneRow
from geobservatory.globe import bounding_box
from geobservatory.hubs.queries.terms import (
    COMPARE,
    AllOf,
    Among,
    AnyOf,
    Compare,
    Everything,
    Known,
    Meets,
    Not,
    Term,
    Text,
    Words,
)

Columns = Mapping[str, ColumnElement[Any]]
Narrowed = tuple[ColumnElement[bool], bool]
_WORLD = shapely.box(-180, -90, 180, 90)
_MORE: Narrowed = true(), False


def narrowing(term: Term, columns: Columns) -> Narrowed:
    """Write terms as a condition on scenes.

    Parameters
    ----------
    columns
        What a field is; a field that is not there narrows nothing. Texts are of one word.

    Returns
    -------
    condition, exact
        The condition holds of all that is meant; `exact` where it holds of nothing else.
    """
    match term:
        case Everything():
            return true(), True
        case AllOf(terms):
            made = [narrowing(one, columns) for one in terms]
            return and_(*(one for one, _ in made)), all(exact for _, exact in made)
        case AnyOf(terms):
            made = [narrowing(one, columns) for one in terms]
            return or_(*(one for one, _ in made)), all(exact for _, exact in made)
        case Not(inner):
            condition, exact = narrowing(inner, columns)
            # What SQL does not know of is not so.
            return (~func.coalesce(condition, false()), True) if exact else _MORE
        case Meets():
            return _met(term)
    column = columns.get(getattr(term, "field", ""))
    return _MORE if column is None else _plain(term, column)


def _plain(term: Term, column: ColumnElement[Any]) -> Narrowed:
    kind = column.type.python_type
    match term:
        case Known():
            return column.is_not(None), True
        case Compare(_, how, None):
            if how not in ("eq", "ne"):
                return false(), True
            return (column.is_(None) if how == "eq" else column.is_not(None)), True
        case Compare(_, how, value, fold) if _alike(kind, value):
            left = func.lower(column) if fold and kind is str else column
            # Text is put in order by code points in Python, and by the database's language in SQL.
            if kind is str:
                left = left.collate("C")
            if how == "ne":
                return left.is_distinct_from(value), True
            compared: ColumnElement[bool] = COMPARE[how](left, value)  # type: ignore[assignment]
            return compared, True
        case Among(_, values) if all(_alike(kind, one) for one in values):
            return column.in_(values), True
        case Words(_, pattern) if kind is str:
            return func.lower(column).like(_like(pattern), escape="\\"), True
        case Text(_, how, part) if kind is str:
            return getattr(column, how)(part, autoescape=True), True
    return _MORE


def _alike(kind: type, value: Any) -> bool:
    if kind is int:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, datetime if kind is datetime else kind)


def _like(pattern: str) -> str:
    for sign in "\\%_":
        pattern = pattern.replace(sign, f"\\{sign}")
    return pattern.replace("**", "*").replace("*", "%").replace("?", "_")


def _met(term: Meets) -> Narrowed:
    west, south, east, north = bounding_box(term.area)
    if term.relation == "intersects" and term.area.covers(_WORLD):
        return true(), True
    if west > east:
        return _MORE
    # A box over the antimeridian has west > east and is left to the footprint.
    beside = and_(SceneRow.west <= east, SceneRow.east >= west)
    level = and_(SceneRow.south <= north, SceneRow.north >= south)
    return and_(level, or_(beside, SceneRow.west > SceneRow.east)), False
