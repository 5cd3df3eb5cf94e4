"""Telling people: once, whatever fails, over real SMTP and HTTP."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import shapely
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr
from scripted_server import Said, scripted

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.errors import NotFoundError
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation
from geobservatory.notify.deliver import Delivered, deliver, queue
from geobservatory.notify.message import Message, of_failure, of_map, of_passes, of_start
from geobservatory.settings.model import Notification, Settings

PASSWORD = "correct-horse-battery"
NOW = datetime(2023, 9, 8, 23, 0, tzinfo=UTC)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mailbox:
    """A mail server's handler: takes what comes, or answers as it is told to."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.answers: list[str] = []

    async def handle_RCPT(  # noqa: N802  aiosmtpd has it so
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.messages.append(message_from_bytes(envelope.content))
        if answer == "hang up":
            server.transport.abort()
            return "451 gone"
        return answer


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    handler = Mailbox()
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=lambda *given: AuthResult(success=given[4].password == PASSWORD.encode()),
        auth_require_tls=False,
    )
    controller.start()
    yield handler, controller.port
    controller.stop()


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


@pytest.fixture
def activation(catalog: Catalog) -> Activation:
    form = ActivationForm(
        event_time=NOW, longitude=-8.4, latitude=31.1, radius_km=30, magnitude=6.8,
        name="Al Haouz\r\nBcc: everybody@example.org",
    )  # fmt: skip
    return catalog.request_activation(form.to_request())[0]


def settings(folder: Path, port: int = 1, **notification: Any) -> Settings:
    given = {"smtp_host": "127.0.0.1", "smtp_port": port, "sender": "geobs@example.org"}
    given |= {"recipients": ("one@example.org", "two@example.org")}
    return Settings(data_dir=folder, notification=Notification(**{**given, **notification}))


