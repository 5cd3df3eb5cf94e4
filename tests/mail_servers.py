"""Mail servers for tests: one that takes what comes, and one that misbehaves as it is told to."""

import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from threading import Event, Thread
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Mailbox:
    """What a mail server took; `watch` is told of each step before it is answered."""

    port: int = 0
    raw: list[bytes] = field(default_factory=list)
    logins: list[tuple[str, str, bool]] = field(default_factory=list)
    watch: Callable[[str], None] = lambda step: None

    @property
    def messages(self) -> list[EmailMessage]:
        read = [message_from_bytes(one, policy=policy.default) for one in self.raw]
        return [one for one in read if isinstance(one, EmailMessage)]

    async def handle_MAIL(  # noqa: N802  aiosmtpd has it so
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        self.watch("MAIL")
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        self.watch("RCPT")
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.raw.append(envelope.original_content)
        self.watch("DATA")
        return "250 OK"


@contextmanager
def mail_server(password: str = "", **given: Any) -> Iterator[Mailbox]:
    """Run a real mail server; `given` goes to aiosmtpd."""
    box = Mailbox(port=free_port())

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        said = data.password.decode()
        box.logins.append((data.login.decode(), said, session.ssl is not None))
        return AuthResult(success=said == password, handled=False)

    controller = Controller(
        box, hostname="127.0.0.1", port=box.port, authenticator=authenticate, **given
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass
class Rude:
    """What a misbehaving server saw: connections, and messages that came to their end."""

    port: int = 0
    connections: int = 0
    raw: list[bytes] = field(default_factory=list)


@contextmanager
def rude_server(answers: Mapping[str, str]) -> Iterator[Rude]:
    """Run a server that answers a command, ``connect`` or ``.`` as told.

    An answer is what is said, ``close`` to hang up, or ``hang`` to say nothing more.
    """
    seen, over = Rude(), Event()
    listener = socket.create_server(("127.0.0.1", 0))
    seen.port = listener.getsockname()[1]

    def say(connection: socket.socket, word: str, usual: str) -> bool:
        answer = answers.get(word, usual)
        if answer == "hang":
            over.wait()
        if answer in ("hang", "close"):
            return False
        connection.sendall(f"{answer}\r\n".encode())
        return True

    def talk(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            if not say(connection, "connect", "220 here"):
                return
            for line in lines:
                word = line.split()[0].decode().upper()
                if not say(connection, word, "354 go on" if word == "DATA" else "250 OK"):
                    return
                if word != "DATA" or not answers.get("DATA", "354").startswith("354"):
                    continue
                content = b""
                for part in lines:
                    if part == b".\r\n":
                        seen.raw.append(content)
                        break
                    content += part
                else:
                    return
                if not say(connection, ".", "250 OK"):
                    return

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                seen.connections += 1
                Thread(target=_quietly, args=(talk, connection), daemon=True).start()

    Thread(target=serve, daemon=True).start()
    try:
        yield seen
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that nobody but itself vouches for, and its key."""
    folder.mkdir()
    chain, key = folder / "chain.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return chain, key


def _quietly(talk: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with suppress(OSError):
        talk(connection)
