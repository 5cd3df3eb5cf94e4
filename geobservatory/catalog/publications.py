"""Which hub published what, and when: as hubs date it, compared with each other."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Date, cast, func, select, text

from geobservatory.catalog.scene_tables import OfferRow, SceneRow
from geobservatory.catalog.session import Sessions

_SILENCES = text(
    """
    SELECT began, gap FROM (
        SELECT lag(published_at) OVER (ORDER BY published_at) AS began,
            published_at - lag(published_at) OVER (ORDER BY published_at) AS gap
        FROM offers
        WHERE hub = :hub AND published_at BETWEEN CAST(:since AS timestamptz) AND :until
    ) AS gaps WHERE gap IS NOT NULL ORDER BY gap DESC LIMIT :most
    """
)
# What others published, and how much later than the first of them this hub did.
_LAGS = text(
    """
    WITH first AS (
        SELECT scene_name, min(published_at) AS at FROM offers
        WHERE hub = ANY(CAST(:others AS varchar[]))
            AND published_at BETWEEN CAST(:since AS timestamptz) AND :until
        GROUP BY scene_name ORDER BY 2 DESC LIMIT :most
    )
    SELECT first.at, mine.scene_name IS NOT NULL,
        extract(epoch FROM coalesce(mine.published_at, mine.first_seen_at) - first.at)::float8
    FROM first LEFT JOIN offers AS mine
        ON mine.scene_name = first.scene_name AND mine.hub = :hub
    """
)


class PublicationQueries(Sessions):
    """The part of the catalogue that is about what hubs publish."""

    def first_publishers(
        self, since: datetime, until: datetime, hubs: Sequence[str]
    ) -> dict[date, dict[str, int]]:
        """Count the products that each hub was first to have, of those that others have too.

        Returns
        -------
        dict
            Day of publication (UTC) to hub to how many.
        """
        shared = (
            select(OfferRow.scene_name, OfferRow.hub, OfferRow.published_at)
            .add_columns(
                func.row_number()
                .over(partition_by=OfferRow.scene_name, order_by=OfferRow.published_at)
                .label("place"),
                func.count().over(partition_by=OfferRow.scene_name).label("hubs"),
            )
            .where(OfferRow.published_at >= since, OfferRow.published_at <= until)
            .where(OfferRow.hub.in_(hubs))
            .subquery()
        )
        day = cast(func.timezone("UTC", shared.c.published_at), Date)
        counted = (
            select(day, shared.c.hub, func.count())
            .where(shared.c.place == 1, shared.c.hubs > 1)
            .group_by(day, shared.c.hub)
            .order_by(day)
        )
        found: dict[date, dict[str, int]] = {}
        with self._transaction() as session:
            for when, hub, count in session.execute(counted):
                found.setdefault(when, {})[hub] = count
        return found

    def held_by(
        self, hub: str, others: Sequence[str], since: datetime, until: datetime
    ) -> list[tuple[bool, str, dict[str, Any]]]:
        """List what any of some hubs first published within some time, and whether a hub has it.

        Returns
        -------
        list
            Whether it has it, product type, footprint (GeoJSON).
        """
        first = func.min(OfferRow.published_at)
        union = (
            select(OfferRow.scene_name, func.bool_or(OfferRow.hub == hub).label("held"))
            .where(OfferRow.published_at >= since, OfferRow.hub.in_(others))
            .group_by(OfferRow.scene_name)
            .having(first <= until)
            .subquery()
        )
        wanted = select(union.c.held, SceneRow.product_type, SceneRow.footprint).join(
            SceneRow, SceneRow.name == union.c.scene_name
        )
        with self._transaction() as session:
            return [(held, kind, shape) for held, kind, shape in session.execute(wanted)]

    def offered(self, hub: str, names: Collection[str]) -> set[str]:
        """Tell which of some products a hub is known to have."""
        known = select(OfferRow.scene_name).where(
            OfferRow.hub == hub, OfferRow.scene_name.in_(list(names))
        )
        with self._transaction() as session:
            return set(session.scalars(known))

    def newest_publication(self, hub: str) -> datetime | None:
        """Give the latest date of publication that a hub has told; it may lie in the future."""
        newest = (
            select(OfferRow.published_at)
            .where(OfferRow.hub == hub, OfferRow.published_at.is_not(None))
            .order_by(OfferRow.published_at.desc())
            .limit(1)
        )
        with self._transaction() as session:
            return session.scalars(newest).first()

    def published_since(self, hub: str, since: datetime) -> int:
        """Count what a hub published after a time, as it dates it."""
        count = select(func.count()).where(OfferRow.hub == hub, OfferRow.published_at > since)
        with self._transaction() as session:
            return int(session.execute(count).scalar_one())

    def silences(
        self, hub: str, since: datetime, until: datetime, most: int
    ) -> list[tuple[datetime, timedelta]]:
        """List the longest times between two publications of a hub, the longest first.

        Returns
        -------
        list
            When it began, and how long it was.
        """
        asked = {"hub": hub, "since": since, "until": until, "most": most}
        with self._transaction() as session:
            return [(began, gap) for began, gap in session.execute(_SILENCES, asked)]

    def lags(
        self, hub: str, others: Sequence[str], since: datetime, until: datetime, most: int = 5000
    ) -> list[tuple[datetime, bool, float | None]]:
        """List what others published within some time, the newest of it, and when a hub did.

        Returns
        -------
        list
            When the first of the others published it; whether the hub has it; how many seconds
            after the first of the others it published it (less than zero where before).
        """
        asked = {
            "hub": hub,
            "others": list(others),
            "since": since,
            "until": until,
            "most": most,
        }
        with self._transaction() as session:
            return [(at, held, lag) for at, held, lag in session.execute(_LAGS, asked)]
