"""The service in numbers: what was made and handed out, by the day and by activation."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    cast,
    func,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute

from geobservatory.catalog.account_tables import AccountRow
from geobservatory.catalog.delivery_tables import DeliveredDayRow, DeliveryRow
from geobservatory.catalog.event_tables import ActivationRow
from geobservatory.catalog.handed_tables import HandedOutRow
from geobservatory.catalog.pair_tables import InterferogramRow, PairRow, ProductFileRow
from geobservatory.catalog.scene_tables import OfferRow
from geobservatory.catalog.session import Sessions
from geobservatory.catalog.subscription_tables import SubscriptionRow


@dataclass(frozen=True)
class Count:
    """Things of one day and one activation or hub: how many, and bytes."""

    day: date
    name: str
    count: int
    bytes: int


@dataclass(frozen=True)
class Numbers:
    """What was done in a time.

    Attributes
    ----------
    activations
        By day (UTC) and identifier; of these `count` is 1.
    made
        Interferograms that were finished, by activation.
    results, scenes
        What was handed out: files of results by activation, whole products by where they came
        from; bytes are all that went out.
    published
        Products by the day on which the first hub dates their publication.
    users
        Accounts that fetched products, by day; as long as each delivery is remembered.
    users_by_country
        Of the whole time, by the country that is noted of the account; empty where none is.
    subscribers
        Addresses that are told, now.
    """

    since: date
    until: date
    activations: tuple[Count, ...]
    made: tuple[Count, ...]
    results: tuple[Count, ...]
    scenes: tuple[Count, ...]
    published: tuple[Count, ...]
    users: tuple[Count, ...]
    users_by_country: Mapping[str, int]
    subscribers: int


class NumberQueries(Sessions):
    """The part of the catalogue that is about the service as a whole."""

    def count_handed_out(self, activation_id: str, files: int, size: int, at: datetime) -> None:
        """Count files of an activation's results that were handed out, and the bytes of them."""
        added = insert(HandedOutRow).values(
            day=at.astimezone(UTC).date(), activation_id=activation_id, files=files, bytes=size
        )
        summed = added.on_conflict_do_update(
            index_elements=[HandedOutRow.day, HandedOutRow.activation_id],
            set_={
                "files": HandedOutRow.files + added.excluded.files,
                "bytes": HandedOutRow.bytes + added.excluded.bytes,
            },
        )
        with self._transaction() as session:
            session.execute(summed)

    def numbers(self, since: date, until: date) -> Numbers:
        """Count what was done from one day to another, both included."""
        first, last = _begin(since), _begin(until + timedelta(days=1))
        began = ActivationRow.created_at
        activations = select(_day(began), ActivationRow.id, literal(1), literal(0)).where(
            began.between(first, last)
        )
        made = (
            select(
                _day(InterferogramRow.created_at),
                PairRow.activation_id,
                func.count(InterferogramRow.id.distinct()),
                func.coalesce(func.sum(ProductFileRow.size_bytes), 0),
            )
            .join(PairRow, PairRow.id == InterferogramRow.pair_id)
            .outerjoin(ProductFileRow, ProductFileRow.interferogram_id == InterferogramRow.id)
            # What a better version took the place of was made all the same.
            .where(InterferogramRow.state.in_(("complete", "superseded")))
            .where(InterferogramRow.created_at.between(first, last))
            .group_by(_day(InterferogramRow.created_at), PairRow.activation_id)
        )
        results = select(
            HandedOutRow.day, HandedOutRow.activation_id, HandedOutRow.files, HandedOutRow.bytes
        ).where(HandedOutRow.day.between(since, until))
        people = select(func.count(func.lower(SubscriptionRow.address).distinct()))
        with self._transaction() as session:
            found = [
                tuple(Count(day, name, int(n), int(size)) for day, name, n, size in rows)
                for rows in (
                    session.execute(activations.order_by(began)).all(),
                    session.execute(made).all(),
                    session.execute(results).all(),
                    session.execute(_scenes(since, until)).all(),
                    session.execute(_published(first, last)).all(),
                    session.execute(_users(first, last)).all(),
                )
            ]
            told = people.where(SubscriptionRow.confirmed_at.is_not(None))
            subscribers = session.scalars(told).one()
            countries = session.execute(_users_by_country(first, last)).all()
        begun, finished, files, products, published, users = found
        return Numbers(
            since, until, begun, finished, files, products, published, users,
            {name: int(count) for name, count in countries}, subscribers,
        )  # fmt: skip


def _scenes(since: date, until: date) -> Select[Any]:
    """Count products that went out: those that are known one by one, and those of older days."""
    day = _day(DeliveryRow.began_at).label("day")
    known = (
        select(
            day,
            DeliveryRow.origin,
            func.count().filter(DeliveryRow.outcome == "whole").label("whole"),
            func.sum(DeliveryRow.sent_bytes).label("bytes"),
        )
        .where(DeliveryRow.began_at.between(_begin(since), _begin(until + timedelta(days=1))))
        .group_by(day, DeliveryRow.origin)
    )
    summed = select(
        DeliveredDayRow.day, DeliveredDayRow.origin, DeliveredDayRow.whole, DeliveredDayRow.bytes
    ).where(DeliveredDayRow.day.between(since, until))
    both = union_all(known, summed).subquery()
    return (
        select(both.c.day, both.c.origin, func.sum(both.c.whole), func.sum(both.c.bytes))
        .where(both.c.day <= until)
        .group_by(both.c.day, both.c.origin)
        .order_by(both.c.day, both.c.origin)
    )


def _published(first: datetime, last: datetime) -> Select[Any]:
    """Count products by the day on which the first hub published them."""
    at = func.min(OfferRow.published_at).label("at")
    known = select(at).where(OfferRow.published_at >= first, OfferRow.published_at < last)
    each = known.group_by(OfferRow.scene_name).subquery()
    day = _day(each.c.at)
    return select(day, literal(""), func.count(), literal(0)).group_by(day).order_by(day)


def _users(first: datetime, last: datetime) -> Select[Any]:
    """Count who was sent something, by the day."""
    day = _day(DeliveryRow.began_at)
    began, users = DeliveryRow.began_at, func.count(DeliveryRow.who.distinct())
    counted = select(day, literal(""), users, literal(0)).where(began >= first, began < last)
    return counted.where(DeliveryRow.sent_bytes > 0).group_by(day).order_by(day)


def _users_by_country(first: datetime, last: datetime) -> Select[Any]:
    """Count who was sent something, by the country of the account."""
    country = func.coalesce(AccountRow.country, "").label("country")
    began, users = DeliveryRow.began_at, func.count(DeliveryRow.who.distinct())
    counted = select(country, users).outerjoin(AccountRow, AccountRow.name == DeliveryRow.who)
    counted = counted.where(began >= first, began < last, DeliveryRow.sent_bytes > 0)
    return counted.group_by(country).order_by(country)


def _begin(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _day(column: ColumnElement[datetime] | InstrumentedAttribute[datetime]) -> ColumnElement[date]:
    return cast(func.timezone(text("'UTC'"), column), Date)
