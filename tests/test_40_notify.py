"""Telling people: what is said, and that it arrives once, over real SMTP and HTTP."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import shapely
from mail_servers import Mailbox, certificate, mail_server, rude_server
from pydantic import SecretStr, ValidationError
from scripted_server import Said, scripted

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.notices import PATIENCE
from geobservatory.errors import ConfigurationError, GeobservatoryError
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import Activation
from geobservatory.notify import email, webhook
from geobservatory.notify.deliver import Delivered, deliver, queue, send_test
from geobservatory.notify.message import (
    Message,
    of_failure,
    of_map,
    of_passes,
    of_start,
    of_withdrawal,
)
from geobservatory.notify.render import as_html, as_text
from geobservatory.notify.webhook import sign
from geobservatory.settings.model import Notification, Settings

pytestmark = pytest.mark.one_database

PASSWORD = "correct-horse-battery"
NOW = datetime(2023, 9, 8, 23, 0, tzinfo=UTC)
NASTY = "Al Haouz\r\nBcc: everybody@example.org\x00 <script>alert(1)</script>"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


def activated(catalog: Catalog, **given: Any) -> Activation:
    form = ActivationForm(
        event_time=NOW, longitude=-8.4, latitude=31.1, radius_km=30, magnitude=6.8,
        **{"name": "Al Haouz", **given},
    )  # fmt: skip
    return catalog.request_activation(form.to_request())[0]


@pytest.fixture
def activation(catalog: Catalog) -> Activation:
    return activated(catalog)


def settings(folder: Path, port: int = 1, **notification: Any) -> Settings:
    given = {"smtp_host": "127.0.0.1", "smtp_port": port, "sender": "geobs <geobs@example.org>"}
    given |= {"recipients": ("one@example.org", "two@example.org")}
    return Settings(data_dir=folder, notification=Notification(**{**given, **notification}))


def tell(told: Settings, catalog: Catalog, activation: Activation) -> int:
    return queue(told, catalog, activation, "activation-started", "", of_start(activation))


def body(message: Any, kind: str) -> str:
    return str(message.get_body((kind,)).get_content())


# Who is told, and how often


def test_everybody_is_told_once(
    catalog: Catalog, activation: Activation, mailbox: Mailbox, tmp_path: Path
) -> None:
    told = settings(tmp_path, mailbox.port)
    morocco, fiji = shapely.box(-9, 30, -8, 32), shapely.box(177, -19, 179, -17)
    catalog.subscribe("near@example.org", morocco, None)
    catalog.subscribe("ONE@example.org", morocco, None)
    catalog.subscribe("strong@example.org", morocco, 7.0)
    catalog.subscribe("far@example.org", fiji, None)
    assert [tell(told, catalog, activation) for _ in range(3)] == [3, 0, 0]
    assert deliver(told, catalog) == Delivered(sent=3)
    assert deliver(told, catalog) == Delivered()
    assert sorted(one["To"] for one in mailbox.messages) == [
        "near@example.org", "one@example.org", "two@example.org"
    ]  # fmt: skip
    # Something new of the same activation is another notice.
    queue(told, catalog, activation, "map-failed", "pair", of_failure(activation, "x", "y"))
    assert deliver(told, catalog).sent == 3
    assert len({one["Message-ID"] for one in mailbox.messages}) == 6


def test_several_deliver_at_once_and_nobody_is_told_twice(
    database_url: str, activation: Activation, mailbox: Mailbox, tmp_path: Path
) -> None:
    everybody = tuple(f"{number}@example.org" for number in range(40))
    told = settings(tmp_path, mailbox.port, recipients=everybody)

    def work(_: int) -> int:
        with open_catalog(database_url) as catalog:
            tell(told, catalog, activation)
            return deliver(told, catalog).sent

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(work, range(4))) == 40
    assert sorted(one["To"] for one in mailbox.messages) == sorted(everybody)


def test_who_was_told_of_the_start_is_told_of_the_end(
    catalog: Catalog, activation: Activation, mailbox: Mailbox, tmp_path: Path
) -> None:
    told = settings(tmp_path, mailbox.port, recipients=("one@example.org",))
    tell(told, catalog, activation)
    more = settings(tmp_path, mailbox.port, recipients=("one@example.org", "new@example.org"))
    known = catalog.told(activation.id, "activation-started")
    said = of_withdrawal(activation, "a revision: magnitude 4.1")
    assert queue(more, catalog, activation, "withdrawn", "", said, known) == 1
    assert deliver(more, catalog) == Delivered(sent=2)
    assert {one["To"] for one in mailbox.messages} == {"one@example.org"}


def test_the_news_of_a_pass_grows_old(
    catalog: Catalog, activation: Activation, mailbox: Mailbox, tmp_path: Path
) -> None:
    told = settings(tmp_path, mailbox.port)
    today = datetime.now(UTC)
    gone = of_passes(activation, [(today - timedelta(hours=13), "track 52")])
    assert queue(told, catalog, activation, "pass-predicted", "1", gone) == 0
    coming = of_passes(activation, [(today + timedelta(hours=1), "track 52")])
    assert queue(told, catalog, activation, "pass-predicted", "2", coming) == 2
    late = today + timedelta(hours=14)
    assert deliver(told, catalog, lambda: late) == Delivered()
    assert {one.state for one in catalog.notices()} == {"failed"}
    assert mailbox.raw == []


# What goes wrong


@pytest.mark.parametrize(
    ("answers", "outcome", "state", "connections"),
    [
        ({"connect": "close"}, Delivered(later=1), "waiting", 1),
        ({"connect": "hang"}, Delivered(later=1), "waiting", 1),
        ({"connect": "554 go away"}, Delivered(later=1), "waiting", 1),
        ({"EHLO": "421 closing", "HELO": "421 closing"}, Delivered(later=1), "waiting", 1),
        ({"MAIL": "550 who are you"}, Delivered(later=1), "waiting", 1),
        ({"RCPT": "450 greylisted"}, Delivered(later=2), "waiting", 2),
        ({"RCPT": "421 closing"}, Delivered(later=1), "waiting", 1),
        ({"RCPT": "550 \x00no such user"}, Delivered(failed=2), "failed", 2),
        ({"RCPT": "nonsense"}, Delivered(later=1), "waiting", 1),
        ({"RCPT": "close"}, Delivered(later=1), "waiting", 1),
        # Nothing was handed over yet, so nothing of this is uncertain.
        ({"DATA": "451 later"}, Delivered(later=2), "waiting", 2),
        ({"DATA": "554 no"}, Delivered(failed=2), "failed", 2),
        ({"DATA": "close"}, Delivered(later=1), "waiting", 1),
        ({".": "451 later"}, Delivered(later=2), "waiting", 2),
        ({".": "552 too large"}, Delivered(failed=2), "failed", 2),
        ({".": "close"}, Delivered(failed=1), "uncertain", 1),
        ({".": "hang"}, Delivered(failed=1), "uncertain", 1),
        ({".": "nonsense"}, Delivered(failed=1), "uncertain", 1),
        # Whether it hears the farewell does not matter.
        ({"QUIT": "close"}, Delivered(sent=2), "sent", 2),
    ],
)
def test_a_mail_server_that_misbehaves(
    catalog: Catalog,
    activation: Activation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, str],
    outcome: Delivered,
    state: str,
    connections: int,
) -> None:
    """Who refuses one message is asked about the next; who is down is asked once a round."""
    monkeypatch.setattr(email, "_TIMEOUT_S", 0.3)
    monkeypatch.setattr(email, "_VERDICT_S", 0.3)
    with rude_server(answers) as server:
        told = settings(tmp_path, server.port)
        tell(told, catalog, activation)
        assert deliver(told, catalog) == outcome
        assert server.connections == connections
    newest, oldest = catalog.notices()
    assert oldest.state == state
    assert newest.state == (state if connections == 2 else "waiting")
    assert (oldest.error == "") == (state == "sent")
    assert len(server.raw) == (connections if "." in answers or "QUIT" in answers else 0)


def test_a_server_that_never_ends_a_word_is_cut_off(
    catalog: Catalog, activation: Activation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time, and the answer never."""
    monkeypatch.setattr(email, "_WHOLE_S", 0.3)
    monkeypatch.setattr(webhook, "_WHOLE_S", 0.3)
    import socket

    def drip(listener: socket.socket, first: bytes) -> None:
        connection, _ = listener.accept()
        connection.sendall(first)
        try:
            while True:
                connection.sendall(b"2")
                time.sleep(0.02)
        except OSError:
            connection.close()

    for first, given in (
        (b"220 here\r\n", {"recipients": ("one@example.org",)}),
        (b"HTTP/1.1 ", {"recipients": ()}),
    ):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            threading.Thread(target=drip, args=(listener, first), daemon=True).start()
            told = settings(tmp_path, port, **given)
            if not given["recipients"]:
                address = SecretStr(f"http://127.0.0.1:{port}/")
                told = settings(tmp_path, port, recipients=(), webhook=address)
            tell(told, catalog, activation)
            deliver(told, catalog)
    assert {one.recipient: one.state for one in catalog.notices()} == {
        "one@example.org": "waiting", "webhook": "uncertain"
    }  # fmt: skip


