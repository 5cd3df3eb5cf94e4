"""Single bursts from an archive like the ASF's: cut out, found, brought as a partial product."""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asf_search
import numpy as np
import pytest
import requests
import tifffile
import yaml
from lxml import etree
from sandbox_safe import to_loopback

from geobservatory.sandbox.plan import Size, _bounds, make_plan
from geobservatory.sandbox.product import write_product
from geobservatory.sandbox.scenario import find_scenario
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, running
from geobservatory.sandbox.world import make_world
from geobservatory.sentinel1.bursts import place_bursts
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.safe import SafeProduct, open_product

USER = ("sandbox", "sandbox")
SAMPLES = 120


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> SafeProduct:
    """Simulate a product of two polarisations and three bursts, a hundred samples wide."""
    scenario = find_scenario("al-haouz-2023")
    passing = scenario.passes[0]
    dates = passing.acquisitions[:1]
    passing = passing.model_copy(update={"acquisitions": dates})
    scenario = scenario.model_copy(update={"passes": (passing,), "polarisations": ("VV", "VH")})
    plan = make_plan(scenario, passing, Size.SMALL)
    window = dataclasses.replace(
        plan.windows[0], first_sample=plan.windows[0].first_sample + 2600, samples=SAMPLES
    )
    plan = dataclasses.replace(plan, windows=(window,), bursts=3)
    plan = dataclasses.replace(plan, world=make_world(scenario, dates, _bounds(plan)))
    folder = tmp_path_factory.mktemp("products")
    return open_product(write_product(plan, plan.shots[0], folder, lambda lines: None))


@pytest.fixture(scope="module")
def world(whole: SafeProduct) -> Iterator[Addresses]:
    hubs = [AsfConfig(name="asf", extraction_s=0.3)]
    with running(WorldConfig(products=whole.path.parent, hubs=hubs)) as addresses:
        yield addresses


def a_session(world: Addresses, whole: SafeProduct) -> requests.Session:
    """Log in, by a token and the cookie that the archive gives for it."""
    find = f"{world['asf']}/api/users/find_or_create_token"
    token = requests.post(find, auth=USER, timeout=5).json()["access_token"]
    session = requests.Session()
    bearer = {"Authorization": f"Bearer {token}"}
    session.get(
        f"{world['asf']}/SLC/SA/{whole.name}.zip",
        headers=bearer,
        allow_redirects=False,
        timeout=5,
    )
    return session


# The sandbox's service.


def test_bursts_are_cut_out(world: Addresses, whole: SafeProduct, tmp_path: Path) -> None:
    place = f"{world['asf']}/{whole.name}/IW2/VV/1"
    session = a_session(world, whole)
    assert session.get(f"{place}.tiff", timeout=5).status_code == 202
    time.sleep(0.35)
    got = session.get(f"{place}.tiff", timeout=5)
    assert got.ok and [one.status_code for one in got.history] == [307]
    (tmp_path / "1.tiff").write_bytes(got.content)
    with open_measurement(whole, "IW2", "VV") as image:
        expected = image.burst(whole.annotation("IW2", "VV"), 1)
    pixels = tifffile.imread(tmp_path / "1.tiff")
    assert np.array_equal(pixels, expected)
    part = session.get(got.url, headers={"Range": "bytes=5-9"}, timeout=5)
    assert part.status_code == 206 and part.content == got.content[5:10]


def test_all_that_is_said_of_a_polarisation_comes_with_a_burst(
    world: Addresses, whole: SafeProduct
) -> None:
    place = f"{world['asf']}/{whole.name}/IW2/VH/0.xml"
    session = a_session(world, whole)
    while (got := session.get(place, timeout=5)).status_code == 202:
        time.sleep(0.05)
    root = etree.fromstring(got.content)
    assert [node.tag for node in root] == ["manifest", "metadata"]
    assert root.find("manifest/{urn:ccsds:schema:xfdu:1}XFDU") is not None
    kinds = [node.tag for node in root.find("metadata")]
    assert kinds == ["product", "calibration", "noise"]
    for node in root.find("metadata"):
        assert node.findtext("swath") == "IW2" and node.findtext("polarisation") == "VH"
        assert "iw2-slc-vh" in node.get("source_filename") and "/" not in node.get(
            "source_filename"
        )
    bursts = root.findall("metadata/product/content/swathTiming/burstList/burst")
    assert len(bursts) == 3


