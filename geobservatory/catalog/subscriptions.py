"""Who wants to be told of what happens where; people ask themselves, and confirm by mail.

A wish that came over the web counts once whoever reads the mail of its address has confirmed it.
Who shows the token of a link got our mail: it confirms, changes and ends. Each mail has its own; it
stands in that mail only, and what is kept of it is a digest.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from pydantic import TypeAdapter, ValidationError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from geobservatory.catalog.accounts import digest_of
from geobservatory.catalog.session import Sessions
from geobservatory.catalog.subscription_tables import SubscriptionLinkRow, SubscriptionRow
from geobservatory.errors import InputError, NotFoundError
from geobservatory.events.geojson import to_geojson
from geobservatory.globe import bounding_box, meet
from geobservatory.settings.model import EmailAddress

# So long a wish waits for its confirmation.
UNCONFIRMED = timedelta(days=2)
# So long the links in mails are good, the last button "unsubscribe" among them.
LINKS_LAST = timedelta(days=730)
# More that wait are no wish of whoever has the address, and our mail would be a nuisance.
MOST_UNCONFIRMED, MOST_OF_ONE = 3, 50
# Key of an advisory lock.
_SUBSCRIBING = 0x6E0B_0020


@dataclass(frozen=True)
class Subscription:
    """Somebody who wants to be told of what happens in an area, from a magnitude on.

    Attributes
    ----------
    confirmed_at
        None while the address has not confirmed it.
    """

    id: int
    address: str
    area: BaseGeometry
    magnitude: float | None
    created_at: datetime
    confirmed_at: datetime | None


class SubscriptionQueries(Sessions):
    """The part of the catalogue that is about subscriptions."""

    def subscribe(self, address: str, area: BaseGeometry, magnitude: float | None) -> Subscription:
        """Record that somebody wants to be told; the same wish again is the same subscription.

        Raises
        ------
        InputError
            If that is no e-mail address.
        """
        row = _row(address, area, magnitude)
        with self._transaction() as session:
            _alone(session)
            known = session.scalars(_same(row)).first()
            if known is not None and known.confirmed_at is not None:
                return _subscription(known)
            row = known or _added(session, row)
            row.confirmed_at = row.created_at
            return _subscription(row)

    def wish(
        self, address: str, area: BaseGeometry, magnitude: float | None, now: datetime
    ) -> Subscription | None:
        """Record a wish that its address has to confirm.

        Returns
        -------
        Subscription or None
            None where nobody is to be written to: it is known and confirmed, or too many wishes of
            this address wait.

        Raises
        ------
        InputError
            If that is no e-mail address.
        """
        row = _row(address, area, magnitude)
        of_it = func.lower(SubscriptionRow.address) == row.address.lower()
        waiting = SubscriptionRow.confirmed_at.is_(None)
        old = delete(SubscriptionRow).where(waiting, SubscriptionRow.created_at < now - UNCONFIRMED)
        with self._transaction() as session:
            _alone(session)
            session.execute(old)
            known = session.scalars(_same(row)).first()
            if known is not None:
                return None if known.confirmed_at is not None else _subscription(known)
            counts = [
                session.scalars(select(func.count()).where(of_it, one)).one()
                for one in (waiting, ~waiting)
            ]
            if counts[0] >= MOST_UNCONFIRMED or counts[1] >= MOST_OF_ONE:
                return None
            return _subscription(_added(session, row))

    def confirm_subscription(self, token: UUID, now: datetime) -> Subscription:
        """Let a wish count; again changes nothing.

        Raises
        ------
        NotFoundError
            If there is none, or it has waited for too long.
        """
        with self._transaction() as session:
            row = _by_token(session, token)
            if row.confirmed_at is None:
                if row.created_at < now - UNCONFIRMED:
                    raise NotFoundError("the link is too old; please subscribe again")
                row.confirmed_at = now
            return _subscription(row)

    def subscriptions_of(self, token: UUID) -> list[Subscription]:
        """List what an address is told of, by the token of one of its subscriptions, that first.

        Raises
        ------
        NotFoundError
            If there is no such subscription.
        """
        with self._transaction() as session:
            row = _by_token(session, token)
            others = _of(row.address).where(
                SubscriptionRow.id != row.id, SubscriptionRow.confirmed_at.is_not(None)
            )
            return [_subscription(one) for one in (row, *session.scalars(others))]

    def new_link(self, identifier: int) -> UUID:
        """Make the token of a link to a subscription; it is told this once.

        Raises
        ------
        NotFoundError
            If there is no such subscription.
        """
        with self._transaction() as session:
            if session.get(SubscriptionRow, identifier) is None:
                raise NotFoundError(f"there is no subscription {identifier}")
            return _linked(session, identifier)

    def way_out(self, address: str) -> UUID | None:
        """Make the token of the link in a mail to an address; None where it has not subscribed."""
        confirmed = _of(address).where(SubscriptionRow.confirmed_at.is_not(None)).limit(1)
        with self._transaction() as session:
            row = session.scalars(confirmed).first()
            return None if row is None else _linked(session, row.id)

    def forget_links(self, before: datetime) -> int:
        """Forget links that were made before a time; gives how many."""
        old = delete(SubscriptionLinkRow).where(SubscriptionLinkRow.created_at < before)
        with self._transaction() as session:
            return len(session.execute(old.returning(SubscriptionLinkRow.digest)).all())

    def unsubscribe_all(self, token: UUID) -> int:
        """Forget all that the address of a subscription has subscribed to; how many that were.

        Raises
        ------
        NotFoundError
            If there is no such subscription.
        """
        with self._transaction() as session:
            address = _by_token(session, token).address
            gone = delete(SubscriptionRow).where(
                func.lower(SubscriptionRow.address) == address.lower()
            )
            return len(session.execute(gone.returning(SubscriptionRow.id)).all())

    def unsubscribe(self, identifier: int) -> None:
        """Forget a subscription.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        gone = delete(SubscriptionRow).where(SubscriptionRow.id == identifier)
        with self._transaction() as session:
            if not session.execute(gone.returning(SubscriptionRow.id)).all():
                raise NotFoundError(f"there is no subscription {identifier}")

    def subscriptions(self) -> list[Subscription]:
        """List the subscriptions that were confirmed, by address."""
        wanted = (
            select(SubscriptionRow)
            .where(SubscriptionRow.confirmed_at.is_not(None))
            .order_by(SubscriptionRow.address, SubscriptionRow.id)
        )
        with self._transaction() as session:
            return [_subscription(row) for row in session.scalars(wanted)]

    def subscribers(self, area: BaseGeometry, magnitude: float | None) -> list[str]:
        """List the addresses to be told of something in an area, over the antimeridian too.

        An event whose magnitude is not known is told to all.
        """
        return [
            one.address
            for one in self.subscriptions()
            if meet(one.area, area)
            and (one.magnitude is None or magnitude is None or magnitude >= one.magnitude)
        ]