def test_it_is_tried_less_and_less_often_and_given_up_in_the_end(
    catalog: Catalog, activation: Activation, tmp_path: Path
) -> None:
    told = settings(tmp_path, 1, recipients=("one@example.org",))
    tell(told, catalog, activation)
    moment = start = datetime.now(UTC)
    gaps = []
    while deliver(told, catalog, lambda now=moment: now).later:
        due = catalog.notices()[0].due_at
        gaps.append((due - moment).total_seconds())
        moment = due
    (notice,) = catalog.notices()
    assert notice.state == "failed"
    assert notice.error.startswith("given up: the mail server 127.0.0.1:1 cannot be reached")
    assert 20 < gaps[0] < 40
    assert 2500 < min(gaps[-5:]) < max(gaps) < 4700
    assert timedelta(0) < PATIENCE - (moment - start) < timedelta(hours=1.5)


def test_it_is_not_configured(catalog: Catalog, activation: Activation, tmp_path: Path) -> None:
    """What waits goes out once it is."""
    told = settings(tmp_path, smtp_host=None)
    tell(told, catalog, activation)
    assert deliver(told, catalog) == Delivered(later=1)
    assert "notification.smtp_host" in catalog.notices()[-1].error
    with mail_server() as box:
        catalog.retry_notices(datetime.now(UTC))
        assert deliver(settings(tmp_path, box.port), catalog) == Delivered(sent=2)