def test_everybody_is_told_once(
    catalog: Catalog, activation: Activation, mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    box, port = mailbox
    told = settings(tmp_path, port)
    morocco, fiji = shapely.box(-9, 30, -8, 32), shapely.box(177, -19, 179, -17)
    catalog.subscribe("near@example.org", morocco, None)
    catalog.subscribe("strong@example.org", morocco, 7.0)
    catalog.subscribe("far@example.org", fiji, None)
    for _ in range(3):
        queue(told, catalog, activation, "activation-started", "", of_start(activation))
    assert deliver(told, catalog) == Delivered(sent=3)
    assert deliver(told, catalog) == Delivered()
    assert sorted(one["To"] for one in box.messages) == [
        "near@example.org", "one@example.org", "two@example.org"
    ]  # fmt: skip
    message = box.messages[0]
    # A line break in the name of an event makes no header.
    assert message["Bcc"] is None
    assert message["Subject"] == "Activated: M 6.8 Al Haouz Bcc: everybody@example.org"
    assert "31.100, -8.400 (latitude, longitude)" in message.get_payload()
    # Something new of the same activation is another notice.
    queue(told, catalog, activation, "map-failed", "pair", of_failure(activation, "x", "y"))
    assert deliver(told, catalog).sent == 3


def test_a_busy_server_is_tried_again_and_a_refusal_is_not(
    catalog: Catalog, activation: Activation, mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    box, port = mailbox
    told = settings(tmp_path, port, recipients=("one@example.org", "nobody@example.org"))
    queue(told, catalog, activation, "activation-started", "", of_start(activation))
    box.answers = ["451 later"]
    assert deliver(told, catalog) == Delivered(later=1, failed=1)
    assert deliver(told, catalog) == Delivered()
    states = {one.recipient: (one.state, one.error) for one in catalog.notices(activation.id)}
    assert states["nobody@example.org"][0] == "failed"
    assert "550 no such user" in states["nobody@example.org"][1]
    assert states["one@example.org"][0] == "waiting"
    later = datetime.now(UTC) + timedelta(hours=1)
    assert deliver(told, catalog, lambda: later) == Delivered(sent=1)
    assert catalog.retry_notices(later) == 1
    assert deliver(told, catalog, lambda: later) == Delivered(failed=1)


def test_a_server_that_is_not_there_is_waited_for(
    catalog: Catalog, activation: Activation, tmp_path: Path
) -> None:
    told = settings(tmp_path, 1)
    queue(told, catalog, activation, "activation-started", "", of_start(activation))
    moment = datetime.now(UTC)
    gaps = []
    for _ in range(12):
        assert deliver(told, catalog, lambda now=moment: now).later == 2
        due = min(one.due_at for one in catalog.notices())
        gaps.append((due - moment).total_seconds())
        moment = max(one.due_at for one in catalog.notices())
    assert 20 < gaps[0] < 40
    assert 2500 < gaps[-1] < 4700


def test_a_server_that_falls_silent_with_the_message_leaves_it_uncertain(
    catalog: Catalog, activation: Activation, mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    box, port = mailbox
    told = settings(tmp_path, port, recipients=("one@example.org",))
    queue(told, catalog, activation, "activation-started", "", of_start(activation))
    box.answers = ["hang up"]
    assert deliver(told, catalog) == Delivered(failed=1)
    (notice,) = catalog.notices()
    assert notice.state == "uncertain"
    later = datetime.now(UTC) + timedelta(days=1)
    assert deliver(told, catalog, lambda: later) == Delivered()


def test_the_account_is_used_and_stands_nowhere(
    catalog: Catalog,
    activation: Activation,
    mailbox: tuple[Mailbox, int],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without TLS the password is not sent; nothing of it is written down."""
    box, port = mailbox
    caplog.set_level("DEBUG")
    account = {"smtp_user": "geobs", "smtp_password": SecretStr(PASSWORD)}
    told = settings(tmp_path, port, **account)
    queue(told, catalog, activation, "activation-started", "", of_start(activation))
    assert deliver(told, catalog) == Delivered(failed=2)
    assert box.messages == []
    assert "offers no TLS" in catalog.notices()[0].error
    assert PASSWORD not in caplog.text + str(catalog.notices())


def test_the_webhook_and_its_moods(
    catalog: Catalog,
    activation: Activation,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    moods = [Said(status=503, headers={"Retry-After": "120"}), Said(), Said(status=410)]
    with scripted(lambda asked: moods.pop(0)) as server:
        address = f"{server.address}/hooks/{PASSWORD}"
        told = settings(tmp_path, recipients=(), webhook=SecretStr(address))
        message = of_map(activation, "track 52", "good", (), -0.25, "a/quicklook.png")
        queue(told, catalog, activation, "map-ready", "pair", message)
        moment = datetime.now(UTC)
        assert deliver(told, catalog, lambda: moment) == Delivered(later=1)
        (notice,) = catalog.notices()
        assert (notice.due_at - moment).total_seconds() == pytest.approx(120, abs=1)
        moment += timedelta(seconds=121)
        assert deliver(told, catalog, lambda: moment) == Delivered(sent=1)
        queue(told, catalog, activation, "map-ready", "other pair", message)
        moment = datetime.now(UTC) + timedelta(minutes=10)
        assert deliver(told, catalog, lambda: moment) == Delivered(failed=1)
    keys = [one.headers["Idempotency-Key"] for one in server.asked]
    assert keys[0] == keys[1] != keys[2]
    body = json.loads(server.asked[1].body)
    assert body["kind"] == "map-ready"
    assert "up to 25 cm away from the satellite" in body["text"]
    # Gone: refused at once, and for good; and not there at all.
    told = settings(tmp_path, recipients=(), webhook=SecretStr(address))
    queue(told, catalog, activation, "map-ready", "third", message)
    assert deliver(told, catalog, lambda: moment + timedelta(minutes=1)) == Delivered(later=1)
    assert PASSWORD not in str(catalog.notices())
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("geobservatory")]
    assert PASSWORD not in str(ours)


def test_several_deliver_at_once_and_nobody_is_told_twice(
    database_url: str, activation: Activation, mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    box, port = mailbox
    everybody = tuple(f"{number}@example.org" for number in range(40))
    told = settings(tmp_path, port, recipients=everybody)

    def work(_: int) -> int:
        with open_catalog(database_url) as catalog:
            queue(told, catalog, activation, "activation-started", "", of_start(activation))
            return deliver(told, catalog).sent

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 40
    assert Counter(one["To"] for one in box.messages) == dict.fromkeys(everybody, 1)


_DELIVER = """
import sys
from pathlib import Path
from geobservatory.catalog.database import open_catalog
from geobservatory.notify.deliver import deliver
from geobservatory.settings.model import Notification, Settings
told = Settings(data_dir=Path(sys.argv[1]), notification=Notification(
    smtp_host="127.0.0.1", smtp_port=int(sys.argv[2]), sender="geobs@example.org"))
with open_catalog(sys.argv[3]) as catalog:
    print("ready", flush=True)
    print(deliver(told, catalog), flush=True)
"""


def test_killed_at_any_moment_nobody_is_told_twice_and_nothing_is_lost(
    database_url: str, activation: Activation, mailbox: tuple[Mailbox, int], tmp_path: Path
) -> None:
    """What a killed sender had in its hands is uncertain at worst, and says so."""
    box, port = mailbox
    everybody = tuple(f"{number}@example.org" for number in range(60))
    told = settings(tmp_path, port, recipients=everybody)
    command = [sys.executable, "-c", _DELIVER, str(tmp_path), str(port), database_url]
    with open_catalog(database_url) as catalog:
        queue(told, catalog, activation, "activation-started", "", of_start(activation))
        for kill in range(8):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
                assert sender.stdout is not None
                assert sender.stdout.readline() == "ready\n"
                time.sleep(0.02 * kill)
                os.kill(sender.pid, signal.SIGKILL)
        later = datetime.now(UTC) + timedelta(hours=1)
        deliver(told, catalog, lambda: later)
        notices = catalog.notices()
    states = Counter(one.state for one in notices)
    assert set(states) <= {"sent", "uncertain"}
    assert states["uncertain"] <= 8
    arrived = Counter(one["To"] for one in box.messages)
    assert max(arrived.values()) == 1
    sent = {one.recipient for one in notices if one.state == "sent"}
    assert sent <= set(arrived)


def test_what_is_said_of_maps_and_passes(activation: Activation) -> None:
    none = of_map(activation, "track 52", "usable with care", ("half is forest",), None, None)
    assert "No motion was detected" in none.text
    assert "  - half is forest" in none.text
    toward = of_map(activation, "track 52", "good", (), 0.113, None)
    assert "up to 11 cm toward the satellite" in toward.text
    passes = of_passes(activation, [(NOW, "track 52, descending, S1A")])
    assert passes.subject.startswith("Next pass 2023-09-08 23:00 UTC: M 6.8")
    assert "\n" not in passes.subject
    assert isinstance(passes.content(), dict)
    assert Message("a", "b").content() == {"subject": "a", "text": "b", "picture": None}


def test_subscriptions_come_and_go(catalog: Catalog) -> None:
    made = catalog.subscribe("near@example.org", shapely.box(-9, 30, -8, 32), 6.0)
    assert [one.id for one in catalog.subscriptions()] == [made.id]
    assert catalog.subscribers(shapely.box(-8.5, 31, -8.4, 31.1), 6.0) == ["near@example.org"]
    assert catalog.subscribers(shapely.box(-8.5, 31, -8.4, 31.1), None) == ["near@example.org"]
    assert catalog.subscribers(shapely.box(-8.5, 31, -8.4, 31.1), 5.9) == []
    catalog.unsubscribe(made.id)
    with pytest.raises(NotFoundError):
        catalog.unsubscribe(made.id)
