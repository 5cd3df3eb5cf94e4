"""Single bursts from an archive like the ASF's: cut out, found, brought as a partial product."""

import dataclasses
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asf_search
import numpy as np
import pytest
import rasterio
import requests
import shapely
import tifffile
import yaml
from lxml import etree
from rasterio.windows import Window
from sandbox_safe import to_loopback
from scripted_server import Said, scripted
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.hubs.asf import AsfConnector
from geobservatory.hubs.model import Query
from geobservatory.sandbox.plan import Size, _bounds, make_plan
from geobservatory.sandbox.product import write_product
from geobservatory.sandbox.scenario import find_scenario
from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.asf_bursts import _write_xml
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, running
from geobservatory.sandbox.world import make_world
from geobservatory.sentinel1.bursts import place_bursts
from geobservatory.sentinel1.manifest import listed_files
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.safe import SafeProduct, open_product
from geobservatory.sentinel1.xml import parse
from geobservatory.settings.model import Hub
from geobservatory.transfer.asf_bursts import BurstService, fetch_bursts
from geobservatory.transfer.attempt import Measurement, Outcome
from geobservatory.transfer.burst_image import burst_file, image_header
from geobservatory.transfer.burst_metadata import read_burst_metadata
from geobservatory.transfer.http import HttpSource
from geobservatory.transfer.part import WrongContentError
from geobservatory.transfer.partial import fetch_partial
from geobservatory.transfer.source import (
    HubRefusedError,
    HubUnreachableError,
    ProductGoneError,
    ProductOfflineError,
)

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


# Products made of bursts.


def a_service(world: Addresses, **account: str) -> BurstService:
    asf = connect(world, **(account or {"user": "sandbox", "password": "sandbox"}))
    ((offer,),) = list(asf.search(Query(relative_orbit=52)))
    return asf.bursts(offer)


def connect(world: Addresses, **account: str) -> AsfConnector:
    settings = {"name": "asf", "kind": "asf", "address": world["asf"], **account}
    return AsfConnector(Hub.model_validate(settings))


def the_bursts(product: SafeProduct, index: int, polarisation: str) -> Any:
    with open_measurement(product, "IW2", polarisation) as image:
        return image.burst(product.annotation("IW2", polarisation), index)


def only(whole: SafeProduct, index: int) -> BaseGeometry:
    """Find a place that one burst sees and the others do not."""
    footprints = [one.footprint for one in place_bursts(whole)]
    others = [one for number, one in enumerate(footprints) if number != index]
    return (footprints[index] - shapely.union_all(others)).representative_point()


def test_a_partial_product_is_made_of_bursts(
    world: Addresses, whole: SafeProduct, tmp_path: Path
) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(0.05)

    path = fetch_bursts(a_service(world), tmp_path, only(whole, 2), wait=wait)
    got = open_product(path)
    assert path == tmp_path / f"{whole.name}.SAFE" and waits
    assert set(got.channels) == {("IW2", "VH"), ("IW2", "VV")}
    # To the byte what ESA's checksums say, though it came in one document.
    for member in got.partial.files:
        if member != "manifest.safe":
            assert got.read(member) == whole.read(member)
    assert len(got.partial.files) == 7 and not [one for one in got.problems if "bytes" in one]
    for polarisation in ("VV", "VH"):
        assert got.partial.bursts("IW2", polarisation) == {2}
        expected = the_bursts(whole, 2, polarisation)
        assert np.array_equal(the_bursts(got, 2, polarisation), expected)
        member = f"measurement/{Path(got.channels['IW2', polarisation]).stem}.tiff"
        assert got.members[member] == whole.members[member]
        with pytest.raises(InputError, match="partial"):
            the_bursts(got, 1, polarisation)
    # Other programs read the header that was written.
    lines = whole.annotation("IW2", "VH").lines_per_burst
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path / member) as image:
            window = Window(0, 2 * lines, SAMPLES, lines)
            assert np.array_equal(image.read(1, window=window), expected)
    # More of it later, in place.
    area = shapely.MultiPoint([only(whole, index) for index in (0, 2)])
    again = open_product(fetch_bursts(a_service(world), tmp_path, area, wait=wait))
    for index in (0, 2):
        assert np.array_equal(the_bursts(again, index, "VV"), the_bursts(whole, index, "VV"))


def test_bursts_of_one_polarisation(world: Addresses, whole: SafeProduct, tmp_path: Path) -> None:
    def wait(seconds: float) -> None:
        time.sleep(0.05)

    service = a_service(world)
    seen: list[Measurement] = []
    path = fetch_bursts(
        service,
        tmp_path,
        only(whole, 1),
        polarisations=["VH"],
        swaths=["IW2"],
        measured=seen.append,
        wait=wait,
    )
    got = open_product(path)
    assert list(got.channels) == [("IW2", "VH")] and seen[-1].outcome is Outcome.DONE
    assert np.array_equal(the_bursts(got, 1, "VH"), the_bursts(whole, 1, "VH"))
    members = service.members()
    assert members == whole.members | {"manifest.safe": members["manifest.safe"]}
    with pytest.raises(ProductGoneError, match="holds no"):
        service.source("annotation/nothing.xml")
    with pytest.raises(InputError, match="no burst"):
        fetch_bursts(service, tmp_path / "b", shapely.Point(0, 0), wait=wait)


def test_bursts_that_do_not_come_in_time(
    world: Addresses, whole: SafeProduct, tmp_path: Path
) -> None:
    slow = WorldConfig(products=whole.path.parent, hubs=[AsfConfig(name="asf", extraction_s=3600)])
    waits: list[float] = []
    with running(slow) as addresses, pytest.raises(ProductOfflineError, match="being cut out"):
        fetch_bursts(
            a_service(addresses), tmp_path, only(whole, 0), patience_s=8, wait=waits.append
        )
    assert waits and not list(tmp_path.glob("*.SAFE"))