@pytest.mark.parametrize(
    "given",
    [
        {"recipients": ("a@b\r\nBcc: c@d",)},
        {"recipients": ("a@b", "ü@example.org")},
        {"sender": "a@b\r\nBcc: c@d"},
        {"sender": "nobody"},
        {"pages": "javascript:alert(1)"},
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Notification(**given)


# Secrets


def test_the_account_is_used_over_tls_only_and_stands_nowhere(
    catalog: Catalog,
    activation: Activation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    import ssl

    caplog.set_level("DEBUG")
    chain, key = certificate(tmp_path / "tls")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)
    account = {"smtp_user": "geobs", "smtp_password": SecretStr(PASSWORD)}
    account["recipients"] = ("one@example.org",)

    def attempt(port: int, **more: Any) -> str:
        told = settings(tmp_path, port, **{**account, **more})
        catalog.retry_notices(datetime.now(UTC))
        deliver(told, catalog)
        (notice,) = catalog.notices()
        return f"{notice.state}: {notice.error}"

    tell(settings(tmp_path, **account), catalog, activation)
    with mail_server(PASSWORD) as box:
        assert attempt(box.port) == (
            "waiting: 127.0.0.1 offers no TLS: the password is not sent in clear"
        )
        assert box.logins == []
    with mail_server(PASSWORD, tls_context=context, require_starttls=True) as box:
        # Nobody vouches for the certificate.
        assert "CERTIFICATE_VERIFY_FAILED" in attempt(box.port)
        assert box.logins == []
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        wrong = attempt(box.port, smtp_password=SecretStr("something else"))
        assert wrong == "waiting: 127.0.0.1 refuses the account (535)"
        odd = attempt(box.port, smtp_password=SecretStr("Geheimnis-ü"))
        assert odd.endswith("ASCII only")
        assert attempt(box.port) == "sent: "
        assert box.logins[-1] == ("geobs", PASSWORD, True)
    catalog.retry_notices(datetime.now(UTC))
    queue(settings(tmp_path, **account), catalog, activation, "x", "", of_start(activation))
    with mail_server(PASSWORD, ssl_context=context, auth_require_tls=False) as box:
        monkeypatch.setattr(email, "_TLS_PORT", box.port)
        told = settings(tmp_path, box.port, **account)
        assert deliver(told, catalog) == Delivered(sent=1)
        assert box.logins[0][:2] == ("geobs", PASSWORD)
    known = caplog.text + str(catalog.notices())
    assert PASSWORD not in known
    assert "Geheimnis" not in known


def test_the_address_of_the_webhook_stands_nowhere(
    catalog: Catalog,
    activation: Activation,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    moods = [Said(status=500), Said(status=410), Said(status=302, headers={"Location": "/x"})]
    with scripted(lambda asked: moods.pop(0)) as server:
        addresses = [f"{server.address}/{PASSWORD}"] * 3
        addresses += [
            f"http://127.0.0.1:1/{PASSWORD}", f"http://[bad/{PASSWORD}", f"file:///{PASSWORD}",
            f"http://a:{PASSWORD}@127.0.0.1:1/", f"http://127.0.0.1:1/ü{PASSWORD}",
            f"http://{'a' * 70}.example/{PASSWORD}", f"http://127.0.0.1:99999/{PASSWORD}",
        ]  # fmt: skip
        errors = []
        for number, address in enumerate(addresses):
            told = settings(tmp_path, recipients=(), webhook=SecretStr(address))
            queue(told, catalog, activation, "x", str(number), of_start(activation))
            deliver(told, catalog)
            errors.append(catalog.notices()[0].error)
    wrong = "notification.webhook is no address"
    assert [error[:34] for error in errors] == [
        "the webhook answers 500", "the webhook answers 410", "the webhook answers 302",
        "the webhook cannot be reached: Con", wrong, wrong, wrong, wrong,
        "the webhook cannot be reached: Uni", wrong,
    ]  # fmt: skip
    assert PASSWORD not in caplog.text + str(catalog.notices())
    with catalog.engine.connect() as connection:
        from sqlalchemy import text

        rows = connection.execute(text("SELECT notices::text FROM notices")).scalars().all()
    assert len(rows) == 10
    assert PASSWORD not in str(rows)


# Webhooks


def test_the_webhook_and_its_moods(
    catalog: Catalog, activation: Activation, tmp_path: Path
) -> None:
    hour = datetime.now(UTC) + timedelta(hours=1)
    moods = [
        Said(status=503, headers={"retry-after": "7200"}),
        Said(status=429, headers={"Retry-After": f"{hour:%a, %d %b %Y %H:%M:%S GMT}"}),
        Said(status=204),
    ]
    with scripted(lambda asked: moods.pop(0)) as server:
        address = SecretStr(f"{server.address}/hook?room=1")
        told = settings(tmp_path, recipients=(), webhook=address)
        message = of_map(activation, "track 52", "good", (), -0.25, "a/quicklook.png")
        queue(told, catalog, activation, "map-ready", "pair", message)
        moment = datetime.now(UTC)
        assert deliver(told, catalog, lambda: moment) == Delivered(later=1)
        (notice,) = catalog.notices()
        assert (notice.due_at - moment).total_seconds() == pytest.approx(7200)
        assert deliver(told, catalog, lambda: notice.due_at) == Delivered(later=1)
        (again,) = catalog.notices()
        assert (again.due_at - notice.due_at).total_seconds() == pytest.approx(3600, abs=60)
        assert deliver(told, catalog, lambda: again.due_at) == Delivered(sent=1)
    assert {one.path for one in server.asked} == {"/hook?room=1"}
    for name in ("Idempotency-Key", "webhook-id"):
        assert {one.headers[name] for one in server.asked} == {str(notice.token)}
    said = json.loads(server.asked[-1].body)
    assert (said["id"], said["type"], said["key"]) == (str(notice.token), "map-ready", "pair")
    assert "up to 25 cm away from the satellite" in said["text"]
    assert said["data"]["peak_los_m"] == -0.25
    assert said["data"]["event"]["magnitude"] == 6.8
    assert "webhook-signature" not in server.asked[0].headers


def test_a_webhook_that_breaks_off_is_uncertain_and_not_posted_again(
    catalog: Catalog, activation: Activation, tmp_path: Path
) -> None:
    asked = []

    def break_off(one: Any) -> Said:
        asked.append(one)
        raise ConnectionAbortedError

    with scripted(break_off) as server:
        told = settings(tmp_path, recipients=(), webhook=SecretStr(server.address))
        tell(told, catalog, activation)
        assert deliver(told, catalog) == Delivered(failed=1)
        assert catalog.notices()[0].state == "uncertain"
        later = datetime.now(UTC) + timedelta(days=1)
        assert deliver(told, catalog, lambda: later) == Delivered()
    assert len(asked) == 1


def test_signatures_are_those_of_the_standard() -> None:
    """The vector that the Standard Webhooks publish with their libraries."""
    secret, identifier = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    at = datetime.fromtimestamp(1614265330, UTC)
    signed = sign(secret, identifier, at, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign("any text", identifier, at, b"") != sign("another", identifier, at, b"")
    with pytest.raises(ConfigurationError, match="not base64"):
        sign("whsec_ü", identifier, at, b"")


def test_what_is_posted_is_signed(catalog: Catalog, activation: Activation, tmp_path: Path) -> None:
    with scripted(lambda asked: Said()) as server:
        told = settings(
            tmp_path, recipients=(), webhook=SecretStr(server.address),
            webhook_secret=SecretStr(PASSWORD),
        )  # fmt: skip
        tell(told, catalog, activation)
        assert deliver(told, catalog) == Delivered(sent=1)
    (asked,) = server.asked
    at = datetime.fromtimestamp(int(asked.headers["webhook-timestamp"]), UTC)
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
    wanted = sign(PASSWORD, asked.headers["webhook-id"], at, asked.body)
    assert asked.headers["webhook-signature"] == wanted
    assert not server.told(PASSWORD)


# What is said


def test_a_letter_is_what_every_server_takes(
    catalog: Catalog, mailbox: Mailbox, tmp_path: Path
) -> None:
    """Text and HTML and the picture; nothing of strangers is a header or markup."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
    folder = tmp_path / "products" / "a"
    folder.mkdir(parents=True)
    (folder / "quicklook.png").write_bytes(picture)
    activation = activated(catalog, name="Taroudant, Maroc, séisme <b>fort</b>")
    told = settings(
        tmp_path, mailbox.port, recipients=("one@example.org",), pages="https://geo.example/maps/"
    )
    reasons = (".begins with a dot", "half is forest")
    message = of_map(activation, "track 52", "good", reasons, 0.113, "a/quicklook.png")
    queue(told, catalog, activation, "map-ready", "pair", message)
    assert deliver(told, catalog) == Delivered(sent=1)
    (raw,), (letter,) = mailbox.raw, mailbox.messages
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert max(raw) < 128
    assert max(map(len, raw.splitlines())) < 998
    assert letter["Subject"] == "Map (good): M 6.8 Taroudant, Maroc, séisme <b>fort</b>"
    assert letter["From"] == "geobs <geobs@example.org>"
    assert letter["Message-ID"] == f"<{catalog.notices()[0].token}@example.org>"
    assert letter["Auto-Submitted"] == "auto-generated"
    plain, html = body(letter, "plain"), body(letter, "html")
    for part in (plain, html):
        assert "up to 11 cm toward the satellite (line of sight, +0.11 m)" in part
        assert f"https://geo.example/maps/{activation.id}/index.html" in part
        assert ".begins with a dot" in part
        assert "2023-09-08 23:00:00 UTC" in part
    assert "séisme &lt;b&gt;fort" in html
    (image,) = [one for one in letter.walk() if one.get_content_type() == "image/png"]
    assert image.get_content() == picture
    assert f'src="cid:{image["Content-ID"].strip("<>")}"' in html


@pytest.mark.parametrize("size", [None, 5_000_001])
def test_a_picture_that_is_gone_or_too_large_stays_away(
    catalog: Catalog, activation: Activation, mailbox: Mailbox, tmp_path: Path, size: int | None
) -> None:
    (tmp_path / "products").mkdir()
    if size is not None:
        (tmp_path / "products" / "map.png").write_bytes(bytes(size))
    told = settings(tmp_path, mailbox.port)
    message = of_map(activation, "track 52", "good", (), None, "map.png")
    queue(told, catalog, activation, "map-ready", "pair", message)
    assert deliver(told, catalog) == Delivered(sent=2)
    for letter in mailbox.messages:
        assert "cid:" not in body(letter, "html")
        assert {one.get_content_maintype() for one in letter.walk()} == {"multipart", "text"}


class Tags(HTMLParser):
    """Collects the elements of a page, and finds those that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_nothing_of_strangers_is_markup_or_header(catalog: Catalog) -> None:
    activation = activated(catalog, name=NASTY.replace("\x00", ""))
    for message in (
        of_start(activation),
        of_withdrawal(activation, NASTY),
        of_passes(activation, [(NOW, NASTY)]),
        of_map(activation, NASTY, "good", (NASTY,), -0.1, None),
        of_failure(activation, NASTY, NASTY),
    ):
        assert message.subject.isprintable()
        assert len(message.subject) <= 200
        assert Message.from_content(json.loads(json.dumps(message.content()))).subject
        page = Tags()
        page.feed(as_html(message, None))
        assert page.open == []
        assert "script" not in page.seen
        text = as_text(message)
        assert "\r" not in text + as_html(message, None)
        assert "\x00" not in text + as_html(message, None)


def test_what_is_said_of_maps_and_passes(activation: Activation) -> None:
    none = of_map(activation, "track 52", "usable with care", ("half is forest",), None, None)
    assert "No motion was detected" in as_text(none)
    assert "  - half is forest" in as_text(none)
    assert none.details["peak_los_m"] is None
    passes = of_passes(activation, [(NOW, "track 52, descending, S1A")])
    assert passes.subject == "Next pass 2023-09-08 23:00 UTC: M 6.8 Al Haouz"
    assert "  - 2023-09-08 23:00  track 52, descending, S1A" in as_text(passes)
    assert passes.until == NOW + timedelta(hours=12)
    taken_back = of_withdrawal(activation, "magnitude is 4.1 now")
    assert taken_back.subject == "Withdrawn: M 6.8 Al Haouz"
    assert "magnitude is 4.1 now" in as_text(taken_back)


def test_a_test_message_says_why_it_does_not_arrive(mailbox: Mailbox, tmp_path: Path) -> None:
    send_test(settings(tmp_path, mailbox.port), "duty@example.org")
    (letter,) = mailbox.messages
    assert (letter["To"], letter["Subject"]) == ("duty@example.org", "Test of geObservatory")
    with pytest.raises(GeobservatoryError, match="550 no such user"):
        send_test(settings(tmp_path, mailbox.port), "nobody@example.org")
    with pytest.raises(ConfigurationError, match="webhook is not set"):
        send_test(settings(tmp_path), "webhook")
