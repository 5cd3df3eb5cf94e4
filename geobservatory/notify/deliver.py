"""Send what waits, try again what failed, and never twice what arrived."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import SystemRandom
from uuid import UUID, uuid4

from shapely.geometry import shape

from geobservatory.catalog.incidents import Turn
from geobservatory.catalog.notices import PATIENCE, WEBHOOK, Notice, NoticeQueries
from geobservatory.catalog.subscriptions import UNCONFIRMED, Subscription
from geobservatory.errors import (
    ConfigurationError,
    GeobservatoryError,
    NotFoundError,
    TransientError,
)
from geobservatory.events.model import Activation
from geobservatory.notify.email import send_email
from geobservatory.notify.message import Message, of_incident, of_wish
from geobservatory.notify.sending import DownError, UncertainError
from geobservatory.notify.webhook import post
from geobservatory.settings.model import Notification, Settings

_LOG = logging.getLogger(__name__)
_CHANCE = SystemRandom()
CONFIRMATION = "confirm-subscription"
# From half a minute to an hour apart.
_FIRST_S, _LONGEST_S = 30.0, 3600.0


@dataclass(frozen=True)
class Delivered:
    """What a round of delivering did."""

    sent: int = 0
    later: int = 0
    failed: int = 0


def queue(
    settings: Settings,
    catalog: NoticeQueries,
    activation: Activation,
    kind: str,
    key: str,
    message: Message,
    recipients: Sequence[str] | None = None,
) -> int:
    """Queue a message for everybody who is to be told; who was told already is not told again.

    Parameters
    ----------
    recipients
        Who is told; if not given those of the settings, the webhook, and whoever has subscribed to
        a place and magnitude like the activation's.

    Returns
    -------
    int
        For how many it is new.
    """
    now = datetime.now(UTC)
    return catalog.queue_notice(
        activation.id,
        kind,
        key,
        _recipients(settings.notification, catalog, activation)
        if recipients is None
        else recipients,
        replace(message, link=_page_of(settings, activation)).content(),
        now,
        now + PATIENCE if message.until is None else message.until,
    )


def queue_confirmation(
    settings: Settings, catalog: NoticeQueries, wish: Subscription, place: str
) -> int:
    """Queue the question whether an address is to be told; once an hour at most.

    Parameters
    ----------
    place
        What the area is, in words.

    Raises
    ------
    ConfigurationError
        If the settings do not say where people reach the portal.

    Returns
    -------
    int
        For how many it is new.
    """
    now = datetime.now(UTC)
    if settings.portal.public_address is None:
        raise ConfigurationError("portal.public_address is not set: nobody could confirm")
    return catalog.queue_notice(
        None,
        CONFIRMATION,
        f"{wish.id} {now:%Y%m%dT%H}",
        [wish.address],
        of_wish(place, wish.magnitude).content(),
        now,
        wish.created_at + UNCONFIRMED,
    )


def queue_incident(settings: Settings, catalog: NoticeQueries, turn: Turn) -> int:
    """Queue that a hub is in trouble, or is well again, for the addresses of the settings; once.

    Returns
    -------
    int
        For how many it is new.
    """
    now, told = datetime.now(UTC), settings.notification
    what = "began" if turn.began else "ended"
    return catalog.queue_notice(
        None,
        f"hub-trouble-{what}",
        str(turn.incident.id),
        [*told.recipients] if told.webhook is None else [*told.recipients, WEBHOOK],
        of_incident(turn).content(),
        now,
        now + PATIENCE,
    )


def deliver(
    settings: Settings,
    catalog: NoticeQueries,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Delivered:
    """Send every notice that is due; several processes may do so at once.

    A server that is down is asked once a round, not once a notice.

    Raises
    ------
    TransientError
        If the catalogue does not answer; what was under way is taken up again, or is uncertain.
    """
    catalog.give_up_notices(clock())
    done: Counter[str] = Counter()
    for webhook in (False, True):
        is_up = True
        while is_up and (notice := catalog.take_notice(clock(), webhook=webhook)) is not None:
            outcome, is_up = _attempt(settings, catalog, notice, clock)
            done[outcome] += 1
    return Delivered(**done)


def send_test(settings: Settings, recipient: str) -> None:
    """Send a message that says that messages arrive; nothing is recorded.

    Raises
    ------
    GeobservatoryError
        If it could not be sent; the message says why.
    """
    said = Message(
        "Test of geObservatory", ("Whoever reads this is told of activations and maps.",)
    )
    now = datetime.now(UTC)
    notice = Notice(
        id=0, activation_id="", kind="test", key="", recipient=recipient, content=said.content(),
        state="taken", attempts=1, error="", token=uuid4(), created_at=now, due_at=now,
        expires_at=now, sent_at=None,
    )  # fmt: skip
    _send(settings, notice, lambda: None)


def _recipients(told: Notification, catalog: NoticeQueries, activation: Activation) -> list[str]:
    request = activation.request
    found = [*told.recipients]
    found += catalog.subscribers(shape(request.area), request.event.magnitude)
    return found if told.webhook is None else [*found, WEBHOOK]


def _attempt(
    settings: Settings, catalog: NoticeQueries, notice: Notice, clock: Callable[[], datetime]
) -> tuple[str, bool]:
    """Send a notice and record what came of it; whether the way to its receiver is open."""

    def hand_over() -> None:
        if not catalog.hand_over(notice, clock()):
            raise _TakenError(f"notice {notice.id} was taken by somebody else")

    try:
        asked = _with_link(settings, catalog, notice)
        _send(settings, asked, hand_over, _way_out(settings, catalog, notice))
    except _TakenError:
        return "later", True
    except UncertainError as error:
        catalog.notice_uncertain(notice, str(error))
        _LOG.warning("notice %s to %s may have arrived: %s", notice.id, notice.recipient, error)
        return "failed", False
    except (TransientError, ConfigurationError) as error:
        is_up = not isinstance(error, DownError | ConfigurationError)
        pause_s = max(_pause_s(notice.attempts), getattr(error, "after_s", 0.0))
        again = clock() + timedelta(seconds=pause_s)
        if again < notice.expires_at:
            catalog.notice_failed(notice, str(error), again)
            _LOG.warning("notice %s to %s waits: %s", notice.id, notice.recipient, error)
            return "later", is_up
        catalog.notice_failed(notice, f"given up: {error}", None)
        _LOG.warning("notice %s to %s is given up: %s", notice.id, notice.recipient, error)
        return "failed", is_up
    except GeobservatoryError as error:
        catalog.notice_failed(notice, str(error), None)
        _LOG.warning("notice %s to %s failed: %s", notice.id, notice.recipient, error)
        return "failed", True
    catalog.notice_sent(notice, clock())
    return "sent", True


def _page_of(settings: Settings, activation: Activation) -> str | None:
    pages, portal = settings.notification.pages, settings.portal.public_address
    if pages is not None:
        return f"{pages.rstrip('/')}/{activation.id}/index.html"
    return None if portal is None else f"{portal.rstrip('/')}/activations/{activation.id}"


def _way_out(settings: Settings, catalog: NoticeQueries, notice: Notice) -> str | None:
    """Give where the recipient unsubscribes; None for who is told for another reason."""
    portal = settings.portal.public_address
    if portal is None or notice.recipient == WEBHOOK or notice.kind == CONFIRMATION:
        return None
    token = catalog.way_out(notice.recipient)
    return None if token is None else _link(portal, token)


def _with_link(settings: Settings, catalog: NoticeQueries, notice: Notice) -> Notice:
    """Give the question whether an address is to be told its link, which stands nowhere else."""
    portal = settings.portal.public_address
    if notice.kind != CONFIRMATION:
        return notice
    if portal is None:
        raise ConfigurationError("portal.public_address is not set: nobody could confirm")
    number = notice.key.partition(" ")[0]
    if not number.isdecimal():
        raise NotFoundError("the wish was forgotten before it could be confirmed")
    link = _link(portal, catalog.new_link(int(number)))
    return replace(notice, content={**notice.content, "link": link})


def _link(portal: str, token: UUID) -> str:
    return f"{portal.rstrip('/')}/subscriptions/{token}"


def _send(
    settings: Settings, notice: Notice, hand_over: Callable[[], None], leave: str | None = None
) -> None:
    if notice.recipient == WEBHOOK:
        post(settings.notification, notice, hand_over)
    else:
        send_email(settings.notification, notice, settings.data_dir / "products", hand_over, leave)


def _pause_s(attempts: int) -> float:
    doubled = _FIRST_S * 2.0 ** min(attempts - 1, 10)
    return min(_LONGEST_S, doubled) * _CHANCE.uniform(0.7, 1.3)


class _TakenError(GeobservatoryError):
    """The lease ran out, and another process has the notice."""
