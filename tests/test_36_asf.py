"""The archive of the ASF, over real sockets: searched through `asf_search`, and downloaded from."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asf_search
import pytest
import requests
import shapely
import yaml
from sandbox_safe import make_pass, make_safe, to_loopback
from scripted_server import Asked, Said, scripted

from geobservatory.errors import ConfigurationError, TransientError
from geobservatory.hubs.asf import AsfConnector
from geobservatory.hubs.model import Offer, Query
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.offers import OfferPolicy
from geobservatory.sandbox.servers.stock import md5_of
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, running
from geobservatory.settings.model import Hub
from geobservatory.transfer.download import download
from geobservatory.transfer.source import HubBusyError, HubRefusedError, HubUnreachableError

START = datetime(2024, 6, 1, tzinfo=UTC)
MANY = datetime(2022, 1, 1, tzinfo=UTC)
PASSWORD = {"user": "sandbox", "password": "sandbox"}
AREA = shapely.box(-9, 31, -8, 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More products than a page of one pass, three of another, one over the antimeridian."""
    root = tmp_path_factory.mktemp("products")
    make_pass(root, 3)
    for number in range(252):
        start = MANY + timedelta(hours=number)
        make_safe(root, start, track=7, direction="ASCENDING", size=500)
    make_safe(root, datetime(2021, 5, 1, tzinfo=UTC), corner=(-179, -20), size=500)
    return root


@pytest.fixture(scope="module")
def world(folder: Path) -> Iterator[Addresses]:
    hubs = [AsfConfig(name="asf"), AsfConfig(name="half", offer=OfferPolicy(share=0.5))]
    with running(WorldConfig(products=folder, hubs=hubs, start=START, speed=0)) as addresses:
        yield addresses


@pytest.fixture
def faults(world: Addresses) -> Iterator[Any]:
    """Put a fault in force; it is lifted after the test."""

    def strike(**rule: Any) -> None:
        answer = requests.post(
            f"{world['control']}/faults", json=[{"name": "f", "hub": "asf", **rule}], timeout=5
        )
        answer.raise_for_status()

    yield strike
    requests.delete(f"{world['control']}/faults", timeout=5).raise_for_status()


@pytest.fixture
def asf(world: Addresses) -> AsfConnector:
    return connector(world["asf"], **PASSWORD)


def connector(address: str, deadline_s: float = 60, **account: Any) -> AsfConnector:
    hub = Hub.model_validate({"name": "asf", "kind": "asf", "address": address, **account})
    return AsfConnector(hub, deadline_s)


def found(asf: AsfConnector, **query: Any) -> list[Offer]:
    return [offer for page in asf.search(Query(**query)) for offer in page]


def the_requests(world: Addresses) -> list[dict[str, Any]]:
    seen = requests.get(f"{world['control']}/requests", timeout=5).json()["asf"]
    return list(seen)


# Search.


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({}, 256),
        ({"missions": ("S1A", "S1C")}, 256),
        ({"missions": ("S1B",)}, 0),
        ({"missions": ("S2A",)}, 0),
        ({"product_type": "GRD"}, 0),
        ({"product_type": "ETA"}, 0),
        ({"product_type": None, "mode": None}, 256),
        ({"mode": "EW"}, 0),
        ({"polarisation": "VH", "relative_orbit": 52}, 4),
        ({"polarisation": "HH"}, 0),
        ({"polarisation": "XX"}, 0),
        ({"area": AREA, "relative_orbit": 52}, 3),
        ({"area": shapely.Point(-8.5, 31.5), "relative_orbit": 52}, 3),
        ({"area": shapely.box(0, 31, 1, 32)}, 0),
        # The box about a ring is hit, the ring is not.
        ({"area": shapely.box(-20, 20, 10, 50) - shapely.box(-19, 21, 9, 49)}, 0),
        ({"area": shapely.MultiPolygon([shapely.box(179, -21, 180, -17)])}, 1),
        ({"area": shapely.box(-180, -21, -178.9, -17) | shapely.box(179, -21, 180, -17)}, 1),
        ({"area": shapely.box(-180, -90, 180, 90), "relative_orbit": 52}, 4),
        ({"start": datetime(2023, 9, 16, tzinfo=UTC)}, 2),
        # Sensed until 06:37:57.196: the fraction of a second counts.
        ({"start": datetime(2023, 9, 28, 6, 37, 57, 190_000, tzinfo=UTC)}, 1),
        ({"start": datetime(2023, 9, 28, 6, 37, 57, 197_000, tzinfo=UTC)}, 0),
        ({"stop": datetime(2021, 5, 1, 0, 0, 0, 300_000, tzinfo=UTC)}, 1),
        ({"stop": datetime(2021, 5, 1, 0, 0, 0, 200_000, tzinfo=UTC)}, 0),
        ({"start": MANY, "stop": MANY + timedelta(hours=1, seconds=1)}, 2),
        ({"relative_orbit": 52, "direction": "descending"}, 4),
        ({"relative_orbit": 52, "direction": "ascending"}, 0),
        ({"name": "S1A_IW_SLC__1SDV_202309*"}, 3),
        ({"name": "S1B_*"}, 0),
        # Published an hour after sensing.
        ({"published_since": datetime(2023, 9, 28, 7, tzinfo=UTC)}, 1),
        ({"published_since": datetime(2023, 9, 28, 8, tzinfo=UTC)}, 0),
    ],
)
def test_all_that_can_be_asked(asf: AsfConnector, query: dict[str, Any], count: int) -> None:
    offers = found(asf, **query)
    assert len(offers) == count == len({offer.id for offer in offers})


