"""Being told, and asking for a map: forms, mails, what is recorded; over HTTP and SMTP."""

import html
import re
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
import requests
from mail_servers import Mailbox
from people_world import PASSWORD, World, get
from shapely.geometry import shape
from sqlalchemy import text
from web_forms import SAME, field

from geobservatory.catalog.tables import Base
from geobservatory.globe import circle
from geobservatory.notify.deliver import deliver, queue, queue_confirmation
from geobservatory.notify.message import of_start

CIRCLE = {"latitude": "31.2", "longitude": "-8.1", "radius_km": "200"}


def subscribe(site: World, **given: Any) -> requests.Response:
    with requests.Session() as session:
        token = field(session.get(f"{site.address}/subscribe", timeout=30).text)
        about = {"form_token": token, "where": "circle", "magnitude": "6", **given}
        return session.post(f"{site.address}/subscribe", about, headers=SAME, timeout=60)


def letters(mailbox: Mailbox, count: int) -> list[EmailMessage]:
    """Wait for so many letters, which are sent once the page is answered, and for no more."""
    deadline = time.monotonic() + 30
    while len(mailbox.messages) < count and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    assert len(mailbox.messages) == count
    return mailbox.messages


def test_a_subscription_from_wish_to_farewell(site: World, mailbox: Mailbox) -> None:
    mailbox.raw.clear()
    answer = subscribe(site, address="Ada@example.org", **CIRCLE)
    assert answer.status_code == 200 and "Ada@example.org" in answer.text
    (letter,) = letters(mailbox, 1)
    assert letter["To"].lower() == "ada@example.org" and letter["List-Unsubscribe"] is None
    body = letter.get_body(("plain",))
    assert body is not None
    (link,) = re.findall(rf"{site.address}/subscriptions/\S+", body.get_content())
    assert "31.2° N, 8.1° W" in body.get_content()
    al_haouz = site.catalog.activation(site.al_haouz)
    assert told(site, "first") == []
    # Its secret is in that mail, and in no table, log or audit.
    nowhere(site, link.rpartition("/")[2])
    # Whatever looks at links before people do confirms nothing.
    looked = get(link)
    assert "Confirm</button>" in looked.text and looked.headers["Referrer-Policy"] == "no-referrer"
    assert told(site, "second") == []
    confirmed = requests.post(link, {"action": "confirm"}, timeout=30)
    assert "It is confirmed" in confirmed.text
    assert "<h2>Events of magnitude 6 and more, around 31.2° N, 8.1° W (" in confirmed.text
    # Again is no other subscription, and who asks does not learn that it is known.
    mailbox.raw.clear()
    assert "A mail has been sent" in subscribe(site, address="ada@example.org", **CIRCLE).text
    letters(mailbox, 0)
    queue(site.settings, site.catalog, al_haouz, "activation-started", "third", of_start(al_haouz))
    deliver(site.settings, site.catalog)
    (news,) = (one for one in mailbox.messages if "ada@" in one["To"].lower())
    assert news["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # In one line and as it is, or mail programs do not find it.
    raw = next(one for one in mailbox.raw if b"ada@" in one.lower())
    found = re.search(rb"^List-Unsubscribe: <(\S+)>\r$", raw, re.MULTILINE)
    assert found is not None
    way_out = found[1].decode()
    text = news.get_body(("plain",))
    assert text is not None and f"/activations/{site.al_haouz}" in text.get_content()
    assert way_out != link
    nowhere(site, way_out.rpartition("/")[2])
    # The link of the first mail is as good, and of no other address.
    assert "ada@example.org" in get(link).text.lower()
    # One click, as RFC 8058 has it: a POST without cookie, page or redirection.
    gone = requests.post(
        way_out, {"List-Unsubscribe": "One-Click"}, timeout=30, allow_redirects=False
    )
    assert gone.status_code == 200
    assert told(site, "fourth") == []
    assert requests.post(way_out, {"List-Unsubscribe": "One-Click"}, timeout=30).status_code == 404


def nowhere(site: World, secret: str) -> None:
    """Look into every table for the secret of a link."""
    assert len(secret) == 36
    with site.catalog.engine.connect() as connection:
        for table in Base.metadata.tables:
            rows = str(connection.execute(text(f"SELECT * FROM {table}")).all())  # noqa: S608
            assert secret not in rows and secret.replace("-", "") not in rows, table


def test_the_link_of_one_that_has_ended_leads_on(site: World) -> None:
    """Who ends one of several on its own page goes on with another link to the rest."""
    ones = [
        site.catalog.subscribe("eva@example.org", circle(0, lat, 200_000), None) for lat in (10, 20)
    ]
    link = f"{site.address}/subscriptions/{site.catalog.new_link(ones[0].id)}"
    assert get(link).text.count("End this") == 2
    done = requests.post(link, {"action": "end", "one": str(ones[1].id)}, timeout=30)
    assert done.text.count("End this") == 1 and get(link).status_code == 200
    again = site.catalog.subscribe("eva@example.org", circle(0, 30, 200_000), None)
    done = requests.post(link, {"action": "end", "one": str(ones[0].id)}, timeout=30)
    assert done.text.count("End this") == 1 and get(link).status_code == 404
    site.catalog.unsubscribe(again.id)


def test_a_wish_that_has_ended_is_not_asked_about(site: World, mailbox: Mailbox) -> None:
    mailbox.raw.clear()
    wish = site.catalog.wish("zoe@example.org", circle(0, 10, 200_000), 5.0, datetime.now(UTC))
    assert wish is not None
    queue_confirmation(site.settings, site.catalog, wish, "here")
    site.catalog.unsubscribe(wish.id)
    assert deliver(site.settings, site.catalog).failed == 1
    assert not [one for one in mailbox.messages if "zoe@" in one["To"]]


def told(site: World, key: str) -> list[str]:
    al_haouz = site.catalog.activation(site.al_haouz)
    request = al_haouz.request
    return [
        one
        for one in site.catalog.subscribers(shape(request.area), request.event.magnitude)
        if one.lower().startswith("ada")
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"address": "nobody", **CIRCLE}, "no e-mail address"),
        ({"address": "a@example.org", **CIRCLE, "latitude": "91"}, "within"),
        ({"address": "a@example.org", **CIRCLE, "radius_km": "0"}, "radius"),
        ({"address": "a@example.org", "latitude": "1"}, "go together"),
        ({"address": "a@example.org", **CIRCLE, "magnitude": "12"}, "magnitude"),
        ({"address": "a@example.org", "where": "drawn"}, "draw"),
        ({"address": "a@example.org", "where": "drawn", "area": "{}"}, "area"),
        ({"address": "a@example.org\r\nBcc: b@example.org", **CIRCLE}, "no e-mail address"),
    ],
)
def test_a_wish_that_cannot_be(site: World, given: dict[str, str], said: str) -> None:
    answer = subscribe(site, **given)
    assert answer.status_code == 400
    assert said in html.unescape(re.search(r'role="alert">([^<]*)', answer.text)[1])  # type: ignore[index]


