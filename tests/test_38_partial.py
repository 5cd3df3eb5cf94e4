"""Products fetched in part: few bytes, read like any other, whatever happened on the way."""

import dataclasses
import itertools
import json
import random
import signal
import struct
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import rasterio
import requests
from partial_hubs import Bytes, Local, Nodes, bearer, on_disk, together, tree
from shapely.geometry import Polygon, box, mapping
from shapely.geometry.base import BaseGeometry
from test_34_simulation import plan_of
from test_50_commands import geobs

from geobservatory.engines import native
from geobservatory.engines.request import Heights, Request
from geobservatory.errors import GeobservatoryError, InputError
from geobservatory.sandbox.scenario import Acquisition, find_scenario
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.stock import make_stock
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, running
from geobservatory.sandbox.simulate import Simulated, simulate
from geobservatory.sentinel1.bursts import PlacedBurst, place_bursts
from geobservatory.sentinel1.measurement import open_measurement
from geobservatory.sentinel1.safe import open_product
from geobservatory.transfer.attempt import Measurement, Outcome, Progress
from geobservatory.transfer.part import DiskFullError, WrongContentError
from geobservatory.transfer.partial import fetch_partial
from geobservatory.transfer.ranged import RangesIgnoredError
from geobservatory.transfer.remote_zip import RemoteZip
from geobservatory.transfer.source import HubBusyError, HubUnreachableError, Reply

ELSEWHERE = box(20, 50, 21, 51)
IMAGE = "measurement/"
BURST = 1519 * 700 * 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """Two dates of three bursts, a strip of 2.5 km."""
    dates = Acquisition(days=12, perpendicular_m=20.0), Acquisition(days=24, shift_lines=2)
    plan = plan_of(find_scenario("al-haouz-2023"), *dates, bursts=3)
    return simulate(plan, tmp_path_factory.mktemp("whole"), lambda lines: None)


@pytest.fixture(scope="module")
def whole(made: Simulated) -> list[PlacedBurst]:
    return place_bursts(open_product(made.products[0]))


@pytest.fixture(scope="module")
def middle(whole: list[PlacedBurst]) -> BaseGeometry:
    """Of one burst alone."""
    return alone(whole, 1)


@pytest.fixture(scope="module")
def servers(made: Simulated) -> Iterator[Addresses]:
    config = WorldConfig(
        products=made.products[0].parent,
        hubs=[CdseConfig(name="cdse", linger_s=0)],
        start=datetime(2024, 6, 1, tzinfo=UTC),
        speed=0,
    )
    with running(config) as addresses:
        yield addresses


@pytest.fixture
def nodes(made: Simulated, servers: Addresses) -> Nodes:
    return nodes_of(servers, made.products[0])


def nodes_of(servers: Addresses, path: Path) -> Nodes:
    (item,) = (one for one in make_stock(path.parent) if one.path == path)
    address = f"{servers['cdse']}/odata/v1/Products({item.uuid})"
    return Nodes(str(item.name), "cdse", address, bearer(servers["cdse"]))


def alone(whole: list[PlacedBurst], index: int) -> BaseGeometry:
    """Find ground that is of one burst only."""
    ground = whole[index].footprint
    for other in whole[:index] + whole[index + 1 :]:
        ground = ground.difference(other.footprint.buffer(0.002))
    return ground.representative_point().buffer(0.003)


def sent(servers: Addresses) -> int:
    log = requests.get(f"{servers['control']}/requests", timeout=5).json()["cdse"]
    return sum(one["sent"] or 0 for one in log)


def indexes(path: Path) -> list[int]:
    return [one.burst.index for one in place_bursts(open_product(path))]


def pixels(path: Path, index: int) -> np.ndarray:
    product = open_product(path)
    with open_measurement(product, "IW2", "VV") as image:
        return image.burst(product.annotation("IW2", "VV"), index)


# One burst.


