"""What was tried against the portal; docs/security.md lists it."""

import gzip
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pytest
import requests
from portal_server import running, serving
from test_69_api import OPERATOR, PASSWORD, REQUEST, World, ask, world

import portal.bodies
import portal.serving
from geobservatory.catalog.database import open_catalog
from portal.app import create_app

__all__ = ["world"]


def raw(world: World, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Any]:
    """Ask for a path as it stands: no client in between makes it harmless."""
    connection = http.client.HTTPConnection(world.address.removeprefix("http://"), timeout=20)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        connection.close()


def talk(world: World, sent: bytes, limit_s: float = 20) -> bytes:
    """Say something to the server, and give all that it says until it hangs up."""
    host, port = world.address.removeprefix("http://").split(":")
    said = b""
    with socket.create_connection((host, int(port)), limit_s) as connection:
        connection.sendall(sent)
        # Hung up on with something unread, a connection is reset.
        with suppress(ConnectionResetError):
            while more := connection.recv(65_536):
                said += more
    return said


# A01 Broken access control, path traversal.

UP = (
    "../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "..%5c..%5cetc%5cpasswd",
    "..%252f..%252fetc%252fpasswd",
    "%c0%ae%c0%ae%c0%af%c0%ae%c0%ae%c0%afetc%c0%afpasswd",
    "....//....//etc/passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "file:%2f%2f%2fetc%2fpasswd",
    "../portal.key",
    "..%2fportal.key",
    "..%2f..%2f..%2f..%2fportal.key",
    "los_displacement.tif%2f..%2f..%2f..%2f..%2f..%2fportal.key",
    "los_displacement.tif%00.json",
)


def test_no_path_leads_to_a_file_that_is_none_of_ours(world: World) -> None:
    requests.get(f"{world.address}/login", timeout=20)
    key = (world.settings.data_dir / "portal.key").read_bytes()
    product = quote(world.json("/api/products")["items"][0]["id"])
    for base in (
        "/",
        "/hubs/",
        "/api/docs/",
        "/account/",
        f"/api/products/{product}/files/",
        "/api/products/",
        "/api/activations/",
        "/ogc/collections/events/items/",
        "/ogc/collections/",
    ):
        for up in UP:
            status, body, _ = raw(world, base + up)
            assert status in (400, 404), base + up
            assert b"root:" not in body and key not in body


def test_who_may_not_is_refused_whatever_the_method(world: World) -> None:
    tricks = {
        "X-HTTP-Method-Override": "POST",
        "X-Original-URL": "/api/audit",
        "X-Role": "operator",
    }
    assert raw(world, "/api/audit", **tricks)[0] == 401
    for method in ("POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"):
        assert raw(world, "/api/audit", method)[0] in (400, 401, 403, 404, 405), method
    assert raw(world, "/api/audit/")[0] in (307, 401, 404)
    assert raw(world, "//api/audit")[0] == 404
    assert raw(world, "/API/AUDIT")[0] == 404


def test_nothing_but_what_is_asked_for_is_taken(world: World) -> None:
    """Mass assignment: fields that a form does not have change nothing, or are refused."""
    more = {**REQUEST, "properties": {**REQUEST["properties"], "state": "complete"}}
    assert ask(world, more, auth=OPERATOR).status_code == 400
    assert world.get("/api/events?role=operator").status_code == 400


# A03 Injection.

SQL = (
    "' OR '1'='1",
    "'; DROP TABLE accounts; --",
    '" OR ""="',
    "1); SELECT pg_sleep(20); --",
    "' UNION SELECT name, password FROM accounts --",
    "\\'; SELECT 1; --",
    "%' OR name LIKE '%",
    "{{7*7}}${7*7}#{7*7}",
    "$(touch /tmp/geobs-was-here)`id`|id;id",
    "<script>alert(1)</script>",
    "eq 'x' or 1 eq 1",
)


def test_no_text_becomes_a_statement(world: World) -> None:
    counted = world.json("/api/events")["matched"]
    for one in SQL:
        sent = quote(one, safe="")
        for path in (
            f"/api/events/{sent}",
            f"/api/activations/{sent}/pairs",
            f"/api/products/{sent}",
            f"/api/products/{sent}/files/{sent}",
            f"/api/hubs/{sent}/hours",
            f"/ogc/collections/{sent}/items",
            f"/ogc/collections/events/items/{sent}",
            f"/api/events?bbox={sent}",
            f"/api/events?datetime={sent}",
            f"/api/events?cursor={sent}",
            f"/api/events?event_type={sent}",
            f"/api/events?min_magnitude={sent}",
            f"/api/events?{sent}=1",
            f"/api/products?verdict={sent}",
        ):
            status, body, headers = raw(world, path)
            assert status in (400, 404), path
            assert headers["Content-Type"] == "application/problem+json", path
            assert b"argon2" not in body and b"49" not in body
        found = world.json("/api/products", activation_id=one)
        assert found["items"] == []
        assert raw(world, f"/api/audit?who={sent}&action={sent}", **basic())[1] == b"[]"
        assert world.get("/api/me", auth=(one, one)).status_code in (401, 429)
    assert world.json("/api/events")["matched"] == counted
    assert len(world.catalog.accounts()) == 2