def test_a_form_of_others_subscribes_nobody(site: World) -> None:
    given = {"address": "eve@example.org", "where": "earth"}
    assert requests.post(f"{site.address}/subscribe", given, timeout=30).status_code == 403
    other = {"Sec-Fetch-Site": "cross-site"}
    with requests.Session() as session:
        token = field(session.get(f"{site.address}/subscribe", timeout=30).text)
        given["form_token"] = token
        refused = session.post(f"{site.address}/subscribe", given, headers=other, timeout=30)
    assert refused.status_code == 403
    assert get(f"{site.address}/subscriptions/not-a-token").status_code in (400, 422)


def test_three_wishes_of_an_address_wait_at_most(site: World, mailbox: Mailbox) -> None:
    mailbox.raw.clear()
    for number in range(5):
        around = {**CIRCLE, "latitude": str(number)}
        assert subscribe(site, address="bob@example.org", **around).status_code == 200
    assert ["bob@example.org"] * 3 == [one["To"] for one in letters(mailbox, 3)]


def test_what_cannot_be_asked_for_is_said_beside_what_was_given(site: World) -> None:
    with requests.Session() as session:
        login = session.get(f"{site.address}/login", timeout=30).text
        given = {"name": "duty", "password": PASSWORD, "form_token": field(login)}
        session.post(f"{site.address}/login", given, headers=SAME, timeout=30)
        token = field(session.get(f"{site.address}/request", headers=SAME, timeout=30).text)

        def ask(files: Any = None, **more: str) -> requests.Response:
            about = {"form_token": token, "event_type": "volcano", "event_time": "2026-11-02T00:00"}
            return session.post(
                f"{site.address}/request", {**about, **more}, files=files, headers=SAME,
                timeout=30, allow_redirects=False,
            )  # fmt: skip

        for more, said in (
            ({}, "needs a place"),
            ({"event_time": "soon"}, "event_time"),
            ({"latitude": "99", "longitude": "1"}, "latitude"),
            ({"latitude": "1", "longitude": "1", "tracks": "52 176"}, "176"),
            ({"area": '{"type": "Point", "coordinates": [1, 1]}'}, "Point"),
        ):
            answer = ask(**more)
            assert answer.status_code == 400, more
            assert said in html.unescape(answer.text), more
        ring = "14,37 15,37 15,38 14,37"
        kml = (
            "<kml xmlns='http://www.opengis.net/kml/2.2'><Polygon><outerBoundaryIs><LinearRing>"
            f"<coordinates>{ring}</coordinates></LinearRing></outerBoundaryIs></Polygon></kml>"
        )
        done = ask(files={"file": ("etna.kml", kml)}, name="Etna")
        assert done.status_code == 303
        identifier = done.headers["Location"].partition("?")[0].rpartition("/")[2]
        assert site.catalog.activation(identifier).request.event.name == "Etna"
