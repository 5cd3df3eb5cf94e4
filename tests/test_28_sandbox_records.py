"""The sandbox's servers against records of the real ones: the same requests, the same forms."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import requests
import yaml
from sandbox_safe import make_pass, make_safe
from sentinelsat import SentinelAPI

from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.emsc import EmscConfig
from geobservatory.sandbox.servers.granules import granule
from geobservatory.sandbox.servers.offers import Offered
from geobservatory.sandbox.servers.stock import make_stock
from geobservatory.sandbox.servers.view import View
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, running

USER = ("sandbox", "sandbox")
OPENID = "/auth/realms/CDSE/.well-known/openid-configuration"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """Hubs that have products of the times and places that were asked for in the records."""
    folder = tmp_path_factory.mktemp("records")
    make_pass(folder, 1)
    make_safe(folder, datetime(2014, 12, 20, 10, 4, 37, tzinfo=UTC), corner=(-60, -6))
    for number in range(20):
        start = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        make_safe(folder, start, track=7, direction="ASCENDING", size=2_000)
    hubs = [DhusConfig(name="dhus"), CdseConfig(name="cdse"), AsfConfig(name="asf")]
    with running(WorldConfig(products=folder, hubs=hubs)) as addresses:
        yield addresses


def _form(value: Any) -> Any:
    """Reduce an answer to its keys and types; a list to what its elements have in common."""
    if isinstance(value, dict):
        return {key: _form(part) for key, part in value.items()}
    if isinstance(value, list):
        forms = [_form(part) for part in value]
        return [form for form, _ in itertools.groupby(sorted(forms, key=str))]
    return type(value).__name__


def _recorded(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load(path.read_text())["interactions"])


def _here(uri: str, world: Addresses, uuid: str) -> str:
    """Move a recorded address to the sandbox, and to a product that it has."""
    address = uri.replace("https://apihub.copernicus.eu/apihub", world["dhus"])
    address = address.replace("%22GRD%22", "%22SLC%22")
    known = "Products('" in uri and "xxxx" not in uri
    return address.replace(uri.partition("Products('")[2][:36], uuid) if known else address


@pytest.mark.parametrize(
    "name",
    [
        "test_count",
        "test_footprints_s1",
        "test_invalid_query",
        "test_is_online",
        "test_get_product_odata_short",
        "test_get_product_odata_full",
        "test_download",
    ],
)
def test_recorded_conversations_with_a_dhus(name: str, world: Addresses, shared_data: Path) -> None:
    api = SentinelAPI(*USER, world["dhus"], show_progressbars=False)
    (uuid,) = api.query(raw="filename:*20141220*")
    for said in _recorded(shared_data / "dhus" / f"{name}.yaml"):
        asked, told = said["request"], said["response"]
        uri = _here(asked["uri"], world, uuid)
        ranged = {key: value[0] for key, value in asked["headers"].items() if key == "Range"}
        answer = requests.request(asked["method"], uri, auth=USER, headers=ranged, timeout=5)
        assert answer.status_code == told["status"]["code"], uri
        assert (
            answer.headers["Content-Type"].split(";")[0]
            == (told["headers"]["content-type"][0].split(";")[0])
        )
        wanted = {"accept-ranges", "content-disposition", "content-range", "etag", "cause-message"}
        assert wanted & set(told["headers"]) <= {key.lower() for key in answer.headers}
        text = told["body"].get("string")
        if text and answer.headers["Content-Type"].startswith("application/json"):
            _same_form(answer.json(), json.loads(text))


def _same_form(ours: Any, theirs: Any) -> None:
    for answer in (ours, theirs):
        feed = answer.get("feed", {})
        # Their page is one of many and ours of few; the links to others differ.
        feed["link"] = feed.get("link", [])[:1]
        entry = feed.get("entry", {})
        feed["entry"] = entry[0] if isinstance(entry, list) else entry
        expanded = answer.get("d", {}).get("Attributes", {}).get("results")
        if expanded:
            del expanded[1:]
    assert _form(ours) == _form(theirs)


def test_wrong_credentials_are_answered_as_recorded(world: Addresses, shared_data: Path) -> None:
    said = _recorded(shared_data / "dhus" / "test_SentinelAPI_wrong_credentials.yaml")[0]
    answer = requests.get(_here(said["request"]["uri"], world, "-"), auth=("a", "b"), timeout=5)
    assert answer.status_code == said["response"]["status"]["code"] == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert answer.headers["Content-Type"].startswith("text/html")


def test_recorded_answers_of_the_data_space(world: Addresses, shared_data: Path) -> None:
    page = json.loads((shared_data / "cdse" / "odata_page_1.json").read_text())
    other = json.loads((shared_data / "cdse" / "eodag_cop_dataspace_search.json").read_text())
    query = urlsplit(page["@odata.nextLink"]).query.replace("2014-04-05", "2022-01-01")
    query = query.replace("2014-04-14", "2022-02-01").replace("%24skip=10", "%24skip=0")
    ours = requests.get(f"{world['cdse']}/odata/v1/Products?{query}", timeout=5).json()
    assert len(ours["value"]) == 10 and ours["@odata.count"] == 20
    assert {key: type(value) for key, value in ours.items()} == {
        key: type(value) for key, value in page.items()
    }
    expanded = {"$expand": "Attributes,Assets", "$top": "1"}
    one = requests.get(f"{world['cdse']}/odata/v1/Products", params=expanded, timeout=5).json()
    assert one["@odata.context"] == other["@odata.context"]
    got, real = one["value"][0], other["value"][0]
    assert {k: type(v) for k, v in got.items()} == {k: type(v) for k, v in real.items()}
    assert _form(got["Checksum"][0]) == _form(real["Checksum"][0])
    assert _form(got["ContentDate"]) == _form(real["ContentDate"])
    assert got["Footprint"].startswith("geography'SRID=4326;POLYGON ((")
    kinds = json.loads((shared_data / "cdse" / "attributes.json").read_text())
    known = {kind["Name"]: kind["ValueType"] for kind in kinds}
    known |= {"beginningDateTime": "DateTimeOffset", "endingDateTime": "DateTimeOffset"}
    for attribute in got["Attributes"]:
        assert known[attribute["Name"]] == attribute["ValueType"]
        assert set(attribute) == {"@odata.type", "Name", "Value", "ValueType"}
    openid = json.loads((shared_data / "cdse" / "openid-configuration.json").read_text())
    told = requests.get(world["cdse"] + OPENID, timeout=5).json()
    assert all(type(openid[key]) is type(value) for key, value in told.items())


def test_recorded_answers_of_the_asf(world: Addresses, shared_data: Path) -> None:
    real = yaml.safe_load((shared_data / "asf" / "Fairbanks_S1_stack.yml").read_text())[0]
    asked = {
        "readable_granule_name[]": "*20230904*",
        "options[readable_granule_name][pattern]": "true",
    }
    (ours,) = requests.post(
        f"{world['asf']}/search/granules.umm_json", data=asked, timeout=5
    ).json()["items"]
    assert _form(ours["meta"]) == _form(real["meta"])
    assert set(ours["umm"]) == set(real["umm"]) - {"properties", "baseline"}
    names = {one["Name"] for one in real["umm"]["AdditionalAttributes"]}
    assert {one["Name"] for one in ours["umm"]["AdditionalAttributes"]} <= names
    for key in ("TemporalExtent", "SpatialExtent", "DataGranule", "Platforms", "ProviderDates"):
        assert _form(ours["umm"][key]) == _form(real["umm"][key])


def test_granules_tell_state_vectors_about_the_middle_of_a_real_scene(shared_data: Path) -> None:
    item = make_stock(shared_data / "sentinel1")[1]
    view = View.under((), item.published)
    umm = granule("", Offered(item, item.published, online=True), view)["umm"]
    told = {one["Name"]: one["Values"][0] for one in umm["AdditionalAttributes"]}
    times = [told[f"SV_POSITION_{name}"].split(",")[3] for name in ("PRE", "POST")]
    middle = item.start + (item.stop - item.start) / 2
    pre, post = (datetime.fromisoformat(time).replace(tzinfo=UTC) for time in times)
    assert pre <= middle <= post and post - pre == timedelta(seconds=10)
    speed = [float(number) for number in told["SV_VELOCITY_PRE"].split(",")[:3]]
    assert sum(one**2 for one in speed) ** 0.5 == pytest.approx(7600, abs=100)


def test_a_recorded_conversation_is_replayed(shared_data: Path) -> None:
    source = shared_data / "events" / "emsc-al-haouz.jsonl"
    start = datetime(2023, 9, 8, 22, 15, tzinfo=UTC)
    hub = EmscConfig(name="emsc", conversation=source)

    async def listen(world: Addresses) -> list[str]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{world['emsc']}/standing_order/websocket") as socket,
        ):
            # Three and a half days in a tenth of a second.
            await session.post(f"{world['control']}/time", json={"speed": 3_000_000})
            return [(await socket.receive(timeout=2)).data for _ in range(4)]

    with running(WorldConfig(hubs=[hub], start=start, speed=0)) as addresses:
        heard = asyncio.run(listen(addresses))
    assert heard == source.read_text().splitlines()