def basic() -> dict[str, str]:
    import base64

    shown = base64.b64encode(":".join(OPERATOR).encode()).decode()
    return {"Authorization": f"Basic {shown}"}


def test_what_a_name_holds_is_text_on_every_page(world: World) -> None:
    """XSS: what is handed in comes back as text."""
    page = world.get("/login", params={"next": '/"><script>alert(1)</script>'})
    assert "<script>alert" not in page.text
    browser = requests.Session()
    token = browser.get(f"{world.address}/login").text.split('name="form_token" value="')[1]
    form = {
        "form_token": token.split('"')[0],
        "name": '"><script>alert(1)</script>',
        "password": "x",
    }
    same = {"Sec-Fetch-Site": "same-origin"}
    page = browser.post(f"{world.address}/login", data=form, headers=same, timeout=20)
    assert page.status_code == 401 and "<script>alert" not in page.text


def test_no_line_of_the_audit_is_written_by_a_stranger(world: World) -> None:
    world.get("/api/me", auth=("x\n2026-01-01 otto login done", "y"))
    noted = world.catalog.audit(limit=1)[0]
    assert noted.outcome == "refused" and "\n" not in noted.who


# A10 Server-side request forgery.


class _Canary(BaseHTTPRequestHandler):
    asked: list[str] = []  # noqa: RUF012  of all requests

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    do_POST = do_PUT = do_HEAD = do_CONNECT = do_GET  # noqa: N815  so `http.server` calls them

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def canary() -> Iterator[str]:
    _Canary.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Canary)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_nothing_that_is_handed_in_is_fetched(world: World, canary: str) -> None:
    polygon = REQUEST["geometry"]
    link = {"type": "link", "properties": {"href": canary, "type": "proj4"}}
    for geometry in (
        canary,
        {"$ref": canary},
        {"type": "Polygon", "coordinates": canary},
        {"type": canary, "coordinates": polygon["coordinates"]},
        {**polygon, "crs": link, "@context": canary},
        {"type": "GeometryCollection", "geometries": [{"href": canary}]},
        {**polygon, "coordinates": [["/vsicurl/" + canary, 1]]},
    ):
        for wanted in (
            {**REQUEST, "geometry": geometry},
            {**REQUEST, "geometry": geometry, "crs": link, "@context": canary},
            {"type": "FeatureCollection", "href": canary, "features": [{"href": canary}]},
        ):
            answer = ask(world, wanted, auth=OPERATOR)
            assert answer.status_code in (200, 201, 400)
    named = {
        **REQUEST,
        "properties": {**REQUEST["properties"], "source_id": canary, "name": canary},
    }
    ask(world, named, auth=OPERATOR)
    ask(world, canary, auth=OPERATOR)
    for asked in (
        f"/api/events?bbox={canary}",
        f"/api/events?cursor={canary}",
        f"/api/events?url={canary}",
        f"/api/products/{quote(canary, safe='')}",
        f"/login?next={canary}",
        f"/ogc?f={canary}",
    ):
        host = canary.removeprefix("http://")
        headers = {"Host": host, "X-Forwarded-Host": host, "Referer": canary, "Origin": canary}
        raw(world, asked, **headers)
    raw(world, canary)
    assert _Canary.asked == []


# A02, A07 Tokens and passwords do not leak.


