"""Notices to a mail server, which has a message once it has heard the dot at its end.

So the whole message goes out first, then the catalogue hears that it is handed over, then goes the
dot: whatever breaks before, nothing has been delivered (RFC 5321, section 4.1.1.4).
"""

import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parseaddr
from pathlib import Path
from threading import Timer

from geobservatory.catalog.notices import Notice
from geobservatory.errors import ConfigurationError, GeobservatoryError, TransientError
from geobservatory.notify.letter import on_the_wire, write
from geobservatory.notify.sending import DownError, UncertainError, printable
from geobservatory.settings.model import Notification

_TIMEOUT_S = 60.0
# For so long a server may think about a message it has (RFC 5321, section 4.5.3.2.6).
_VERDICT_S = 600.0
# For all together, however slowly a server speaks; less than the lease of a notice.
_WHOLE_S = 900.0
# From there on TLS comes first; elsewhere it is asked for once connected.
_TLS_PORT = 465


def send_email(
    settings: Notification,
    notice: Notice,
    pictures: Path,
    hand_over: Callable[[], None],
    leave: str | None = None,
) -> None:
    """Send a notice to one address.

    Parameters
    ----------
    pictures
        Folder that the notice's picture is named under.
    leave
        Where the recipient unsubscribes; None for who has not subscribed.
    hand_over
        Called when the server has all of the message but its end; if it raises, nothing is sent.

    Raises
    ------
    DownError
        If the server cannot be reached or closes.
    TransientError
        If it does not take this message for now.
    UncertainError
        If it fell silent with the message in its hands.
    GeobservatoryError
        If it refuses the recipient or the message for good.
    ConfigurationError
        If no server or sender is configured, or the server refuses the account or the sender.
    """
    if settings.smtp_host is None or settings.sender is None:
        raise ConfigurationError("notification.smtp_host and notification.sender are not set")
    content = on_the_wire(write(settings.sender, notice, pictures, leave))
    sender = parseaddr(settings.sender)[1]
    with _server(settings, settings.smtp_host) as server:
        try:
            _ask("sender", lambda: server.mail(sender))
        except TransientError:
            raise
        except GeobservatoryError as error:
            raise ConfigurationError(str(error)) from None
        _ask("recipient", lambda: server.rcpt(notice.recipient))
        _ask("message", lambda: server.docmd("DATA"), wanted=3)
        with _or_down("breaks off"):
            _socket(server).sendall(content)
        hand_over()
        try:
            _socket(server).settimeout(_VERDICT_S)
            _socket(server).sendall(b".\r\n")
            code, answer = server.getreply()
        except OSError as error:
            said = f"the mail server fell silent with the message: {type(error).__name__}"
            raise UncertainError(said) from None
        _check("message", code, answer, wanted=2, uncertain=True)


@contextmanager
def _server(settings: Notification, host: str) -> Iterator[smtplib.SMTP]:
    """Connect, over TLS where it can be had, and log in."""
    port = settings.smtp_port
    with _or_down(f"{host}:{port} cannot be reached"):
        if port == _TLS_PORT:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
        # Else the dot waits for the server to acknowledge the message, some 40 ms in which nobody
        # could tell whether it was delivered.
        _socket(server).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    last = Timer(_WHOLE_S, _cut, (server,))
    last.daemon = True
    last.start()
    try:
        with _or_down("breaks off"):
            server.ehlo_or_helo_if_needed()
            if port != _TLS_PORT and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
        _log_in(server, settings, host)
        yield server
        with suppress(OSError):
            server.quit()
    finally:
        last.cancel()
        server.close()


def _log_in(server: smtplib.SMTP, settings: Notification, host: str) -> None:
    if settings.smtp_user is None or settings.smtp_password is None:
        return
    if not isinstance(server.sock, ssl.SSLSocket):
        raise ConfigurationError(f"{host} offers no TLS: the password is not sent in clear")
    # Errors here may repeat what was sent.
    try:
        server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
    except smtplib.SMTPAuthenticationError as error:
        said = f"{host} refuses the account ({error.smtp_code})"
        if 400 <= error.smtp_code < 500:
            raise DownError(said) from None
        raise ConfigurationError(said) from None
    except UnicodeEncodeError:
        raise ConfigurationError("notification.smtp_user and _password: ASCII only") from None
    except smtplib.SMTPServerDisconnected:
        raise DownError(f"{host} breaks off at the login") from None
    except smtplib.SMTPException as error:
        raise ConfigurationError(f"{host} offers no login: {type(error).__name__}") from None
    except OSError as error:
        raise DownError(f"{host} breaks off at the login: {type(error).__name__}") from None


def _ask(what: str, say: Callable[[], tuple[int, bytes]], wanted: int = 2) -> None:
    with _or_down("breaks off"):
        code, answer = say()
    _check(what, code, answer, wanted)


def _check(what: str, code: int, answer: bytes, wanted: int, *, uncertain: bool = False) -> None:
    """Raise for an answer that is no yes; 4xx may pass, 5xx will not (RFC 5321, section 4.2.1)."""
    if code // 100 == wanted:
        return
    said = printable(
        f"the mail server refuses the {what}: {code} {answer.decode(errors='replace')}"
    )
    if code == 421:
        raise DownError(said)
    if 400 <= code < 500:
        raise TransientError(said)
    if 500 <= code < 600:
        raise GeobservatoryError(said)
    said = printable(f"the mail server answers {code} to the {what}")
    raise UncertainError(said) if uncertain else DownError(said)


@contextmanager
def _or_down(what: str) -> Iterator[None]:
    """Take what goes wrong with a connection for a fault that may pass."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        raise DownError(f"the mail server {what}: {printable(_reason(error))}") from None


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {error.smtp_error!r}"
    return f"{type(error).__name__} {getattr(error, 'strerror', None) or ''}"


def _socket(server: smtplib.SMTP) -> socket.socket:
    if server.sock is None:
        raise smtplib.SMTPServerDisconnected("closed")
    return server.sock


def _cut(server: smtplib.SMTP) -> None:
    with suppress(OSError):
        _socket(server).shutdown(socket.SHUT_RDWR)