def test_bursts_go_on_where_they_broke(
    world: Addresses, whole: SafeProduct, tmp_path: Path
) -> None:
    # What is shorter, such as a header, is well.
    fault = {"kind": "reset", "after_bytes": 100_000}
    rule = {"name": "cut", "path": "/signed/*.tiff", "fault": fault}
    faults = f"{world['control']}/faults"
    requests.post(faults, json=[rule], timeout=5).raise_for_status()

    def fetch() -> Path:
        return fetch_bursts(
            a_service(world),
            tmp_path,
            only(whole, 1),
            polarisations=["VV"],
            wait=lambda seconds: time.sleep(0.05),
        )

    with pytest.raises(HubUnreachableError, match="broken off"):
        fetch()
    requests.delete(faults, timeout=5).raise_for_status()
    got = open_product(fetch())
    assert np.array_equal(the_bursts(got, 1, "VV"), the_bursts(whole, 1, "VV"))
    seen = requests.get(f"{world['control']}/requests", timeout=5).json()["asf"]
    begun = [int(one["range"][6:].split("-")[0]) for one in seen if one["range"]]
    assert any(first > 50_000 for first in begun[-3:])


def test_who_is_not_known_gets_no_bursts(
    world: Addresses, whole: SafeProduct, tmp_path: Path
) -> None:
    for account in ({"token": "none"}, {"user": "sandbox", "password": "wrong"}):
        with pytest.raises(HubRefusedError, match="check the account"):
            fetch_bursts(a_service(world, **account), tmp_path, only(whole, 0))


# What the service says.


def a_metadata(whole: SafeProduct, polarisation: str = "VV") -> bytes:
    path = whole.path.parent.parent / f"{polarisation}.xml"
    _write_xml(path, whole.path, "IW2", polarisation, 0)
    return path.read_bytes()


def test_documents_that_are_not_to_the_byte(whole: SafeProduct) -> None:
    content = a_metadata(whole).replace(b"<adsHeader>", b"<adsHeader><!-- new -->")
    metadata = read_burst_metadata(content, "x")
    manifest = parse(metadata.manifest, "manifest")
    listed = listed_files(manifest)
    for name in metadata.documents:
        assert listed[name].size is None and listed[name].md5 is None
    images = [one for name, one in listed.items() if name.startswith("measurement/")]
    assert all(one.size and one.md5 for one in images)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<manifest>", b"<manifest/><lost>"),
        (b"<metadata>", b"<metadata>&"),
        (b"source_filename=", b"file="),
        (b'source_filename="', b'source_filename="../../'),
        (b"<content>", b"<else>"),
        (b"<burst>", b"<!DOCTYPE burst><burst>"),
    ],
)
def test_metadata_that_is_none(whole: SafeProduct, old: bytes, new: bytes) -> None:
    content = a_metadata(whole).replace(old, new)
    for begin, end in ((b"<lost>", b"</manifest>"), (b"<else>", b"</content>")):
        if begin in content:
            content = content.replace(end, begin.replace(b"<", b"</"))
    with pytest.raises(InputError):
        read_burst_metadata(content, "x")


def test_real_documents_come_back_to_the_byte(shared_data: Path, tmp_path: Path) -> None:
    """As far as the service leaves what stands in them as it is."""
    for path in sorted((shared_data / "sentinel1").glob("*.zip")):
        real = open_product(path)
        _write_xml(tmp_path / "x.xml", path, "IW1", "VV", 0)
        metadata = read_burst_metadata((tmp_path / "x.xml").read_bytes(), "x")
        assert metadata.documents
        for member, content in metadata.documents.items():
            assert content == real.read(member)


def test_a_header_that_cannot_be(whole: SafeProduct) -> None:
    annotation = whole.annotation("IW2", "VV")
    size = 2_300_000
    assert image_header(annotation, size, "x")[:4] == b"II*\0"
    first, *others = annotation.bursts
    early = dataclasses.replace(first, byte_offset=10)
    late = dataclasses.replace(first, byte_offset=annotation.bursts[1].byte_offset - 10)
    for bursts in ([], [early, *others], [late, *others]):
        with pytest.raises(WrongContentError, match="do not fit"):
            image_header(dataclasses.replace(annotation, bursts=tuple(bursts)), size, "x")
    with pytest.raises(WrongContentError, match="do not fit"):
        image_header(annotation, 1_000_000, "x")


def test_a_file_that_is_no_burst(world: Addresses, whole: SafeProduct) -> None:
    annotation = whole.annotation("IW2", "VV")
    other = dataclasses.replace(annotation, lines_per_burst=annotation.lines_per_burst + 1)
    service = a_service(world)
    with scripted(lambda asked: Said(b"nothing of a TIFF" * 100)) as server:
        source = HttpSource("asf", "1", server.address)
        with pytest.raises(WrongContentError, match="not a whole TIFF"):
            burst_file(source, 1700, annotation)
    while True:
        try:
            burst = service.burst(("IW2", "VV"), 0)
            break
        except ProductOfflineError:
            time.sleep(0.05)
    with pytest.raises(WrongContentError, match="annotation says"):
        burst_file(burst.source, burst.size, other)


def test_files_inside_the_zip(world: Addresses, whole: SafeProduct, tmp_path: Path) -> None:
    asf = connect(world, user="sandbox", password="sandbox")
    ((offer,),) = list(asf.search(Query(relative_orbit=52)))
    path = fetch_partial(asf.inside(offer), tmp_path, only(whole, 1), polarisations=["VV"])
    got = open_product(path)
    assert np.array_equal(the_bursts(got, 1, "VV"), the_bursts(whole, 1, "VV"))
