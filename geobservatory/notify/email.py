"""Notices as e-mail."""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from geobservatory.catalog.notices import Notice
from geobservatory.errors import ConfigurationError, GeobservatoryError, TransientError
from geobservatory.notify.sending import UncertainError
from geobservatory.settings.model import Notification

_TIMEOUT_S = 60
# From there on TLS comes first; elsewhere it is asked for once connected.
_TLS_PORT = 465
_LARGEST_PICTURE = 8_000_000


def send_email(
    settings: Notification, notice: Notice, pictures: Path, hand_over: Callable[[], None]
) -> None:
    """Send a notice to one address.

    Parameters
    ----------
    pictures
        Folder that the notice's picture is named under.
    hand_over
        Called when all is said but the message itself.

    Raises
    ------
    TransientError
        If the server is busy or cannot be reached.
    UncertainError
        If it fell silent with the message in its hands.
    GeobservatoryError
        If it refuses the sender, the recipient or the message for good.
    ConfigurationError
        If no server or sender is configured.
    """
    if settings.smtp_host is None or settings.sender is None:
        raise ConfigurationError("notification.smtp_host and notification.sender are not set")
    message = write(settings.sender, notice, pictures)
    with _server(settings) as server:
        _say(server, lambda: server.mail(settings.sender or ""), "sender")
        _say(server, lambda: server.rcpt(notice.recipient), "recipient")
        hand_over()
        try:
            code, answer = server.data(message.as_bytes())
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            raise UncertainError(f"the mail server fell silent: {error}") from error
        _check(code, answer, "message")


def write(sender: str, notice: Notice, pictures: Path) -> EmailMessage:
    """Write the message; the same notice has the same Message-ID however often it is sent."""
    message = EmailMessage()
    message["From"], message["To"] = sender, notice.recipient
    message["Subject"] = notice.content["subject"]
    message["Date"] = format_datetime(notice.created_at)
    domain = sender.rpartition("@")[2].strip(">") or "localhost"
    message["Message-ID"] = f"<{notice.activation_id}.{notice.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(notice.content["text"])
    picture = notice.content.get("picture")
    path = pictures / picture if picture else None
    if path is not None and path.is_file() and path.stat().st_size < _LARGEST_PICTURE:
        content = path.read_bytes()
        message.add_attachment(content, maintype="image", subtype="png", filename=path.name)
    return message


@contextmanager
def _server(settings: Notification) -> Iterator[smtplib.SMTP]:
    host, port = settings.smtp_host or "", settings.smtp_port
    context = ssl.create_default_context()
    try:
        if port == _TLS_PORT:
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
            elif settings.smtp_password is not None:
                raise GeobservatoryError(f"{host} offers no TLS: the password is not sent in clear")
        if settings.smtp_user is not None and settings.smtp_password is not None:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        else:
            server.ehlo_or_helo_if_needed()
    except smtplib.SMTPAuthenticationError as error:
        # The answer may repeat what was sent.
        raise GeobservatoryError(f"{host} refuses the account ({error.smtp_code})") from None
    except (smtplib.SMTPException, OSError) as error:
        raise TransientError(f"the mail server {host}: {type(error).__name__}") from error
    try:
        yield server
    finally:
        # Whether the server hears the farewell does not matter.
        server.close()


def _say(server: smtplib.SMTP, word: Callable[[], tuple[int, bytes]], what: str) -> None:
    try:
        code, answer = word()
    except (smtplib.SMTPException, OSError) as error:
        raise TransientError(f"the mail server: {type(error).__name__}") from error
    _check(code, answer, what)


def _check(code: int, answer: bytes, what: str) -> None:
    """Raise for an answer that is no yes; 4xx may pass, 5xx will not (RFC 5321, section 4.2.1)."""
    if 200 <= code < 300:
        return
    said = f"the mail server refuses the {what}: {code} {answer.decode(errors='replace')[:200]}"
    raise TransientError(said) if 400 <= code < 500 else GeobservatoryError(said)