def test_who_gets_no_burst(world: Addresses, whole: SafeProduct) -> None:
    place = f"{world['asf']}/{whole.name}"
    session = a_session(world, whole)
    for wrong in ("IW1/VV/0.tiff", "IW2/HH/0.xml", "IW2/VV/3.tiff"):
        assert session.get(f"{place}/{wrong}", timeout=5).status_code == 404
    other = str(whole.name)[:-4] + "0000"
    there = f"{world['asf']}/{other}/IW2/VV/0.tiff"
    assert session.get(there, timeout=5).status_code == 404
    stranger = requests.get(f"{place}/IW2/VV/0.tiff", allow_redirects=False, timeout=5)
    assert stranger.status_code == 302 and "/oauth/authorize" in stranger.headers["Location"]
    stale = {"asf-urs": "of-last-year"}
    forbidden = requests.get(f"{place}/IW2/VV/0.tiff", cookies=stale, timeout=5)
    assert forbidden.status_code == 403


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"dataset": "SLC-BURST"}, 6),
        ({"dataset": "SLC-BURST", "polarization": "VV", "relativeOrbit": 52}, 3),
        ({"processingLevel": "BURST", "fullBurstID": "052_110437_IW2"}, 2),
        ({"absoluteBurstID": 107386963}, 0),
        ({"dataset": "SLC-BURST", "intersectsWith": "the middle of a burst"}, 2),
        ({"dataset": "SLC-BURST", "intersectsWith": "POINT(0 0)"}, 0),
        ({"processingLevel": "SLC"}, 1),
    ],
)
def test_asf_search_finds_bursts(
    world: Addresses,
    whole: SafeProduct,
    monkeypatch: pytest.MonkeyPatch,
    asked: dict[str, Any],
    count: int,
) -> None:
    if asked.get("intersectsWith") == "the middle of a burst":
        asked = asked | {"intersectsWith": place_bursts(whole)[0].footprint.centroid.wkt}
    host = world["asf"].removeprefix("http://")
    to_loopback(monkeypatch, {f"https://{host}": world["asf"]})
    session = asf_search.ASFSession(cmr_host=host)
    found = asf_search.search(opts=asf_search.ASFSearchOptions(host=host, session=session, **asked))
    assert len(found) == count
    placed = {str(one.identity): one for one in place_bursts(whole)}
    for one in found:
        if one.properties["processingLevel"] != "BURST":
            continue
        burst = one.properties["burst"]
        index = placed[burst["fullBurstID"]].burst.index
        assert burst["burstIndex"] == index and burst["samplesPerBurst"] == SAMPLES
        assert one.properties["url"].endswith(
            f"{whole.name}/IW2/{one.properties['polarization']}/{index}.tiff"
        )
        assert one.properties["additionalUrls"][0].endswith(f"/{index}.xml")


def test_a_recorded_entry_of_the_real_archive(world: Addresses, shared_data: Path) -> None:
    # Written with Python's None, and a commented sample behind it.
    real = yaml.safe_load((shared_data / "asf" / "SLC_BURST.yml").read_text())
    search = f"{world['asf']}/search/granules.umm_json"
    found = requests.post(search, data={"shortName": "SENTINEL-1_BURSTS"}, timeout=5).json()
    for ours in found["items"]:
        assert set(ours["meta"]) == set(real["meta"])
        assert set(ours["umm"]) == set(real["umm"]) - {"MetadataSpecification"}
        names = {one["Name"] for one in real["umm"]["AdditionalAttributes"]}
        told = {one["Name"]: one["Values"][0] for one in ours["umm"]["AdditionalAttributes"]}
        assert names - set(told) == {"BEAM_MODE_DESC", "GROUP_ID"} and set(told) <= names
        links = [one for one in real["umm"]["RelatedUrls"] if one["Type"] == "USE SERVICE API"]
        assert [one["Type"] for one in ours["umm"]["RelatedUrls"]] == [one["Type"] for one in links]
        # ESA's count from the first orbit, as the recorded one has it to the cycle.
        orbits = ours["umm"]["OrbitCalculatedSpatialDomains"][0]["OrbitNumber"] - 52
        cycles = (int(told["BURST_ID_ABSOLUTE"]) - int(told["BURST_ID_RELATIVE"])) * 2.758273
        assert cycles == pytest.approx(orbits * 12 * 86400 / 175, abs=2)
