"""Products as one catalogue over all hubs lists them: looked for, in order, with who offers them.

What is looked for comes as terms (`hubs.queries.terms`). What of it can be said in SQL is, as
parameters and never as text; the rest is decided by the term itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, cast, exists, func, literal, select
from sqlalchemy.orm import Session

from geobservatory.catalog.narrowing import narrowing
from geobservatory.catalog.scene_tables import OfferRow, SceneRow
from geobservatory.catalog.scenes import to_product
from geobservatory.catalog.session import Sessions
from geobservatory.hubs.model import Product
from geobservatory.hubs.queries.terms import Fields, Term

_CHUNK = 1000
# What has not been found by then is asked too broadly.
_LIMIT_MS = 20_000
_PUBLISHED = (
    select(func.min(func.coalesce(OfferRow.published_at, OfferRow.first_seen_at)))
    .where(OfferRow.scene_name == SceneRow.name)
    .correlate(SceneRow)
    .scalar_subquery()
)
# What the catalogue can be asked for; texts are of one word. ``product`` is as the Data Space has
# it: IW_SLC__1S.
COLUMNS: Mapping[str, ColumnElement[Any]] = {
    "name": SceneRow.name.expression,
    "safe": SceneRow.name + ".SAFE",
    "uuid": cast(SceneRow.uuid, String),
    "platform": literal("SENTINEL-1"),
    "mission": SceneRow.mission.expression,
    "serial": func.substr(SceneRow.mission, 3, 1, type_=String),
    "mode": func.substr(SceneRow.name, 5, 2, type_=String),
    "type": SceneRow.product_type.expression,
    "product": func.substr(SceneRow.name, 5, 10, type_=String),
    "orbit": SceneRow.absolute_orbit.expression,
    "relative": SceneRow.relative_orbit.expression,
    "direction": func.upper(SceneRow.direction, type_=String),
    "start": SceneRow.start_time.expression,
    "stop": SceneRow.stop_time.expression,
    "published": _PUBLISHED,
}


@dataclass(frozen=True)
class Known:
    """An offer as the catalogue knows it; see `geobservatory.hubs.model.Offer`."""

    hub: str
    id: str
    published: datetime | None
    online: bool | None
    size: int | None
    checksums: Mapping[str, str]


@dataclass(frozen=True)
class Listed:
    """A product in the one catalogue.

    Attributes
    ----------
    id
        Made of the name; the same whichever hub holds it.
    published
        First at any hub, by its clock; else when it was first seen.
    offers
        By the hub's name.
    """

    id: UUID
    product: Product
    published: datetime
    offers: tuple[Known, ...]


@dataclass(frozen=True)
class Wanted:
    """What is looked for, and in which order.

    Attributes
    ----------
    term
        Over fields of whatever names.
    meaning
        Which of `COLUMNS` a field is, and ``footprint``; others are decided by the term.
    fields
        Writes the fields of a product, for the term.
    order
        Of `COLUMNS`, and whether downward; the name decides between equals.
    """

    term: Term
    meaning: Mapping[str, str]
    fields: Callable[[Listed], Fields]
    order: tuple[tuple[str, bool], ...]


class ListingQueries(Sessions):
    """The part of the catalogue that is the one over all hubs."""

    def list_names(self, wanted: Wanted) -> list[str]:
        """List the names of all products that are looked for, in order.

        Raises
        ------
        TransientError
            If it takes too long.
        """
        columns = {field: COLUMNS[key] for field, key in wanted.meaning.items() if key in COLUMNS}
        condition, exact = narrowing(wanted.term, columns)
        order = [
            COLUMNS[key].desc().nulls_last() if down else COLUMNS[key].asc().nulls_last()
            for key, down in wanted.order
        ]
        offered = exists().where(OfferRow.scene_name == SceneRow.name)
        query = select(SceneRow.name).where(condition, offered).order_by(*order, SceneRow.name)
        with self._transaction() as session:
            session.execute(select(func.set_config("statement_timeout", str(_LIMIT_MS), True)))
            names = list(session.scalars(query))
            if exact:
                return names
            return [
                one.product.name
                for start in range(0, len(names), _CHUNK)
                for one in _listed(session, names[start : start + _CHUNK])
                if wanted.term(wanted.fields(one))
            ]

    def listed(self, names: Sequence[str]) -> list[Listed]:
        """Give products by their names, in that order; what is not there is left out."""
        with self._transaction() as session:
            return list(_listed(session, names))

    def listed_by_id(self, identifier: UUID) -> Listed | None:
        """Find a product by what client programs call it."""
        with self._transaction() as session:
            name = session.scalar(select(SceneRow.name).where(SceneRow.uuid == identifier))
            return None if name is None else next(_listed(session, [name]), None)


def _listed(session: Session, names: Sequence[str]) -> Iterator[Listed]:
    offers: dict[str, list[Known]] = {}
    seen: dict[str, list[datetime]] = {}
    offered = select(OfferRow).where(OfferRow.scene_name.in_(names)).order_by(OfferRow.hub)
    for row in session.scalars(offered):
        offers.setdefault(row.scene_name, []).append(
            Known(row.hub, row.hub_id, row.published_at, row.online, row.size_bytes, row.checksums)
        )
        seen.setdefault(row.scene_name, []).append(row.published_at or row.first_seen_at)
    scenes = session.scalars(select(SceneRow).where(SceneRow.name.in_(names)))
    by_name = {row.name: row for row in scenes}
    for name in names:
        scene = by_name.get(name)
        if scene is not None and scene.uuid is not None and name in seen:
            product = to_product(scene)
            yield Listed(scene.uuid, product, min(seen[name]), tuple(offers[name]))