def test_one_burst_is_a_product_of_one_burst(
    made: Simulated, middle: BaseGeometry, nodes: Nodes, servers: Addresses, tmp_path: Path
) -> None:
    """Over HTTP: few bytes, the pixels of the whole, and holes that cannot be read as pixels."""
    before, learned, told = sent(servers), list[Measurement](), list[Progress]()
    path = fetch_partial(nodes, tmp_path, middle, measured=learned.append, told=told.append)
    assert path == tmp_path / f"{nodes.name}.SAFE"
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert indexes(path) == [1]
    assert np.array_equal(pixels(path, 1), pixels(made.products[0], 1))
    for index in (0, 2):
        with pytest.raises(InputError, match="partial"):
            pixels(path, index)

    came, product = sent(servers) - before, open_product(path)
    documents = sum(
        size for name, size in product.members.items() if not name.startswith((IMAGE, "partial"))
    )
    assert came - documents <= 1.05 * BURST
    assert on_disk(path) < came + 200_000
    assert sum(one.bytes for one in learned) == came
    assert [(one.hub, one.outcome) for one in learned] == [("cdse", Outcome.DONE)]
    assert told[-1].have == told[-1].total

    about = json.loads((path / "partial.json").read_bytes())
    (channel,) = about["channels"]
    (held,) = channel["bursts"]
    (truth,) = (one for one in place_bursts(open_product(made.products[0])) if one.burst.index == 1)
    assert held == {"index": 1, "id": str(truth.identity)}
    assert about["hubs"] == ["cdse"]
    assert about["product"] == nodes.name
    assert product.problems == ("partial: of IW2 VV only bursts 1",)

    # Nobody is asked for what is there.
    before, learned[:] = sent(servers), []
    assert fetch_partial(nodes, tmp_path, middle, measured=learned.append) == path
    assert (sent(servers), learned) == (before, [])


def test_a_zip_at_a_hub_gives_the_same(
    made: Simulated, middle: BaseGeometry, nodes: Nodes, servers: Addresses, tmp_path: Path
) -> None:
    before = sent(servers)
    remote = RemoteZip(nodes.name, nodes.at("/$value", f"{nodes.name}.zip"))
    path = fetch_partial(remote, tmp_path / "zip", middle)
    assert sent(servers) - before < 1.2 * BURST
    assert tree(path) == tree(fetch_partial(Local(made.products[0]), tmp_path / "local", middle))


def phase(made: Simulated, out: Path, pair: list[Path], area: BaseGeometry | None) -> np.ndarray:
    request = Request(
        *((one,) for one in pair),
        out,
        out.parent / "cache",
        heights=Heights(made.dem),
        orbits=made.dem.parent,
        spacing_m=80.0,
        area=area,
        unwrapped=False,
    )
    native.make(request)
    with rasterio.open(out / "wrapped_phase.tif") as file:
        found: np.ndarray = file.read(1)
    return found


@pytest.mark.slow
def test_interferograms_are_those_of_whole_products(
    made: Simulated, middle: BaseGeometry, tmp_path: Path
) -> None:
    """Of two partial products, and of one with a whole one: bit for bit."""
    parts = [fetch_partial(Local(one), tmp_path, middle) for one in made.products]
    truth = phase(made, tmp_path / "whole", made.products, middle)
    assert np.isfinite(truth).sum() > 10
    pairs = [parts, [parts[0], made.products[1]], [made.products[0], parts[1]]]
    for number, pair in enumerate(pairs):
        found = phase(made, tmp_path / str(number), pair, middle)
        assert np.array_equal(found, truth, equal_nan=True)
    # Without an area: all that is there.
    assert np.isfinite(phase(made, tmp_path / "all", parts, None)).sum() > np.isfinite(truth).sum()


def test_bursts_with_one_missing_between_them(
    made: Simulated, whole: list[PlacedBurst], tmp_path: Path
) -> None:
    """What neighbours would share is not looked for where there is no neighbour."""
    outer = alone(whole, 0).union(alone(whole, 2))
    part = fetch_partial(Local(made.products[0]), tmp_path, outer)
    assert indexes(part) == [0, 2]
    truth = phase(made, tmp_path / "whole", made.products, outer)
    found = phase(made, tmp_path / "part", [part, made.products[1]], outer)
    assert np.isfinite(truth).any()
    assert np.array_equal(found, truth, equal_nan=True)


