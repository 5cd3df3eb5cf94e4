"""What the archive has to give: whole products, found by what they are."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Select, or_, select

from geobservatory.catalog.mirror import Held, to_held
from geobservatory.catalog.mirror_tables import MirrorRow
from geobservatory.catalog.scene_tables import SceneRow
from geobservatory.catalog.scenes import to_product
from geobservatory.catalog.session import Sessions
from geobservatory.globe import bounding_box
from geobservatory.hubs.model import Product, Query

_PAGE = 500


@dataclass(frozen=True)
class Shelved:
    """A product, and what lies there of it."""

    product: Product
    held: Held


class ShelfQueries(Sessions):
    """The part of the catalogue that answers for the archive."""

    def shelved(self, query: Query) -> Iterator[list[Shelved]]:
        """Find whole products, page by page, in the order in which they came."""
        wanted = _asked(query).order_by(MirrorRow.stored_at, MirrorRow.scene_name).limit(_PAGE)
        after = None
        while True:
            page = wanted
            if after is not None:
                beyond = MirrorRow.scene_name > after.scene_name
                same = (MirrorRow.stored_at == after.stored_at) & beyond
                page = wanted.where(or_(MirrorRow.stored_at > after.stored_at, same))
            with self._transaction() as session:
                rows = session.execute(page).all()
            found = [Shelved(to_product(scene), to_held(row)) for row, scene in rows]
            yield [one for one in found if query.matches(one.product)]
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]


def _asked(query: Query) -> Select[tuple[MirrorRow, SceneRow]]:
    """Ask by what has an index; what comes is held against the query again."""
    wanted = (
        select(MirrorRow, SceneRow)
        .join(SceneRow, SceneRow.name == MirrorRow.scene_name)
        .where(MirrorRow.state == "held")
    )
    if query.name is not None:
        if "*" in query.name or "?" in query.name:
            pattern = query.name.replace("_", r"\_").replace("*", "%").replace("?", "_")
            wanted = wanted.where(SceneRow.name.like(pattern, escape="\\"))
        else:
            wanted = wanted.where(SceneRow.name == query.name)
    if query.start is not None:
        wanted = wanted.where(SceneRow.stop_time >= query.start)
    if query.stop is not None:
        wanted = wanted.where(SceneRow.start_time <= query.stop)
    if query.product_type is not None:
        wanted = wanted.where(SceneRow.product_type == query.product_type)
    if query.missions:
        wanted = wanted.where(SceneRow.mission.in_(query.missions))
    if query.relative_orbit is not None:
        wanted = wanted.where(SceneRow.relative_orbit == query.relative_orbit)
    if query.published_since is not None:
        wanted = wanted.where(MirrorRow.stored_at >= query.published_since)
    if query.area is not None:
        west, south, east, north = bounding_box(query.area)
        wanted = wanted.where(SceneRow.south <= north, SceneRow.north >= south)
        if west <= east:
            # A box over the antimeridian has west > east and is left to the footprint.
            beside = (SceneRow.west <= east) & (SceneRow.east >= west)
            wanted = wanted.where(or_(beside, SceneRow.west > SceneRow.east))
    return wanted
