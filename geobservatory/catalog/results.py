"""What has come out: the interferograms that count, over all activations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, Select, Text, and_, cast, func, or_, select

from geobservatory.catalog.event_tables import ActivationRow
from geobservatory.catalog.interferograms import File
from geobservatory.catalog.paging import Box, meets
from geobservatory.catalog.pair_tables import InterferogramRow, PairRow, ProductFileRow
from geobservatory.catalog.session import Sessions
from geobservatory.globe import bounding_box, meeting

# Addresses have no colons: clients cut them there.
_NAME = func.replace(InterferogramRow.id, ":", ".")
_ORDERS: Mapping[str, Any] = {
    "name": InterferogramRow.id,
    "start": PairRow.secondary_time,
    "published": InterferogramRow.created_at,
}


@dataclass(frozen=True)
class Made:
    """An interferogram that counts.

    Attributes
    ----------
    name
        What addresses call it.
    since, until
        When its images were taken, UTC; what it shows happened between.
    geometry
        GeoJSON: the footprint of the data, or the area asked for where none is known.
    files
        By role, with their places under the products' folder.
    """

    id: str
    name: str
    activation_id: str
    since: datetime
    until: datetime
    created_at: datetime
    verdict: str | None
    geometry: Mapping[str, Any]
    files: Mapping[str, File]


@dataclass(frozen=True)
class WantedResults:
    """Which results are looked for; None is any.

    Attributes
    ----------
    since, until
        Between these the images were taken, or in part.
    names
        What addresses call them.
    order
        ``name``, ``start`` (of the later image) or ``published``, and whether downward.
    """

    area: BaseGeometry | None = None
    since: datetime | None = None
    until: datetime | None = None
    names: tuple[str, ...] | None = None
    order: tuple[tuple[str, bool], ...] = (("published", True),)


class ResultQueries(Sessions):
    """The part of the catalogue that is about all results."""

    def result_names(self, wanted: WantedResults) -> list[str]:
        """List the names of all results that are looked for, in order; no file is read."""
        order = [_ORDERS[key].desc() if down else _ORDERS[key] for key, down in wanted.order]
        query = _complete(select(_NAME)).where(*_like(wanted)).order_by(*order, InterferogramRow.id)
        if wanted.area is None:
            with self._transaction() as session:
                return list(session.scalars(query))
        # SQL says only of boxes that they meet.
        footprint = func.coalesce(InterferogramRow.footprint, ActivationRow.request["area"])
        with self._transaction() as session:
            rows = session.execute(query.add_columns(cast(footprint, Text))).tuples().all()
        areas = shapely.from_geojson([written for _, written in rows])
        met = meeting(areas, wanted.area)
        return [name for (name, _), meets_it in zip(rows, met, strict=True) if meets_it]

    def results(self, names: Sequence[str]) -> list[Made]:
        """Give results by their names, in that order; what is not there is left out."""
        wanted = _complete(select(InterferogramRow, PairRow, ActivationRow)).where(_NAME.in_(names))
        with self._transaction() as session:
            rows = session.execute(wanted).tuples().all()
            files = select(ProductFileRow).where(
                ProductFileRow.interferogram_id.in_([row.id for row, _, _ in rows])
            )
            found: dict[str, dict[str, File]] = {}
            for file in session.scalars(files.order_by(ProductFileRow.path)):
                one = File(file.path, file.size_bytes, file.sha256)
                found.setdefault(file.interferogram_id, {})[file.role] = one
            made = [
                _made(row, pair, activation, found.get(row.id, {}))
                for row, pair, activation in rows
            ]
        by_name = {one.name: one for one in made}
        return [by_name[name] for name in names if name in by_name]


def _complete(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(InterferogramRow)
        .join(PairRow, PairRow.id == InterferogramRow.pair_id)
        .join(ActivationRow, ActivationRow.id == PairRow.activation_id)
        .where(InterferogramRow.state == "complete")
    )


def _like(wanted: WantedResults) -> list[ColumnElement[bool]]:
    like: list[ColumnElement[bool]] = []
    if wanted.names is not None:
        like.append(_NAME.in_(wanted.names))
    if wanted.since is not None:
        like.append(PairRow.secondary_time >= wanted.since)
    if wanted.until is not None:
        like.append(PairRow.reference_time <= wanted.until)
    if wanted.area is not None:
        box: Box = bounding_box(wanted.area)
        # Where no footprint is known, that of the activation.
        own = and_(InterferogramRow.west.is_not(None), meets(box, InterferogramRow))
        asked = and_(InterferogramRow.west.is_(None), meets(box, ActivationRow))
        like.append(or_(own, asked))
    return like


def _made(
    row: InterferogramRow, pair: PairRow, activation: ActivationRow, files: Mapping[str, File]
) -> Made:
    return Made(
        row.id,
        row.id.replace(":", "."),
        activation.id,
        pair.reference_time,
        pair.secondary_time,
        row.created_at,
        row.verdict,
        row.footprint or activation.request["area"],
        files,
    )
