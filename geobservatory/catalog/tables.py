"""What all tables share; they have the constraints that make nonsense impossible.

Footprints are GeoJSON beside a bounding box of four numbers; a footprint over the antimeridian has
west > east. The embedded server has no PostGIS, so nothing here needs it; where a server has it,
views add geometry (see `geobservatory.catalog.migrate`).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    MetaData,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped


def one_of(column: str, values: Any) -> CheckConstraint:
    """Allow a column these values and no other."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def boxed() -> tuple[CheckConstraint, ...]:
    """Allow a bounding box on the globe and no other."""
    return (
        CheckConstraint("south <= north AND south >= -90 AND north <= 90", name="latitudes"),
        CheckConstraint(
            "west BETWEEN -180 AND 180 AND east BETWEEN -180 AND 180", name="longitudes"
        ),
    )


class Base(DeclarativeBase):
    """What all tables share: names of constraints, and the types of Python's types."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it as a class attribute
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
    }


class Boxed:
    """The bounding box of something, degrees; `boxed` constrains it."""

    west: Mapped[float]
    south: Mapped[float]
    east: Mapped[float]
    north: Mapped[float]
