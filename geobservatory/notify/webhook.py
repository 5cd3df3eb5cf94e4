"""Notices as JSON, posted to an address."""

from collections.abc import Callable

import requests

from geobservatory.catalog.notices import Notice
from geobservatory.errors import ConfigurationError, GeobservatoryError, TransientError
from geobservatory.notify.sending import BusyError, UncertainError
from geobservatory.settings.model import Notification

_CONNECT_S, _ANSWER_S = 10, 60
_LONGEST_S = 3600.0


def post(settings: Notification, notice: Notice, hand_over: Callable[[], None]) -> None:
    """Post a notice to the configured address, which stands in no message and no table.

    `Idempotency-Key` is the same however often the notice is posted.

    Raises
    ------
    TransientError, BusyError
        If the receiver cannot be reached, or asks to be asked later.
    UncertainError
        If it fell silent with the message in its hands.
    GeobservatoryError
        If it refuses for good.
    ConfigurationError
        If there is no address.
    """
    if settings.webhook is None:
        raise ConfigurationError("notification.webhook is not set")
    body = {
        "activation": notice.activation_id,
        "kind": notice.kind,
        "key": notice.key,
        # What Slack, Mattermost and the like show.
        "text": f"{notice.content['subject']}\n\n{notice.content['text']}",
        **{name: notice.content.get(name) for name in ("subject", "picture")},
    }
    headers = {"Idempotency-Key": f"{notice.activation_id}.{notice.id}"}
    hand_over()
    try:
        answer = requests.post(
            settings.webhook.get_secret_value(),
            json=body,
            headers=headers,
            timeout=(_CONNECT_S, _ANSWER_S),
            allow_redirects=False,
        )
    except (requests.ConnectTimeout, requests.exceptions.SSLError) as error:
        raise TransientError(f"the webhook: {type(error).__name__}") from None
    except requests.ConnectionError as error:
        # Refused or unknown: nothing was handed over. Broken off later: nobody knows.
        if "Failed to establish" in str(error) or "Failed to resolve" in str(error):
            raise TransientError("the webhook cannot be reached") from None
        raise UncertainError("the webhook broke off") from None
    except requests.RequestException as error:
        raise UncertainError(f"the webhook: {type(error).__name__}") from None
    if answer.ok and answer.status_code < 300:
        return
    said = f"the webhook answers {answer.status_code}"
    if answer.status_code == 429 or answer.status_code >= 500:
        raise BusyError(said, _after(answer.headers.get("Retry-After")))
    raise GeobservatoryError(said)


def _after(told: str | None) -> float:
    """Seconds that a receiver asks for; none where it does not, or not in a number."""
    return min(float(told), _LONGEST_S) if told is not None and told.strip().isdigit() else 0.0