def test_commands_list_what_is_there(made: Simulated, middle: BaseGeometry, tmp_path: Path) -> None:
    path = fetch_partial(Local(made.products[0]), tmp_path, middle)
    area = tmp_path / "area.geojson"
    area.write_text(json.dumps(mapping(box(-20, 20, 10, 40))))
    for command in (["scene", str(path)], ["bursts", str(path), "--aoi", str(area)]):
        about = json.loads(geobs(*command, "--json").stdout)
        assert [one["index"] for one in about["bursts"]] == [1]
        if command[0] == "scene":
            assert about["problems"] == ["partial: of IW2 VV only bursts 1"]


# What cannot be had.


@pytest.mark.parametrize(
    ("area", "changes", "message"),
    [
        (ELSEWHERE, {}, "no burst meets"),
        (Polygon(), {}, "empty"),
        (None, {"polarisations": ["VH"]}, "has no polarisation VH; it has VV"),
        (None, {"swaths": ["IW1"]}, "has no swath IW1; it has IW2"),
    ],
)
def test_what_is_not_there_leaves_nothing(
    made: Simulated,
    middle: BaseGeometry,
    tmp_path: Path,
    area: BaseGeometry | None,
    changes: dict[str, list[str]],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        fetch_partial(
            Local(made.products[0]), tmp_path, middle if area is None else area, **changes
        )  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_whole_product_that_is_there_is_taken(
    made: Simulated, middle: BaseGeometry, tmp_path: Path
) -> None:
    with zipfile.ZipFile(made.products[0]) as archive:
        archive.extractall(tmp_path)
    inside = Local(made.products[0])
    path = fetch_partial(inside, tmp_path, middle)
    assert (inside.sent, indexes(path)) == (0, [0, 1, 2])


# More of what is there.


def test_a_larger_area_extends_what_is_there(
    made: Simulated, whole: list[PlacedBurst], tmp_path: Path
) -> None:
    """Only what is missing comes, and a reader that is at work sees what it saw."""
    inside = Local(made.products[0], "first")
    path = fetch_partial(inside, tmp_path, alone(whole, 1))
    reader = open_product(path)
    other = Local(made.products[0], "second")
    both = alone(whole, 1).union(alone(whole, 2))
    assert fetch_partial(other, tmp_path, both) == path
    assert other.sent < 1.05 * BURST
    assert [one.burst.index for one in place_bursts(reader)] == [1]
    assert indexes(path) == [1, 2]
    for index in (1, 2):
        assert np.array_equal(pixels(path, index), pixels(made.products[0], index))
    about = json.loads((path / "partial.json").read_bytes())
    assert about["hubs"] == ["first", "second"]
    assert len(about["areas"]) == 2
    spans = about["channels"][0]["spans"]
    for one, following in itertools.pairwise(spans):
        assert one["stop"] <= following["first"]
    # All of it is as good as whole.
    fetch_partial(other, tmp_path, box(-20, 20, 10, 40))
    assert tree(path) == tree(fetch_partial(other, tmp_path / "at once", box(-20, 20, 10, 40)))


def dual(made: Simulated) -> Local:
    """Make a product of two polarisations, the other the same but for its name."""
    inside = Local(made.products[0])
    manifest, listed = inside.only("manifest"), ""
    for name, file in [one for one in inside.files.items() if "-vv-" in one[0]]:
        other, content = name.replace("-vv-", "-vh-"), file.content
        if name.endswith(".xml"):
            content = content.replace(b"<polarisation>VV<", b"<polarisation>VH<")
        inside.files[other] = Bytes(file.hub, other, content, len(content))
        digest = md5(content, usedforsecurity=False).hexdigest()
        listed += f"""<dataObject><byteStream size="{len(content)}"><fileLocation href="./{other}"/>
            <checksum checksumName="MD5">{digest}</checksum></byteStream>
            </dataObject>"""
    end = b"</dataObjectSection>"
    manifest.content = manifest.content.replace(end, listed.encode() + end)
    manifest.size = len(manifest.content)
    return inside


def test_polarisations_come_one_after_the_other(
    made: Simulated, whole: list[PlacedBurst], tmp_path: Path
) -> None:
    inside = dual(made)
    path = fetch_partial(inside, tmp_path, alone(whole, 1), polarisations=["VV"], swaths=["IW2"])
    product = open_product(path)
    assert list(product.channels) == [("IW2", "VV")]
    assert product.problems == ("partial: of IW2 VV only bursts 1",)
    assert inside.sent < 1.1 * BURST
    with pytest.raises(InputError, match="no channel in VH"):
        place_bursts(product, "VH")
    fetch_partial(inside, tmp_path, alone(whole, 2), polarisations=["VH"])
    product = open_product(path)
    held = {one: [two.burst.index for two in place_bursts(product, one)] for one in ("VV", "VH")}
    assert held == {"VV": [1], "VH": [2]}
    assert indexes(path) == [1, 2]
    fetch_partial(inside, tmp_path, alone(whole, 1).union(alone(whole, 2)))
    product = open_product(path)
    for polarisation in ("VV", "VH"):
        assert [one.burst.index for one in place_bursts(product, polarisation)] == [1, 2]
    assert inside.sent < 4.4 * BURST


def test_an_extension_that_fails_changes_nothing_yet(
    made: Simulated, whole: list[PlacedBurst], tmp_path: Path
) -> None:
    path = fetch_partial(Local(made.products[0]), tmp_path, alone(whole, 1))
    about = (path / "partial.json").read_bytes()
    broken = Local(made.products[0], lie=breaking(BURST // 2))
    wanted = box(-20, 20, 10, 40)
    with pytest.raises(HubUnreachableError):
        fetch_partial(broken, tmp_path, wanted)
    assert (path / "partial.json").read_bytes() == about
    assert indexes(path) == [1]
    assert np.array_equal(pixels(path, 1), pixels(made.products[0], 1))
    # A part of what was asked for then, and later the rest.
    inside = Local(made.products[0])
    fetch_partial(inside, tmp_path, alone(whole, 0))
    assert indexes(path) == [0, 1]
    assert inside.sent < 0.8 * BURST
    fetch_partial(inside, tmp_path, wanted)
    assert tree(path) == tree(fetch_partial(inside, tmp_path / "at once", wanted))


# What breaks off goes on.


def breaking(after: int) -> object:
    """Make images break off once so many bytes of them have come in all."""
    left = after

    def lie(file: Bytes, first: int, stop: int | None) -> Reply | None:
        def pieces() -> Iterator[bytes]:
            nonlocal left
            for piece in file.pieces(first, stop, 10_000):
                if len(piece) > left:
                    raise HubUnreachableError("broken off")
                left -= len(piece)
                yield piece

        if IMAGE not in file.name:
            return None
        return Reply(first, len(file.content), pieces(), lambda: None)

    return lie


@pytest.mark.parametrize("after", [0, 5, 70_000, 1_000_000, BURST])
def test_another_hub_goes_on_where_one_broke_off(
    made: Simulated, middle: BaseGeometry, tmp_path: Path, after: int
) -> None:
    learned: list[Measurement] = []
    one, other = Local(made.products[0], "one", breaking(after)), Local(made.products[0], "other")
    with pytest.raises(HubUnreachableError, match="broken off"):
        fetch_partial(one, tmp_path, middle, measured=learned.append)
    assert not list(tmp_path.glob("S1*"))
    path = fetch_partial(other, tmp_path, middle, measured=learned.append)
    straight = Local(made.products[0])
    assert tree(path) == tree(fetch_partial(straight, tmp_path / "straight", middle))
    assert [one.outcome for one in learned] == [Outcome.BROKEN, Outcome.DONE]
    # At most one piece that did not go through is asked for twice.
    assert one.sent + other.sent <= straight.sent + 10_000 + (1 << 16)
    assert [one.name for one in tmp_path.glob(".*")] == []


def test_killed_at_any_moment_it_goes_on(
    middle: BaseGeometry, nodes: Nodes, servers: Addresses, made: Simulated, tmp_path: Path
) -> None:
    chance, before, kills = random.Random(38), sent(servers), 0
    rule = {"name": "slow", "hub": "cdse", "fault": {"kind": "bandwidth", "bytes_per_s": 3e6}}
    requests.post(f"{servers['control']}/faults", json=rule, timeout=5).raise_for_status()
    try:
        while True:
            command = [sys.executable, "tests/partial_hubs.py", nodes.name, nodes.address]
            process = subprocess.Popen(
                [*command, nodes.token, str(tmp_path), middle.wkt],
                cwd=Path(__file__).parents[1],
                stdout=subprocess.PIPE,
            )
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(chance.uniform(0.02, 0.3) if kills < 4 else 60)
                break
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
    finally:
        requests.delete(f"{servers['control']}/faults/slow", timeout=5)
    assert process.returncode == 0
    assert kills == 4
    straight = Local(made.products[0])
    path = tmp_path / f"{nodes.name}.SAFE"
    assert tree(path) == tree(fetch_partial(straight, tmp_path / "straight", middle))
    # A server may have sent what the killed process had not read.
    assert sent(servers) - before <= straight.sent + kills * (4 << 20)
    assert [one.name for one in tmp_path.glob(".*")] == []


def test_two_at_once_fetch_it_once(
    made: Simulated, middle: BaseGeometry, nodes: Nodes, servers: Addresses, tmp_path: Path
) -> None:
    before = sent(servers)
    others = nodes_of(servers, made.products[0])
    paths = together(*(lambda n=n: fetch_partial(n, tmp_path, middle) for n in (nodes, others)))  # type: ignore[misc]
    assert paths == [tmp_path / f"{nodes.name}.SAFE"] * 2
    assert sent(servers) - before < 1.2 * BURST


def test_a_full_disk_is_told_before_the_pixels_come(
    made: Simulated, middle: BaseGeometry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, module = Local(made.products[0]), "geobservatory.transfer.sparse.allocate"

    def full(fd: int, stop: int, first: int) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, full)
        with pytest.raises(DiskFullError, match="make room"):
            fetch_partial(inside, tmp_path, middle)
    assert inside.sent < 0.1 * BURST
    with monkeypatch.context() as patch:
        patch.setattr(module, lambda *_: False)
        patch.setattr(
            "shutil.disk_usage", lambda path: dataclasses.make_dataclass("U", ["free"])(9)
        )
        with pytest.raises(DiskFullError, match="9 free"):
            fetch_partial(inside, tmp_path, middle)
    assert indexes(fetch_partial(inside, tmp_path, middle)) == [1]


# Hubs that lie.


def whole_instead(file: Bytes, first: int, stop: int | None) -> Reply:
    return file.reply(0, None)


def elsewhere(file: Bytes, first: int, stop: int | None) -> Reply:
    return file.reply(first + 4096 if first else 0, stop)


def short(file: Bytes, first: int, stop: int | None) -> Reply:
    stop = len(file.content) if stop is None else stop
    return file.reply(first, first + (stop - first) // 2)


def grown(file: Bytes, first: int, stop: int | None) -> Reply:
    return dataclasses.replace(file.reply(first, stop), total=len(file.content) + 1)


def busy(file: Bytes, first: int, stop: int | None) -> Reply:
    raise HubBusyError("later", 5)


@pytest.mark.parametrize(
    ("lie", "error"),
    [
        (whole_instead, RangesIgnoredError),
        (elsewhere, RangesIgnoredError),
        (short, HubUnreachableError),
        (grown, WrongContentError),
        (busy, HubBusyError),
    ],
)
@pytest.mark.parametrize("start", [IMAGE, "annotation/s1", "manifest"])
def test_a_hub_that_lies_is_found_out_and_another_goes_on(
    made: Simulated, middle: BaseGeometry, tmp_path: Path, start: str, lie: object, error: type
) -> None:
    inside = Local(made.products[0])
    inside.only(start).lie = lie  # type: ignore[assignment]
    harmless = lie in (whole_instead, elsewhere) and start != IMAGE
    if harmless:
        # From its beginning to its end is what was asked for.
        fetch_partial(inside, tmp_path, middle)
    else:
        with pytest.raises(error):
            fetch_partial(inside, tmp_path, middle)
        assert not list(tmp_path.glob("S1*"))
    assert inside.sent < 1.1 * BURST
    path = fetch_partial(Local(made.products[0]), tmp_path, middle)
    assert tree(path) == tree(fetch_partial(Local(made.products[0]), tmp_path / "new", middle))


@pytest.mark.parametrize("start", ["manifest", "annotation/s1", "annotation/calibration/noise"])
@pytest.mark.parametrize("seed", range(6))
def test_damaged_files_are_not_taken(
    made: Simulated, middle: BaseGeometry, tmp_path: Path, start: str, seed: int
) -> None:
    inside, chance = Local(made.products[0]), random.Random(seed)
    file = inside.only(start)
    at = chance.randrange(len(file.content))
    good = file.content
    file.content = good[:at] + bytes([good[at] ^ chance.randrange(1, 256)]) + good[at + 1 :]
    try:
        path = fetch_partial(inside, tmp_path, middle)
    except GeobservatoryError as error:
        assert start == "manifest" or isinstance(error, WrongContentError)
    else:
        # In a part of the manifest that nothing here depends on.
        assert start == "manifest"
        assert indexes(path) == [1]
        return
    file.content = good
    path = fetch_partial(inside, tmp_path, middle)
    assert tree(path) == tree(fetch_partial(inside, tmp_path / "new", middle))


# Images that lie otherwise in their files.


def tiff(lines: np.ndarray, order: str, big: bool, at_end: bool, rows: int) -> bytes:
    """Write a TIFF of complex 16-bit integers, its directory at the beginning or the end."""
    height, width = lines.shape[:2]
    content = lines.astype(f"{order}i2").tobytes()
    strips = -(-height // rows)
    word, size = ("Q", 8) if big else ("I", 4)
    length = rows * width * 4
    counts = [min(length, len(content) - one * length) for one in range(strips)]
    head = 16 if big else 8
    tables = 2 * strips * size
    directory = (8 + 20 * 9 + 8) if big else (2 + 12 * 9 + 4)
    data = head if at_end else head + tables + directory
    table = data + len(content) if at_end else head
    starts = [data + one * length for one in range(strips)]
    kind = 16 if big else 4
    tags = {256: width, 257: height, 258: 32, 259: 1, 262: 1, 273: starts, 277: 1, 278: rows}
    tags |= {279: counts, 339: 5}
    del tags[262]
    entries = b""
    place = table
    for tag, value in sorted(tags.items()):
        many = isinstance(value, list)
        number = len(value) if isinstance(value, list) else 1
        held = place if many and number * size > size else value[0] if many else value  # type: ignore[index]
        entries += struct.pack(f"{order}HH{word}{word}", tag, kind, number, held)
        place += number * size if many else 0
    count = struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
    ifd = count + entries + struct.pack(f"{order}{word}", 0)
    assert len(ifd) == directory
    listed = struct.pack(f"{order}{2 * strips}{word}", *starts, *counts)
    mark = b"II" if order == "<" else b"MM"
    where = table + tables
    header = mark + (
        struct.pack(f"{order}HHHQ", 43, 8, 0, where)
        if big
        else struct.pack(f"{order}HI", 42, where)
    )
    return header + (content + listed + ifd if at_end else listed + ifd + content)


def repacked(made: Simulated, image: bytes) -> Local:
    """Put another image into a product."""
    inside = Local(made.products[0])
    file, manifest = inside.only(IMAGE), inside.only("manifest")
    old, new = (f'size="{size}"'.encode() for size in (len(file.content), len(image)))
    assert manifest.content.count(old) == 1
    manifest.content = manifest.content.replace(old, new)
    file.content, file.size, manifest.size = image, len(image), None
    return inside


@pytest.mark.parametrize(
    ("order", "big", "at_end", "rows"),
    [("<", False, True, 1), ("<", True, False, 1), (">", True, True, 1), ("<", False, True, 100)],
)
def test_every_layout_of_an_image_is_found(
    made: Simulated,
    middle: BaseGeometry,
    tmp_path: Path,
    order: str,
    big: bool,
    at_end: bool,
    rows: int,
) -> None:
    product = open_product(made.products[0])
    with open_measurement(product, "IW2", "VV") as image:
        lines = image.read(slice(None)).view(np.float32).reshape(*image.shape, 2)
    inside = repacked(made, tiff(lines, order, big, at_end, rows))
    path = fetch_partial(inside, tmp_path, middle)
    assert np.array_equal(pixels(path, 1), pixels(made.products[0], 1))
    assert inside.only(IMAGE).sent <= 1.05 * BURST


@pytest.mark.parametrize("keep", [0, 3, 9, 100, 20_000])
def test_no_image_where_one_should_be(
    made: Simulated, middle: BaseGeometry, tmp_path: Path, keep: int
) -> None:
    whole_image = Local(made.products[0]).only(IMAGE).content
    inside = repacked(made, whole_image[:keep] + bytes(200_000))
    with pytest.raises(WrongContentError):
        fetch_partial(inside, tmp_path, middle)
    path = fetch_partial(Local(made.products[0]), tmp_path, middle)
    assert np.array_equal(pixels(path, 1), pixels(made.products[0], 1))


# What the reader refuses.


@pytest.mark.parametrize(
    "damage",
    [
        lambda about: "",
        lambda about: "[]",
        lambda about: json.dumps(about)[:-20],
        lambda about: json.dumps({**about, "version": 2}),
        lambda about: json.dumps({**about, "channels": []}),
        lambda about: json.dumps({**about, "product": "S1A"}),
        lambda about: json.dumps({**about, "more": 1}),
        lambda about: json.dumps({**about, "files": {"manifest.safe": "no checksum"}}),
    ],
)
def test_a_damaged_list_of_bursts_is_refused(
    made: Simulated, middle: BaseGeometry, tmp_path: Path, damage: object
) -> None:
    path = fetch_partial(Local(made.products[0]), tmp_path, middle)
    file = path / "partial.json"
    file.write_text(damage(json.loads(file.read_bytes())))  # type: ignore[operator]
    with pytest.raises(InputError, match=r"partial\.json"):
        open_product(path)
    with pytest.raises(InputError, match=r"partial\.json"):
        fetch_partial(Local(made.products[0]), tmp_path, middle)


def test_a_zip_of_a_partial_product_is_one(
    made: Simulated, middle: BaseGeometry, tmp_path: Path
) -> None:
    path = fetch_partial(Local(made.products[0]), tmp_path, middle)
    packed = tmp_path / f"{path.name}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in path.rglob("*"):
            archive.write(file, str(file.relative_to(tmp_path)))
    assert packed.stat().st_size < 2 * BURST
    assert indexes(packed) == [1]
    assert np.array_equal(pixels(packed, 1), pixels(made.products[0], 1))
    with pytest.raises(InputError, match="partial"):
        pixels(packed, 0)


def test_what_is_missing_of_a_partial_product_is_told(
    made: Simulated, middle: BaseGeometry, tmp_path: Path
) -> None:
    path = fetch_partial(Local(made.products[0]), tmp_path, middle)
    next(path.rglob("noise-*")).unlink()
    problems = open_product(path).problems
    assert len(problems) == 2
    assert problems[0].startswith("annotation/calibration/noise-")