def email_address(text: str) -> str:
    """Check an e-mail address.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return TypeAdapter(EmailAddress).validate_python(text)
    except ValidationError:
        raise InputError(f"{text!r} is no e-mail address (plain ASCII, as name@host)") from None


def _row(address: str, area: BaseGeometry, magnitude: float | None) -> SubscriptionRow:
    west, south, east, north = bounding_box(area)
    return SubscriptionRow(
        address=email_address(address),
        area=to_geojson(area),
        magnitude=magnitude,
        west=west,
        south=south,
        east=east,
        north=north,
    )


def _of(address: str) -> Select[tuple[SubscriptionRow]]:
    of_it = func.lower(SubscriptionRow.address) == address.lower()
    return select(SubscriptionRow).where(of_it).order_by(SubscriptionRow.id)


def _same(row: SubscriptionRow) -> Select[tuple[SubscriptionRow]]:
    return _of(row.address).where(
        SubscriptionRow.area == row.area,
        SubscriptionRow.magnitude.is_not_distinct_from(row.magnitude),
    )


def _alone(session: Session) -> None:
    """Let two who wish the same at once come one after the other."""
    session.execute(select(func.pg_advisory_xact_lock(_SUBSCRIBING)))


def _added(session: Session, row: SubscriptionRow) -> SubscriptionRow:
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def _by_token(session: Session, token: UUID) -> SubscriptionRow:
    linked = select(SubscriptionRow).join(SubscriptionLinkRow)
    row = session.scalars(linked.where(SubscriptionLinkRow.digest == digest_of(str(token)))).first()
    if row is None:
        raise NotFoundError("there is no such subscription: it has ended, or was never confirmed")
    return row


def _linked(session: Session, identifier: int) -> UUID:
    token = uuid4()
    session.add(SubscriptionLinkRow(digest=digest_of(str(token)), subscription_id=identifier))
    return token


def _subscription(row: SubscriptionRow) -> Subscription:
    return Subscription(
        row.id,
        row.address,
        shape(row.area),
        row.magnitude,
        row.created_at,
        row.confirmed_at,
    )