def test_secrets_come_into_no_log(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    account = world.catalog.account("otto")
    until = datetime.now(UTC) + timedelta(hours=1)
    with serving(world.settings, lambda: open_catalog(world.url)) as address:
        _, secret = world.catalog.new_token(account.id, "x", ["read"], until)
        bearer = {"Authorization": f"Bearer {secret}"}
        assert requests.get(f"{address}/api/me", headers=bearer, timeout=20).status_code == 200
        assert requests.get(f"{address}/api/me", auth=OPERATOR, timeout=20).status_code == 200
        wrong = ("otto", f"{PASSWORD} wrong")
        assert requests.get(f"{address}/api/me", auth=wrong, timeout=20).status_code == 401
    said = caplog.text + "".join(capfd.readouterr())
    for one in (secret, PASSWORD, basic()["Authorization"]):
        assert one not in said


def test_a_token_in_an_address_is_none(world: World) -> None:
    """Addresses are logged and kept everywhere; nobody is to get used to tokens in them."""
    account = world.catalog.account("otto")
    until = datetime.now(UTC) + timedelta(hours=1)
    _, secret = world.catalog.new_token(account.id, "x", ["read"], until)
    for name in ("token", "access_token", "api_key", "key"):
        assert world.get(f"/api/me?{name}={secret}").json()["name"] == "anonymous"
        assert world.get("/api/me", cookies={name: secret}).json()["name"] == "anonymous"
    assert world.get("/api/me", cookies={"geobs_session": secret}).json()["name"] == "anonymous"


# A05 Security misconfiguration.


def test_every_answer_has_the_strict_headers(world: World) -> None:
    app = create_app(world.settings, lambda: open_catalog(world.url))

    @app.get("/api/broken")
    async def broken() -> None:
        raise RuntimeError("a secret of the inside")

    with running(app) as address:
        for path, status in (
            ("/", 200),
            ("/login", 200),
            ("/hubs", 200),
            ("/metrics", 200),
            ("/api/docs", 200),
            ("/api/events", 200),
            ("/ogc", 200),
            ("/nothing", 404),
            ("/api/audit", 401),
            ("/api/events?x=1", 400),
            ("/api/broken", 500),
        ):
            # Pages of other sites may read nothing of it.
            answer = requests.get(
                f"{address}{path}", headers={"Origin": "https://evil.example"}, timeout=20
            )
            assert answer.status_code == status, path
            headers = answer.headers
            assert headers["X-Content-Type-Options"] == "nosniff", path
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Referrer-Policy"] == "same-origin"
            policy = dict(
                one.split(" ", 1) for one in headers["Content-Security-Policy"].split("; ")
            )
            assert policy["default-src"] == policy["base-uri"] == "'none'"
            assert policy["frame-ancestors"] == "'none'"
            assert "unsafe" not in policy["script-src"] and "*" not in policy["script-src"]
            assert "Access-Control-Allow-Origin" not in headers
            assert "Server" not in headers and "X-Powered-By" not in headers
            assert "inside" not in answer.text and "Traceback" not in answer.text


def test_two_lengths_are_no_request(world: World) -> None:
    """Request smuggling: what two servers would read differently is refused."""
    for head in (
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"X: a\r\n\tb\nGET /api/audit HTTP/1.1\r\n",
    ):
        sent = (
            b"POST /api/activations HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            + head
            + b"\r\n0\r\n\r\nGET /api/audit HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        said = talk(world, sent)
        assert said.count(b"HTTP/1.1 ") <= 1, head
        assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 501")), said


# A04 Oversize, and slow.


def test_what_is_too_large_is_refused(world: World) -> None:
    post = f"{world.address}/api/activations"
    much = b"x" * (world.settings.portal.limits.body_kb * 1024 + 1)
    assert requests.post(post, data=much, auth=OPERATOR, timeout=20).status_code == 413

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 65_536

    # Whoever does not say how much it is, is stopped at the limit; the rest is not read.
    with pytest.raises(requests.ConnectionError), requests.Session() as session:
        answer = session.post(post, data=chunks(), auth=OPERATOR, timeout=20)
        assert answer.status_code == 413
        raise requests.ConnectionError
    for path in ("/api/events?bbox=" + "1" * 30_000, "/api/events/" + "x" * 30_000):
        assert raw(world, path)[0] in (400, 404)
    for begun in (b"GET / HTTP/1.1\r\nX: ", b"GET /"):
        said = talk(world, begun + b"x" * 200_000)
        assert said == b"" or said.startswith(b"HTTP/1.1 400")


def test_what_is_packed_is_not_unpacked(world: World) -> None:
    """A bomb of some kilobytes stays one."""
    bomb = gzip.compress(b"[" + b"1," * 20_000_000 + b"1]", 9)
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    answer = requests.post(
        f"{world.address}/api/activations", data=bomb, headers=headers, auth=OPERATOR, timeout=20
    )
    assert answer.status_code in (400, 422)


def test_patterns_do_not_run_away(world: World) -> None:
    for text in ("1" * 299, "1." * 149, "1e1," * 74, "-" * 299):
        assert world.get("/api/events", params={"bbox": text}).status_code == 400
    for text in ("2" * 99, "../" * 33, "2023-09-08T" * 9):
        assert world.get("/api/events", params={"datetime": text}).status_code == 400


@contextmanager
def idle(world: World, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    host, port = world.address.removeprefix("http://").split(":")
    connections = [socket.create_connection((host, int(port)), 20) for _ in range(count)]
    try:
        for one in connections:
            one.sendall(sent)
        yield connections
    finally:
        for one in connections:
            one.close()


def test_slow_clients_hold_up_nobody_and_are_hung_up_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal.serving, "HEAD_LIMIT_S", 0.5)
    monkeypatch.setattr(portal.bodies, "_LIMIT_S", 0.5)
    form = b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nname="
    body = b"POST /login HTTP/1.1\r\nHost: x\r\n" + form
    for sent in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n", body):
        with idle(world, 100, sent) as connections:
            assert world.get("/api/events").status_code == 200
            for one in connections:
                said = b""
                while more := one.recv(1000):
                    said += more
                assert said == b"" or said.startswith(b"HTTP/1.1 408")
    # Who drips goes on no longer.
    host, port = world.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        began = time.monotonic()
        with pytest.raises(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\n")
            while time.monotonic() - began < 20:
                connection.sendall(b"X: y\r\n")
                time.sleep(0.1)
    # A request that takes long to be answered is no slow one.
    assert json.loads(world.get("/api/events").text)["matched"] >= 5
