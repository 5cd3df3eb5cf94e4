"""The table of the results that were handed out, counted by the day."""

from datetime import date

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from geobservatory.catalog.tables import Base


class HandedOutRow(Base):
    """Files of an activation's results that were handed out on a day; to whom is not kept."""

    __tablename__ = "handed_out"

    # UTC.
    day: Mapped[date] = mapped_column(primary_key=True)
    activation_id: Mapped[str] = mapped_column(ForeignKey("activations.id"), primary_key=True)
    files: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (CheckConstraint("files >= 0 AND bytes >= 0", name="counts"),)
