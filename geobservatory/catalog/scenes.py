"""Which scenes the catalogue knows over a place and a time, whoever told of them."""

from datetime import datetime
from typing import cast

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import or_, select

from geobservatory.catalog.scene_tables import SceneRow
from geobservatory.catalog.session import Sessions
from geobservatory.globe import bounding_box
from geobservatory.hubs.model import Direction, Product
from geobservatory.sentinel1.names import parse_name


class SceneQueries(Sessions):
    """The part of the catalogue that is about scenes."""

    def products(
        self,
        area: BaseGeometry,
        start: datetime,
        stop: datetime,
        *,
        product_type: str = "SLC",
        mode: str = "IW",
    ) -> list[Product]:
        """List the products that meet an area and were sensed within a time, the oldest first.

        Parameters
        ----------
        area
            EPSG:4326 within ±180 degrees; in two parts over the antimeridian.
        start, stop
            UTC.
        """
        west, south, east, north = bounding_box(area)
        wanted = (
            select(SceneRow)
            .where(SceneRow.product_type == product_type)
            .where(SceneRow.stop_time >= start, SceneRow.start_time <= stop)
            .where(SceneRow.south <= north, SceneRow.north >= south)
            .order_by(SceneRow.start_time, SceneRow.name)
        )
        if west <= east:
            # A box over the antimeridian has west > east and is left to the footprint.
            beside = (SceneRow.west <= east) & (SceneRow.east >= west)
            wanted = wanted.where(or_(beside, SceneRow.west > SceneRow.east))
        with self._transaction() as session:
            found = [to_product(row) for row in session.scalars(wanted)]
        return [one for one in found if one.mode == mode and one.footprint.intersects(area)]

    def knows_scene(self, name: str) -> bool:
        """Tell whether a product is known, by its name."""
        with self._transaction() as session:
            return session.get(SceneRow, name) is not None


def to_product(row: SceneRow) -> Product:
    """Read a product from its row."""
    name = parse_name(row.name)
    return Product(
        name=row.name,
        mission=row.mission,
        mode=name.mode,
        product_type=row.product_type,
        polarisations=name.polarisations,
        start=row.start_time,
        stop=row.stop_time,
        absolute_orbit=name.absolute_orbit,
        relative_orbit=row.relative_orbit,
        direction=cast(Direction | None, row.direction),
        footprint=shape(row.footprint),
        acquisition=name.same_acquisition,
    )