def test_times_may_be_of_any_zone(asf: AsfConnector) -> None:
    athens = datetime.fromisoformat("2023-09-28T10:00:00+03:00")
    assert len(found(asf, published_since=athens, stop=athens)) == 1


def test_an_offer_tells_all(asf: AsfConnector, folder: Path) -> None:
    (offer,) = found(asf, name="S1A_IW_SLC__1SDV_20230904*")
    product = offer.product
    path = folder / f"{product.name}.zip"
    assert (product.start.microsecond, product.stop.microsecond) == (213_065, 196_353)
    assert product.relative_orbit == 52 and product.direction == "descending"
    assert product.polarisations == ("VV", "VH") and product.footprint.contains(
        shapely.Point(-8.5, 31.5)
    )
    assert offer.hub == "asf" and offer.id == f"{product.name}-SLC" and offer.online
    assert offer.size == path.stat().st_size
    assert offer.checksums == {"md5": md5_of(path)}
    assert offer.published == product.stop.replace(microsecond=196_000) + timedelta(hours=1)
    assert asf.find(product.name) == offer and asf.find(product.name[:-4] + "0000") is None


def test_a_footprint_over_the_antimeridian_is_in_two_parts(asf: AsfConnector) -> None:
    (offer,) = found(asf, name="S1A_IW_SLC__1SDV_20210501*")
    west, _, east, _ = offer.product.footprint.bounds
    assert (west, east) == (-180, 180) and len(offer.product.footprint.geoms) == 2


def test_pages_come_one_by_one(world: Addresses, asf: AsfConnector) -> None:
    before = len(the_requests(world))
    pages = asf.search(Query())
    assert len(next(pages)) == 250 and len(the_requests(world)) == before + 1
    assert [len(page) for page in pages] == [6]


def test_searches_share_nothing(world: Addresses) -> None:
    """Two archives and six threads at a time, with the library's own settings as they were."""
    one, half = connector(world["asf"]), connector(world["half"])
    few = len(found(half))
    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(lambda asf: len(found(asf)), [one, half] * 3))
    assert counts == [256, few] * 3 and few < 200
    assert asf_search.constants.INTERNAL.CMR_HOST == "cmr.earthdata.nasa.gov"


def test_no_credentials_are_needed_or_sent_to_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password of-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with scripted(lambda asked: Said(b'{"hits": 0, "items": []}')) as server:
        assert found(connector(server.address, token="the-token")) == []
        assert "Authorization" not in server.asked[0].headers and not server.told("the-token")


# What is no answer.


