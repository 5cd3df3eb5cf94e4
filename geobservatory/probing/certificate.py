"""How long a hub's certificate is still good."""

import socket
import ssl
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.hubs.asking import CONNECT_S
from geobservatory.probing.probes import Asked
from geobservatory.transfer.source import HubUnreachableError


def certificate(asked: Asked, address: str, context: ssl.SSLContext | None = None) -> Measured:
    """Measure the seconds until the certificate at an https address runs out.

    One that cannot be trusted (run out, of another host, signed by nobody known) is a failure.

    Parameters
    ----------
    context
        Whom to trust; those whom the system trusts where None.
    """
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or 443

    def question() -> tuple[float | None, dict[str, Any]]:
        trusting = context or ssl.create_default_context()
        try:
            with (
                socket.create_connection((host, port), timeout=CONNECT_S) as plain,
                trusting.wrap_socket(plain, server_hostname=host) as secured,
            ):
                told = secured.getpeercert() or {}
        except ssl.SSLCertVerificationError as error:
            raise HubUnreachableError(f"its certificate: {error.verify_message}") from error
        except OSError as error:
            raise HubUnreachableError(f"{type(error).__name__}: {error.strerror}") from error
        until = parsedate_to_datetime(str(told["notAfter"]))
        return (until - asked.clock.now()).total_seconds(), {"until": until.isoformat()}

    return asked.measured(Kind.CERTIFICATE, question)
