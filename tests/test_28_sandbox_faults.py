"""What goes wrong at the sandbox's hubs, seen on the wire; and that it goes wrong again alike."""

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import requests
from pydantic import TypeAdapter
from sandbox_safe import make_pass
from sentinelsat import SentinelAPI
from sentinelsat.exceptions import InvalidChecksumError, LTATriggered, ServerError

from geobservatory.errors import ConfigurationError, InputError, NotFoundError
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.emsc import EmscConfig
from geobservatory.sandbox.servers.faults import Faults, Rule, read_rules
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, running

USER = ("sandbox", "sandbox")
TOKEN = "/auth/realms/CDSE/protocol/openid-connect/token"
START = datetime(2023, 9, 30, tzinfo=UTC)
Inject = Callable[..., None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faults")
    make_pass(root, 3)
    about = {"unid": "a", "lastupdate": "2023-09-30T00:00:01Z"}
    (root / "emsc.jsonl").write_text(json.dumps({"data": {"properties": about}}))
    return root


@contextmanager
def _world(folder: Path, *rules: dict[str, Any]) -> Iterator[Addresses]:
    config = WorldConfig(
        products=folder,
        hubs=[
            DhusConfig(name="dhus", concurrent=100),
            CdseConfig(name="cdse", concurrent=100),
            EmscConfig(name="emsc", conversation=folder / "emsc.jsonl"),
        ],
        start=START,
        speed=0,
        faults=[Rule.model_validate(rule) for rule in rules],
    )
    with running(config) as addresses:
        yield addresses


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[Addresses]:
    with _world(folder) as addresses:
        yield addresses


@pytest.fixture
def inject(world: Addresses) -> Iterator[Inject]:
    """Put faults in force, of downloads from the DHuS unless said otherwise, for one test."""

    def put(*faults: dict[str, Any], **where: Any) -> None:
        where = {"hub": "dhus", "path": "*/$value", **where}
        rules = [
            {"name": f"{fault['kind']} {number}", "fault": fault, **where}
            for number, fault in enumerate(faults)
        ]
        answer = requests.post(f"{world['control']}/faults", json=rules, timeout=5)
        assert answer.status_code == 201, answer.text

    yield put
    requests.delete(f"{world['control']}/faults", timeout=5)


@pytest.fixture
def product(world: Addresses) -> str:
    return _product(world)


def _product(world: Addresses) -> str:
    """Address of the oldest product at the DHuS."""
    api = SentinelAPI(*USER, world["dhus"], show_progressbars=False)
    uuid = next(iter(api.query(platformname="Sentinel-1", order_by="beginposition")))
    return f"{world['dhus']}/odata/v1/Products('{uuid}')/$value"


@pytest.fixture
def whole(folder: Path) -> bytes:
    return min(folder.glob("*.zip")).read_bytes()


def _get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, auth=USER, headers=headers, timeout=5)


