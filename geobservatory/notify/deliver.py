"""Send what waits, try again what failed, and never twice what arrived."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import SystemRandom

from shapely.geometry import shape

from geobservatory.catalog.notices import Notice, NoticeQueries
from geobservatory.errors import ConfigurationError, GeobservatoryError, TransientError
from geobservatory.events.model import Activation
from geobservatory.notify.email import send_email
from geobservatory.notify.message import Message
from geobservatory.notify.sending import WEBHOOK, BusyError, UncertainError
from geobservatory.notify.webhook import post
from geobservatory.settings.model import Settings

_LOG = logging.getLogger(__name__)
_CHANCE = SystemRandom()
# From half a minute to an hour apart, for two days.
_FIRST_S, _LONGEST_S, _ATTEMPTS = 30.0, 3600.0, 60


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
) -> int:
    """Queue a message for everybody who is to be told; who was told already is not told again.

    Returns
    -------
    int
        For how many it is new.
    """
    event, told = activation.request.event, settings.notification
    recipients = list(told.recipients)
    recipients += catalog.subscribers(shape(activation.request.area), event.magnitude)
    if told.webhook is not None:
        recipients.append(WEBHOOK)
    now = datetime.now(UTC)
    return catalog.queue_notice(activation.id, kind, key, recipients, message.content(), now)


def deliver(
    settings: Settings,
    catalog: NoticeQueries,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Delivered:
    """Send every notice that is due; several processes may do so at once."""
    sent = later = failed = 0
    while (notice := catalog.take_notice(clock())) is not None:
        outcome = _send(settings, catalog, notice, clock)
        sent += outcome == "sent"
        later += outcome == "later"
        failed += outcome == "failed"
    return Delivered(sent, later, failed)


def _send(
    settings: Settings, catalog: NoticeQueries, notice: Notice, clock: Callable[[], datetime]
) -> str:
    def hand_over() -> None:
        if not catalog.hand_over(notice):
            raise _TakenError(f"notice {notice.id} was taken by somebody else")

    try:
        if notice.recipient == WEBHOOK:
            post(settings.notification, notice, hand_over)
        else:
            pictures = settings.data_dir / "products"
            send_email(settings.notification, notice, pictures, hand_over)
    except _TakenError:
        return "later"
    except UncertainError as error:
        catalog.notice_uncertain(notice, str(error))
    except (TransientError, BusyError, ConfigurationError) as error:
        if notice.attempts < _ATTEMPTS:
            pause = max(_pause_s(notice.attempts), getattr(error, "after_s", 0.0))
            catalog.notice_failed(notice, str(error), clock() + timedelta(seconds=pause))
            return "later"
        catalog.notice_failed(notice, str(error), None)
    except GeobservatoryError as error:
        catalog.notice_failed(notice, str(error), None)
    else:
        catalog.notice_sent(notice, clock())
        return "sent"
    _LOG.warning("notice %s to %s failed", notice.id, notice.recipient)
    return "failed"


def _pause_s(attempts: int) -> float:
    return float(min(_LONGEST_S, _FIRST_S * 2.0 ** (attempts - 1))) * _CHANCE.uniform(0.7, 1.3)


class _TakenError(GeobservatoryError):
    """The lease ran out, and another process has the notice."""