def page(items: list[Any], hits: int = 10, after: str | None = None) -> Said:
    headers = {} if after is None else {"CMR-Search-After": after}
    return Said(json.dumps({"hits": hits, "items": items}).encode(), headers=headers)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Said(b"<html>Maintenance</html>", headers={"Content-Type": "text/html"}), "text/html"),
        (Said(b'{"hits": 1, "items": [{"um'), "no page of a CMR"),
        (Said(b'{"hits": 1}'), "no page of a CMR"),
        (Said(b"[]"), "no page of a CMR"),
        (page([1, None, {}]), "no entry that is one"),
        (page([{"umm": {}, "meta": {}}]), "KeyError"),
        (Said(b"", 500), "500"),
        (Said(b"", 302, {"Location": "/login"}), "302"),
        (Said(b'{"errors": ["Parameter [x] was not recognized."]}', 400), "does not understand"),
        (Said(b"gone fishing", 400), "no page of a CMR"),
        (Said(b"{}", headers={"Content-Length": "9", "Connection": "close"}), "broken off"),
        (Said(b"no gzip", headers={"Content-Encoding": "gzip"}), "broken off"),
    ],
)
def test_what_is_no_answer_is_an_error(
    monkeypatch: pytest.MonkeyPatch, said: Said, error: str
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with scripted(lambda asked: said) as server, pytest.raises(HubUnreachableError, match=error):
        found(connector(server.address))


def test_who_is_refused_or_busy_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with (
        scripted(lambda asked: Said(b"", 401)) as server,
        pytest.raises(HubRefusedError, match="check the account"),
    ):
        found(connector(server.address))
    busy = Said(b"", 429, {"Retry-After": "90"})
    with scripted(lambda asked: busy) as server, pytest.raises(HubBusyError) as caught:
        found(connector(server.address))
    assert caught.value.retry_after_s == 90 and len(server.asked) == 1
    with pytest.raises(HubUnreachableError, match="asf"):
        found(connector("http://127.0.0.1:9"))


def test_a_catalogue_that_recovers_is_asked_again(
    world: Addresses, asf: AsfConnector, faults: Any
) -> None:
    faults(path="/search/*", times=2, fault={"kind": "status", "code": 503})
    assert len(found(asf, relative_orbit=52)) == 4


def test_damaged_entries_do_not_hide_the_others(world: Addresses) -> None:
    search = f"{world['asf']}/search/granules.umm_json"
    answer = requests.post(search, data={"page_size": "4"}, timeout=5).json()
    good, *bad = answer["items"]
    bad[0]["umm"]["TemporalExtent"] = None
    bad[1]["umm"]["SpatialExtent"]["HorizontalSpatialDomain"]["Geometry"]["GPolygons"] = [
        {"Boundary": {"Points": [{"Longitude": 1, "Latitude": 2}]}}
    ]
    bad[2]["umm"]["RelatedUrls"][0]["URL"] = "https://elsewhere.example/x.zip"
    named = json.loads(json.dumps(good))
    named["umm"]["DataGranule"]["Identifiers"][0]["Identifier"] = "ALPSRP123"
    own = lambda address: json.loads(json.dumps(good).replace(world["asf"], address))  # noqa: E731
    with scripted(lambda asked: page([own(server.address), *bad, named, 7], hits=1)) as server:
        (offer,) = found(connector(server.address))
    assert offer.id == good["umm"]["GranuleUR"]


def test_the_count_of_results_is_not_relied_on(world: Addresses) -> None:
    search = f"{world['asf']}/search/granules.umm_json"

    def passed_on(asked: Asked, hits: int) -> Said:
        names = ("CMR-Search-After", "Content-Type")
        headers = {name: asked.headers[name] for name in names if name in asked.headers}
        told = requests.post(search, data=asked.body, headers=headers, timeout=5)
        items = json.loads(told.text.replace(world["asf"], server.address))["items"]
        return page(items, hits, told.headers.get("CMR-Search-After"))

    for count in (1, 250, 1000):
        with scripted(lambda asked, count=count: passed_on(asked, count)) as server:
            assert len(found(connector(server.address))) == 256


def test_a_search_has_an_end(world: Addresses) -> None:
    with scripted(lambda asked: page([], hits=900, after="x")) as server:
        assert found(connector(server.address)) == []
    search = f"{world['asf']}/search/granules.umm_json"
    text = requests.post(search, data={"page_size": "1"}, timeout=5).text

    def always(asked: Asked) -> Said:
        items = json.loads(text.replace(world["asf"], server.address))["items"]
        return page(items, hits=900, after="the same")

    with (
        scripted(always) as server,
        pytest.raises(HubUnreachableError, match="over and over"),
    ):
        found(connector(server.address))


def test_a_page_that_drips_is_given_up(world: Addresses, faults: Any) -> None:
    faults(path="/search/*", fault={"kind": "bandwidth", "bytes_per_s": 2000})
    began = time.monotonic()
    with pytest.raises(HubUnreachableError, match="not there after"):
        found(connector(world["asf"], deadline_s=0.5))
    assert time.monotonic() - began < 5


# Downloads.


def first(asf: AsfConnector) -> Offer:
    offer = asf.find(found(asf, name="S1A_IW_SLC__1SDV_20230904*")[0].product.name)
    assert offer is not None
    return offer


def a_token(world: Addresses) -> str:
    find = f"{world['asf']}/api/users/find_or_create_token"
    return str(requests.post(find, auth=("sandbox", "sandbox"), timeout=5).json()["access_token"])


def fetched(asf: AsfConnector, folder: Path) -> bytes:
    offer = first(asf)
    delivery = download(folder / "x.zip", [asf.source(offer)], wait=lambda s: None)
    assert delivery.path is not None
    return delivery.path.read_bytes()


@pytest.mark.parametrize("account", ["token", "password"])
def test_products_are_downloaded(
    world: Addresses, folder: Path, tmp_path: Path, account: str
) -> None:
    how = {"token": a_token(world)} if account == "token" else PASSWORD
    asf = connector(world["asf"], **how)
    assert fetched(asf, tmp_path) == (folder / f"{first(asf).product.name}.zip").read_bytes()
    logins = [one for one in the_requests(world) if one["path"].startswith("/oauth/authorize")]
    assert not logins


@pytest.mark.parametrize(
    "account", [{"token": "no-token"}, {"user": "sandbox", "password": "wrong-word"}, {}]
)
def test_who_is_not_known_is_refused(
    world: Addresses, tmp_path: Path, account: dict[str, str]
) -> None:
    asf = connector(world["asf"], **account)
    with pytest.raises(HubRefusedError, match="check the account") as caught:
        asf.source(first(asf)).open()
    assert "no-token" not in str(caught.value) and "wrong-word" not in str(caught.value)
    with pytest.raises(ConfigurationError):
        fetched(asf, tmp_path)


def test_user_and_password_go_together(world: Addresses) -> None:
    with pytest.raises(ConfigurationError, match="together"):
        connector(world["asf"], user="sandbox")


@pytest.mark.parametrize("said", [b"<html>", b"{}", b'{"access_token": "a\\nb"}', b"[1]"])
def test_a_login_that_gives_no_token(said: bytes) -> None:
    with scripted(lambda asked: Said(said)) as server:
        asf = connector(server.address, **PASSWORD)
        with pytest.raises(HubUnreachableError, match="token"):
            asf._account.headers()


def test_a_token_that_ran_out(world: Addresses, tmp_path: Path, faults: Any) -> None:
    faults(path="/SLC/*", times=1, fault={"kind": "expired_token"})
    assert fetched(connector(world["asf"], **PASSWORD), tmp_path)
    requests.delete(f"{world['control']}/faults", timeout=5)
    faults(path="/SLC/*", times=1, fault={"kind": "expired_token"})
    with pytest.raises(HubRefusedError):
        fetched(connector(world["asf"], token=a_token(world)), tmp_path / "other")


def test_a_token_that_the_login_forgot(asf: AsfConnector, tmp_path: Path) -> None:
    asf._account._token = "of-yesterday"
    assert fetched(asf, tmp_path)


def test_a_download_goes_on_where_it_broke(
    world: Addresses, asf: AsfConnector, tmp_path: Path, faults: Any
) -> None:
    faults(path="/signed/*", times=1, fault={"kind": "reset", "after_bytes": 100_000})
    assert fetched(asf, tmp_path)
    ranges = [one["range"] for one in the_requests(world) if "/signed/" in one["path"]]
    assert ranges[-2:] == [None, "bytes=100000-"]


def test_a_signature_that_ran_out_is_asked_for_anew(
    world: Addresses, asf: AsfConnector, tmp_path: Path, faults: Any
) -> None:
    # Signed by a clock that is two hours behind, in mid-transfer.
    faults(path="/signed/*", times=1, fault={"kind": "reset", "after_bytes": 100_000})
    late = {"kind": "skew", "seconds": -7200}
    rule = {"name": "late", "hub": "asf", "path": "/SLC/*", "skip": 1, "times": 1, "fault": late}
    requests.post(f"{world['control']}/faults", json=[rule], timeout=5).raise_for_status()
    assert fetched(asf, tmp_path)
    signed = [one for one in the_requests(world) if "/signed/" in one["path"]][-3:]
    assert [one["status"] for one in signed] == [200, 403, 206]


def test_wrong_bytes_are_not_kept(asf: AsfConnector, tmp_path: Path, faults: Any) -> None:
    faults(path="/signed/*", fault={"kind": "flip"})
    with pytest.raises(TransientError, match="md5"):
        fetched(asf, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nobody_else_is_told_credentials(world: Addresses, tmp_path: Path) -> None:
    item = requests.post(
        f"{world['asf']}/search/granules.umm_json",
        data={"readable_granule_name[]": first(connector(world["asf"])).product.name},
        timeout=5,
    ).json()["items"][0]
    with scripted(lambda asked: Said(b"from elsewhere")) as outside:

        def answer(asked: Asked) -> Said:
            if asked.path.startswith("/search/"):
                own = json.dumps(item).replace(world["asf"], archive.address)
                return page([json.loads(own)], hits=1)
            if asked.path.startswith("/api/users/"):
                return Said(b'{"access_token": "the-token"}')
            return Said(b"", 307, {"Location": f"{outside.address}/signed?{asked.path}"})

        for account in ({"token": "the-token"}, {"user": "me", "password": "the-password"}):
            with scripted(answer) as archive:
                asf = connector(archive.address, **account)
                (offer,) = found(asf)
                reply = asf.source(offer).open()
                assert b"".join(reply.chunks) == b"from elsewhere"
                downloads = [one for one in archive.asked if one.path.startswith("/SLC/")]
                assert downloads[0].headers["Authorization"] == "Bearer the-token"
        assert len(outside.asked) == 2 and not outside.told("Authorization")
        assert not outside.told("the-")
        # An address that is not the archive's own is not asked at all.
        strange = Offer(offer.product, "asf", offer.id, f"{outside.address}/x.zip")
        with pytest.raises(HubUnreachableError, match="not of this archive"):
            asf.source(strange)
        # Nor does a login send the password on.
        moved = Said(b"", 307, {"Location": f"{outside.address}/token"})
        with scripted(lambda asked: moved) as login, pytest.raises(HubUnreachableError):
            connector(login.address, user="me", password="the-password")._account.headers()
        assert len(outside.asked) == 2


# The real archive's own words and addresses.


def test_recorded_answers_of_the_real_archive(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (shared_data / "asf" / "Fairbanks_S1_stack.yml").read_text()
    items = [{"umm": one["umm"], "meta": one["meta"]} for one in yaml.safe_load(text)]
    with scripted(lambda asked: page(items, hits=len(items))) as server:
        to_loopback(monkeypatch, {"https://cmr.earthdata.nasa.gov": server.address})
        asf = connector("https://cmr.earthdata.nasa.gov", token="the-token")
        offers = found(asf)
        assert server.asked[0].path == "/search/granules.umm_json"
    assert len(offers) == len(items) > 0
    offer = next(one for one in offers if one.product.name.endswith("_C081"))
    assert offer.address.startswith("https://datapool.asf.alaska.edu/SLC/SB/")
    assert offer.size == 4193723581
    assert offer.checksums == {"md5": "6dd7f6a56ed98ba7037dfeb833217d5b"}
    assert offer.published == datetime(2023, 6, 16, 3, 4, 36, tzinfo=UTC)
    assert offer.product.relative_orbit == 94 and offer.product.direction == "ascending"
    # The way of a real download: the archive's second host takes the token, the store gets none.
    seen: list[tuple[str, str | None]] = []

    def store(asked: Asked) -> Said:
        host, token = asked.headers["X-Host"], asked.headers.get("Authorization")
        seen.append((host, token))
        following = {
            "datapool.asf.alaska.edu": "https://sentinel1.asf.alaska.edu/x.zip",
            "sentinel1.asf.alaska.edu": "https://d1.cloudfront.example/x.zip?Signature=y",
        }
        if host in following:
            return Said(b"", 307, {"Location": following[host]})
        return Said(b"a product")

    send = requests.adapters.HTTPAdapter.send

    def to_store(self: Any, request: requests.PreparedRequest, **how: Any) -> requests.Response:
        scheme, _, rest = str(request.url).partition("://")
        host, _, path = rest.partition("/")
        assert scheme == "https"
        request.headers["X-Host"], request.url = host, f"{server.address}/{path}"
        return send(self, request, **how)

    with scripted(store) as server:
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", to_store)
        assert b"".join(asf.source(offer).open().chunks) == b"a product"
    assert [host for host, _ in seen] == [
        "datapool.asf.alaska.edu",
        "sentinel1.asf.alaska.edu",
        "d1.cloudfront.example",
    ]
    assert [token for _, token in seen] == ["Bearer the-token", "Bearer the-token", None]


def test_to_be_sent_to_the_real_login_is_to_be_refused(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (shared_data / "asf" / "Fairbanks_S1_stack.yml").read_text()
    items = [{"umm": one["umm"], "meta": one["meta"]} for one in yaml.safe_load(text)]
    login = "https://urs.earthdata.nasa.gov/oauth/authorize?client_id=x"

    def answer(asked: Asked) -> Said:
        if asked.path.startswith("/search/"):
            return page(items, hits=len(items))
        return Said(b"", 302, {"Location": login})

    with scripted(answer) as server:
        hosts = ("cmr.earthdata.nasa.gov", "datapool.asf.alaska.edu")
        to_loopback(monkeypatch, {f"https://{host}": server.address for host in hosts})
        asf = connector("https://cmr.earthdata.nasa.gov", token="the-token")
        with pytest.raises(HubRefusedError, match="check the account"):
            asf.source(found(asf)[0]).open()