def _raw(url: str) -> tuple[str, bytes, str]:
    """Get by a bare socket: headers, body, and how the connection ended."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    got, ending = b"", "closed"
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as link:
        link.sendall(
            f"GET {parts.path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            "Authorization: Basic c2FuZGJveDpzYW5kYm94\r\n\r\n".encode()
        )
        try:
            while piece := link.recv(65_536):
                got += piece
        except ConnectionResetError:
            ending = "reset"
    head, _, body = got.partition(b"\r\n\r\n")
    return head.decode(), body, ending


def _tokens(address: str) -> dict[str, Any]:
    form = {"client_id": "cdse-public", "grant_type": "password"}
    form |= {"username": USER[0], "password": USER[1]}
    return dict(requests.post(address + TOKEN, data=form, timeout=5).json())


# Each fault.


def test_latency(inject: Inject, product: str, whole: bytes) -> None:
    inject({"kind": "latency", "seconds": 0.2})
    began = time.monotonic()
    assert _get(product).content == whole and time.monotonic() - began > 0.2


def test_bandwidth(inject: Inject, product: str, whole: bytes) -> None:
    inject({"kind": "bandwidth", "bytes_per_s": 1_000_000})
    began = time.monotonic()
    assert _get(product).content == whole
    assert 0.9 * len(whole) / 1e6 < time.monotonic() - began < 5


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_errors_and_when_to_come_again(inject: Inject, product: str, code: int) -> None:
    inject({"kind": "status", "code": code, "retry_after_s": 17}, times=1)
    answer = _get(product)
    assert (answer.status_code, answer.headers["Retry-After"]) == (code, "17")
    assert _get(product).status_code == 200


@pytest.mark.parametrize("n", [0, 1, 1000, 270_001])
def test_a_connection_is_reset_at_a_byte(
    inject: Inject, product: str, whole: bytes, n: int
) -> None:
    inject({"kind": "reset", "after_bytes": n})
    head, body, ending = _raw(product)
    assert f"Content-Length: {len(whole)}" in head
    assert body == whole[:n] and ending == "reset"


def test_a_body_is_cut_in_good_order(inject: Inject, product: str, whole: bytes) -> None:
    inject({"kind": "truncate", "after_bytes": 5000})
    head, body, ending = _raw(product)
    assert f"Content-Length: {len(whole)}" in head
    assert body == whole[:5000] and ending == "closed"
    # A 206 that ends early is what has corrupted archives.
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _get(product, Range="bytes=100-")


def test_a_shorter_body_is_not_cut(inject: Inject, product: str, whole: bytes) -> None:
    inject({"kind": "truncate", "after_bytes": 5000})
    part = _get(product, Range="bytes=10-19")
    assert part.status_code == 206 and part.content == whole[10:20]


def test_bytes_are_flipped(inject: Inject, product: str, whole: bytes) -> None:
    inject({"kind": "flip", "count": 3})
    got = _get(product).content
    assert len(got) == len(whole)
    assert sum(a != b for a, b in zip(got, whole, strict=True)) == 3


def test_the_checksum_is_wrong(
    inject: Inject, world: Addresses, product: str, tmp_path: Path
) -> None:
    api = SentinelAPI(*USER, world["dhus"], show_progressbars=False)
    uuid = product.split("'")[1]
    true = api.get_product_odata(uuid)["md5"]
    listing = f"{world['cdse']}/odata/v1/Products({uuid})"
    inject({"kind": "wrong_checksum"}, hub="*", path="*")
    assert api.get_product_odata(uuid)["md5"] not in ("", true)
    assert requests.get(listing, timeout=5).json()["Checksum"][0]["Value"] != true
    with pytest.raises(InvalidChecksumError):
        api.download(uuid, tmp_path)


def test_the_length_is_wrong(inject: Inject, world: Addresses, product: str, whole: bytes) -> None:
    listing = product.replace("/$value", "?$format=json")
    inject({"kind": "wrong_length", "by": 100}, path="*')")
    assert _get(listing).json()["d"]["ContentLength"] == str(len(whole) + 100)
    requests.delete(f"{world['control']}/faults", timeout=5)
    inject({"kind": "wrong_length", "by": 100})
    head, body, _ = _raw(product)
    assert f"Content-Length: {len(whole) + 100}" in head and body == whole
    requests.delete(f"{world['control']}/faults", timeout=5)
    inject({"kind": "wrong_length", "by": -100})
    assert _get(product).content == whole[:-100]


def test_credentials_run_out(inject: Inject, world: Addresses, product: str) -> None:
    address = world["cdse"]
    bearer = {"Authorization": f"Bearer {_tokens(address)['access_token']}"}
    url = f"{address}/odata/v1/Products({product.split(chr(39))[1]})/$value"
    assert requests.get(url, headers=bearer, timeout=5).status_code == 200
    inject({"kind": "expired_token"}, hub="*", path="*/$value", times=2)
    refused = requests.get(url, headers=bearer, timeout=5)
    assert (refused.status_code, refused.json()["code"]) == (401, "DAT-ZIP-109")
    assert _get(product).status_code == 401
    assert requests.get(url, headers=bearer, timeout=5).status_code == 200


def test_a_listing_is_stale(inject: Inject, world: Addresses) -> None:
    api = SentinelAPI(*USER, world["dhus"], show_progressbars=False)
    catalogue = f"{world['cdse']}/odata/v1/Products?$count=true"
    assert api.count(platformname="Sentinel-1") == 3
    inject({"kind": "stale_listing", "age_s": 5 * 86_400}, hub="*", path="*")
    assert api.count(platformname="Sentinel-1") == 2
    assert requests.get(catalogue, timeout=5).json()["@odata.count"] == 2


def test_products_are_offline(
    inject: Inject, world: Addresses, product: str, tmp_path: Path
) -> None:
    api = SentinelAPI(*USER, world["dhus"], show_progressbars=False)
    uuid = product.split("'")[1]
    inject({"kind": "offline"}, hub="*", path="*")
    assert _get(product).status_code == 202 and not api.is_online(uuid)
    with pytest.raises(LTATriggered):
        api.download(uuid, tmp_path)
    listing = f"{world['cdse']}/odata/v1/Products({uuid})"
    assert requests.get(listing, timeout=5).json()["Online"] is False


def test_maintenance_looks_like_success(inject: Inject, world: Addresses, product: str) -> None:
    inject({"kind": "maintenance"}, path="*")
    answer = _get(product)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    with pytest.raises(ServerError, match="back soon"):
        SentinelAPI(*USER, world["dhus"], show_progressbars=False).count(producttype="SLC")


def test_a_port_is_closed_and_opened_again(
    inject: Inject, world: Addresses, product: str, whole: bytes
) -> None:
    session = requests.Session()
    session.auth = USER
    assert session.get(product, timeout=5).content == whole
    inject({"kind": "refuse"}, path="*")
    parts = urlsplit(product)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=5)
    # A connection that was kept is gone too.
    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(product, timeout=5)
    state = requests.get(f"{world['control']}/state", timeout=5).json()
    assert [hub["open"] for hub in state["hubs"]] == [False, True, True]
    requests.delete(f"{world['control']}/faults", timeout=5)
    assert session.get(product, timeout=5).content == whole


def test_a_refusal_ends_with_its_time(world: Addresses, inject: Inject, product: str) -> None:
    end = START + timedelta(hours=1)
    inject({"kind": "refuse"}, path="*", since=START.isoformat(), until=end.isoformat())
    with pytest.raises(requests.exceptions.ConnectionError):
        _get(product)
    for moment in (end, START):
        moved = {"now": moment.isoformat()}
        requests.post(f"{world['control']}/time", json=moved, timeout=5)
        if moment == end:
            assert _get(product).status_code == 200


def test_a_clock_is_ahead(inject: Inject, world: Addresses, product: str) -> None:
    address = world["cdse"]
    inject({"kind": "skew", "seconds": 7200}, hub="cdse", path="*Products*")
    answer = requests.get(f"{address}/odata/v1/Products", timeout=5)
    ahead = parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)
    assert ahead.total_seconds() == pytest.approx(7200, abs=5)
    # To a hub ahead of time, a fresh token ran out long ago.
    bearer = {"Authorization": f"Bearer {_tokens(address)['access_token']}"}
    url = f"{address}/odata/v1/Products({product.split(chr(39))[1]})/$value"
    assert requests.get(url, headers=bearer, timeout=5).json()["code"] == "DAT-ZIP-109"


def test_faults_strike_a_socket_too(inject: Inject, world: Addresses) -> None:
    inject({"kind": "reset", "after_bytes": 10}, hub="emsc", path="*websocket")

    async def listen() -> aiohttp.WSMsgType:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{world['emsc']}/standing_order/websocket") as link,
        ):
            moved = {"now": (START + timedelta(hours=1)).isoformat()}
            await session.post(f"{world['control']}/time", json=moved)
            return (await link.receive(timeout=2)).type

    lost = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSING)
    assert asyncio.run(listen()) in lost
    requests.post(f"{world['control']}/time", json={"now": START.isoformat()}, timeout=5)


# Mixed, by rule, by chance.


def test_faults_mix(inject: Inject, product: str, whole: bytes) -> None:
    inject(
        {"kind": "latency", "seconds": 0.1},
        {"kind": "bandwidth", "bytes_per_s": 1_000_000},
        {"kind": "flip", "count": 500},
        {"kind": "reset", "after_bytes": 100_000},
    )
    began = time.monotonic()
    _, body, ending = _raw(product)
    assert time.monotonic() - began > 0.2 and ending == "reset" and len(body) == 100_000
    assert 100 < sum(a != b for a, b in zip(body, whole, strict=False)) < 250


def test_a_rule_picks_its_requests(inject: Inject, product: str) -> None:
    inject({"kind": "status", "code": 503}, method="GET", skip=1, times=2)
    assert requests.head(product, auth=USER, timeout=5).status_code == 200
    assert [_get(product).status_code for _ in range(5)] == [200, 503, 503, 200, 200]


def test_a_client_resumes_after_a_cut(
    inject: Inject, world: Addresses, product: str, whole: bytes, tmp_path: Path
) -> None:
    api = SentinelAPI(*USER, world["dhus"], show_progressbars=False)
    inject({"kind": "truncate", "after_bytes": 100_000}, method="GET", path="*)/$value", times=1)
    uuid = product.split("'")[1]
    api.downloader.chunk_size = 10_000
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.download(uuid, tmp_path)
    again = api.download(uuid, tmp_path)
    assert 0 < again["downloaded_bytes"] < len(whole)
    assert Path(again["path"]).read_bytes() == whole


_WEATHER: list[dict[str, Any]] = [
    {
        "name": "busy",
        "hub": "dhus",
        "path": "*/$value",
        "probability": 0.3,
        "seed": 1,
        "fault": {"kind": "status", "code": 503},
    },
    {
        "name": "torn",
        "hub": "dhus",
        "path": "*/$value",
        "probability": 0.4,
        "seed": 1,
        "fault": {"kind": "reset"},
    },
    {
        "name": "dirty",
        "hub": "dhus",
        "path": "*/$value",
        "probability": 0.5,
        "seed": 1,
        "fault": {"kind": "flip", "count": 2},
    },
]


def _history(folder: Path, seed: int) -> list[tuple[str, bytes, str]]:
    """Download ten times in a world of that weather."""
    with _world(folder, *({**rule, "seed": seed} for rule in _WEATHER)) as world:
        url = _product(world)
        answers = [_raw(url) for _ in range(10)]
        return [(head.split("\r\n")[0], body, ending) for head, body, ending in answers]


def test_the_same_seed_brings_the_same_weather(folder: Path) -> None:
    first = _history(folder, 1)
    assert first == _history(folder, 1) and first != _history(folder, 2)
    assert {line for line, _, _ in first} == {"HTTP/1.1 200 OK", "HTTP/1.1 503 Service Unavailable"}
    assert {ending for _, _, ending in first} == {"closed", "reset"}


def test_chance_does_not_hang_on_the_order_of_requests() -> None:
    rule = Rule.model_validate({**_WEATHER[0], "probability": 0.5, "path": "*"})

    def struck(paths: list[str]) -> dict[str, list[bool]]:
        faults = Faults([rule], SandboxClock(START, 0))
        seen: dict[str, list[bool]] = {}
        for path in paths:
            seen.setdefault(path, []).append(bool(faults.strike("dhus", "GET", path)))
        return seen

    assert struck(["/a"] * 20 + ["/b"] * 20) == struck(["/b", "/a"] * 20)
    assert 5 < sum(struck(["/a"] * 20)["/a"]) < 15


# The rules themselves.


def test_rules_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.json"
    path.write_text(json.dumps(_WEATHER))
    assert [rule.name for rule in read_rules(path)] == ["busy", "torn", "dirty"]
    path.write_text(json.dumps([{"name": "x", "fault": {"kind": "flood"}}]))
    with pytest.raises(ConfigurationError, match="flood"):
        read_rules(path)
    with pytest.raises(ConfigurationError):
        read_rules(tmp_path / "none.json")


def test_the_examples_of_the_documentation_hold() -> None:
    page = Path(__file__).parents[1] / "docs" / "sandbox-servers.md"
    world, rules = re.findall(r"```json\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(WorldConfig.model_validate_json(world).hubs) == 8
    assert len(TypeAdapter(list[Rule]).validate_json(rules)) == 4


@pytest.mark.parametrize(
    "rule",
    [
        {"name": "x", "fault": {"kind": "refuse"}, "path": "*/$value"},
        {"name": "x", "fault": {"kind": "status", "code": 200}},
        {"name": "x", "fault": {"kind": "latency", "seconds": -1}},
        {"name": "x", "fault": {"kind": "reset"}, "probability": 2},
        {"name": "x", "fault": {"kind": "reset"}, "since": "2023-09-01T00:00:00"},
        {"name": "", "fault": {"kind": "reset"}},
        {"name": "x", "fault": {"kind": "reset"}, "when": "always"},
    ],
)
def test_rules_that_make_no_sense_are_refused(rule: dict[str, Any], world: Addresses) -> None:
    with pytest.raises(ValueError, match=r"validation error"):
        TypeAdapter(Rule).validate_python(rule)
    answer = requests.post(f"{world['control']}/faults", json=rule, timeout=5)
    assert answer.status_code == 400 and answer.json()["error"]


def test_rules_come_and_go_by_name(inject: Inject, world: Addresses, product: str) -> None:
    control = f"{world['control']}/faults"
    inject({"kind": "latency", "seconds": 0.01})
    assert _get(product).status_code == 200
    (listed,) = requests.get(control, timeout=5).json()
    assert listed["name"] == "latency 0" and listed["struck"] == 1
    again = {"name": "latency 0", "fault": {"kind": "flip"}}
    both = [{"name": "new", "fault": {"kind": "flip"}}, again]
    assert requests.post(control, json=both, timeout=5).status_code == 409
    assert len(requests.get(control, timeout=5).json()) == 1
    assert requests.delete(f"{control}/latency 0", timeout=5).json() == []
    assert requests.delete(f"{control}/latency 0", timeout=5).status_code == 404


def test_a_name_is_used_once() -> None:
    rule = Rule.model_validate(_WEATHER[0])
    faults = Faults([rule], SandboxClock(START, 0))
    with pytest.raises(InputError, match="in force"):
        faults.add(rule)
    with pytest.raises(NotFoundError):
        faults.remove("none")


def test_the_log_says_what_struck(inject: Inject, world: Addresses, product: str) -> None:
    inject({"kind": "reset", "after_bytes": 500})
    _raw(product)
    time.sleep(0.05)
    last = requests.get(f"{world['control']}/requests", timeout=5).json()["dhus"][-1]
    assert last["faults"] == ["reset 0"] and last["broken"] and last["sent"] == 500
