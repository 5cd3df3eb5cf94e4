"""What was delivered to whom through the portal."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import func, insert, select, text

from geobservatory.catalog.delivery_tables import DeliveryRow
from geobservatory.catalog.session import Sessions


@dataclass(frozen=True)
class Delivered:
    """What somebody was sent.

    Attributes
    ----------
    part
        The file inside the product; empty where it is the product itself.
    who
        As the portal knows them.
    origin
        ``archive``, or the hubs it came from.
    began_at
        UTC.
    first_byte_s
        From the request to the first byte; None where none was sent.
    outcome
        ``whole`` (the product to its end, from wherever the client went on), ``part`` (a range, or
        a file inside), ``left`` (by the client), ``broken``.
    detail
        Why it broke.
    """

    scene_name: str
    part: str
    who: str
    origin: str
    began_at: datetime
    seconds: float
    first_byte_s: float | None
    sent_bytes: int
    outcome: str
    detail: str = ""


_MOST_ROWS = 10_000
# One statement: whatever ends in the midst of it, nothing is lost or counted twice.
_FORGET = text(
    """
    WITH gone AS (
        DELETE FROM deliveries WHERE id IN (
            SELECT id FROM deliveries WHERE began_at < :before ORDER BY began_at LIMIT :most
        )
        RETURNING (began_at AT TIME ZONE 'UTC')::date AS day, origin, outcome, sent_bytes
    ), summed AS (
        INSERT INTO delivered_days AS known (day, origin, whole, bytes)
        SELECT day, origin, count(*) FILTER (WHERE outcome = 'whole'), sum(sent_bytes)
        FROM gone GROUP BY day, origin ORDER BY day, origin
        ON CONFLICT (day, origin) DO UPDATE SET
            whole = known.whole + excluded.whole, bytes = known.bytes + excluded.bytes
    )
    SELECT count(*) FROM gone
    """
)


class DeliveryQueries(Sessions):
    """The part of the catalogue that is about deliveries."""

    def record_delivery(self, one: Delivered) -> None:
        """Keep what was delivered."""
        with self._transaction() as session:
            session.execute(insert(DeliveryRow).values(asdict(one)))

    def delivered_bytes(self, who: str, since: datetime) -> int:
        """Count what somebody was sent since a time."""
        total = select(func.coalesce(func.sum(DeliveryRow.sent_bytes), 0)).where(
            DeliveryRow.who == who, DeliveryRow.began_at >= since
        )
        with self._transaction() as session:
            return int(session.execute(total).scalar_one())

    def deliveries(self, since: datetime, most: int = 10_000) -> list[Delivered]:
        """List what was delivered since a time, the newest first."""
        columns = [getattr(DeliveryRow, name) for name in Delivered.__dataclass_fields__]
        wanted = (
            select(*columns)
            .where(DeliveryRow.began_at >= since)
            .order_by(DeliveryRow.began_at.desc(), DeliveryRow.id.desc())
            .limit(most)
        )
        with self._transaction() as session:
            return [Delivered(*row) for row in session.execute(wanted)]

    def forget_deliveries(self, before: datetime) -> int:
        """Forget the deliveries of days (UTC) before that of a time; their sums by the day stay.

        Returns
        -------
        int
            How many.
        """
        day = before.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        gone = 0
        while True:
            with self._transaction() as session:
                asked = {"before": day, "most": _MOST_ROWS}
                count = int(session.execute(_FORGET, asked).scalar_one())
            gone += count
            if count < _MOST_ROWS:
                return gone
