"""What an activation puts before people: folder, checksums, KMZ, STAC, the page in a browser."""

import dataclasses
import json
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pystac
import pytest
import rasterio
from browser import Page, browser
from lxml import etree
from shapely.geometry import box, mapping, shape

from geobservatory.errors import InputError, NotFoundError
from geobservatory.products.activation import (
    ActivationPage,
    ShownEvent,
    ShownMap,
    ShownPass,
    write_activation,
)
from geobservatory.products.copy import copy_activation
from geobservatory.products.kmz import write_kmz
from geobservatory.products.overlays import read_overlay

TIME = datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)
NAME = "co-event-052-20230904T063742-20230916T063742"
# Whoever names an event does not write our page.
TITLE = "M 6.8 </script><script>document.title = 'taken'</script> & Al Haouz"


@pytest.fixture(scope="module")
def made(strip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Take the interferogram of a strip of Al Haouz into a folder of an activation."""
    out = tmp_path_factory.mktemp("activation") / NAME
    shutil.copytree(strip, out)
    return out


@pytest.fixture
def about() -> ActivationPage:
    area = json.loads(json.dumps(mapping(box(-9.0, 30.7, -8.0, 31.4))))
    return ActivationPage(
        id="earthquake-20230908T221101-a045",
        title=TITLE,
        state="waiting",
        reason="waits for track 45",
        area=area,
        events=(ShownEvent(TITLE, TIME, -8.391, 31.058, 6.8, 19.0, "EMSC"),),
        maps=(
            ShownMap(
                NAME, "co-event", 52, "descending",
                TIME - timedelta(days=4), TIME + timedelta(days=8), "the best of its track",
                events=(TITLE,),
            ),
            ShownMap(
                "not-there", "pre-event", 52, "descending",
                TIME - timedelta(days=16), TIME - timedelta(days=4), "quiet", "not made yet",
            ),
        ),
        passes=(ShownPass(TIME + timedelta(days=7), 45, "ascending", "S1A", 0.93, area),),
        notes=("track 45: an image from after the event",),
    )  # fmt: skip


@pytest.fixture
def folder(made: Path, about: ActivationPage) -> Path:
    write_activation(made.parent, about)
    return made.parent


_SHOWN = "document.body.dataset.shown"


def states(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_has_not_changed_is_not_written_again(folder: Path, about: ActivationPage) -> None:
    before = states(folder)
    write_activation(folder, about)
    assert states(folder) == before
    write_activation(folder, dataclasses.replace(about, state="complete"))
    changed = {name for name, state in states(folder).items() if state != before[name]}
    assert changed == {"index.html", "activation.json", "SHA256SUMS"}


def test_checksums_are_those_that_sha256sum_takes(folder: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=False
    )
    assert done.returncode == 0
    listed = {line[66:] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == set(states(folder)) - {"SHA256SUMS"}


def test_the_collection_links_to_its_items(folder: Path) -> None:
    collection = pystac.Collection.from_file(str(folder / "collection.json"))
    (item,) = collection.get_items()
    assert item.properties["geobs:verdict"] == "good"
    assert collection.extent.spatial.bboxes == [[-9.0, 30.7, -8.0, 31.4]]
    assert (folder / NAME / item.assets["los_displacement.tif"].href).exists()


def test_a_damaged_map_is_named_and_holds_nothing_up(
    made: Path, about: ActivationPage, tmp_path: Path
) -> None:
    copy = tmp_path / NAME
    copy.mkdir()
    for path in made.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "coherence.tif").write_bytes(b"no picture")
    (copy / "interferogram.kmz").unlink(missing_ok=True)
    page = write_activation(tmp_path, about).read_text()
    assert "damaged: " in page
    assert f"geobs retry {about.id}" in page
    (copy / "metadata.json").write_text("{")
    assert "damaged: " in write_activation(tmp_path, about).read_text()


def test_a_kmz_is_what_viewers_of_kml_expect(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.kmz"
    write_kmz(path, made, "Al Haouz <&>", {"epicentre": (-8.391, 31.058)})
    first = path.read_bytes()
    write_kmz(path, made, "Al Haouz <&>", {"epicentre": (-8.391, 31.058)})
    assert path.read_bytes() == first
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        document = etree.fromstring(archive.read("doc.kml"))
        image = matplotlib.image.imread(BytesIO(archive.read("displacement.png")))
    assert names[0] == "doc.kml"
    kml = {"k": "http://www.opengis.net/kml/2.2"}
    hrefs = document.xpath("//k:href/text()", namespaces=kml)
    assert set(hrefs) == set(names) - {"doc.kml"}
    shown = document.xpath("//k:GroundOverlay/k:visibility/text()", namespaces=kml)
    assert shown == ["1", "0", "0"]
    (west, east), (south, north) = (
        [float(document.xpath(f"string(//k:LatLonBox/k:{side})", namespaces=kml)) for side in pair]
        for pair in (("west", "east"), ("south", "north"))
    )
    item = json.loads((made / "metadata.json").read_text())
    assert box(west, south, east, north).buffer(1e-6).contains(shape(item["geometry"]))
    # Where the picture has colour is where the map has motion.
    overlay = read_overlay(made, "EPSG:4326", 1600)
    assert overlay.displacement_m is not None
    assert np.array_equal(image[..., 3] > 0, np.isfinite(overlay.displacement_m))
    red, blue = image[..., 0] > image[..., 2], overlay.displacement_m > 0.02
    assert red[blue].mean() > 0.99


def test_an_activation_is_taken_along_whole(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "stick"
    names = copy_activation(folder, target)
    assert {name: content for name, (_, content) in states(target).items()} == {
        name: content for name, (_, content) in states(folder).items()
    }
    before = states(target)
    (target / names[0]).write_bytes(b"spoilt on the way")
    copy_activation(folder, target)
    after = {name for name, state in states(target).items() if state != before[name]}
    assert after == {names[0], "SHA256SUMS"}
    with pytest.raises(NotFoundError, match="no maps yet"):
        copy_activation(tmp_path / "nothing", target)


def test_what_was_spoilt_at_home_is_not_handed_on(folder: Path, tmp_path: Path) -> None:
    copy_activation(folder, tmp_path / "home")
    (tmp_path / "home" / "collection.json").write_text("{}")
    with pytest.raises(InputError, match="not what was published"):
        copy_activation(tmp_path / "home", tmp_path / "away")
    assert not (tmp_path / "away" / "SHA256SUMS").exists()


def shown(page: Page) -> Any:
    return page.run(_SHOWN)


def test_the_page_in_a_browser(folder: Path, tmp_path: Path) -> None:
    """Layers switch, values are those of the GeoTIFF, nothing is fetched but the base map."""
    with browser(tmp_path) as page:
        page.open((folder / "index.html").as_uri(), f"{_SHOWN} == '{NAME}/displacement'")
        assert page.run("document.title") == TITLE
        assert page.run("document.querySelectorAll('article').length") == 2
        for layer in ("phase", "coherence", "displacement"):
            page.click(f"input[name=layer][value={layer}]")
            page.wait(lambda name=layer: shown(page) == f"{NAME}/{name}")
            assert page.run("document.querySelectorAll('.leaflet-image-layer').length") == 1
        page.run(
            "(() => { const slide = document.getElementById('opacity'); slide.value = 40;"
            "slide.dispatchEvent(new Event('input')); })()"
        )
        assert page.run("document.querySelector('.leaflet-image-layer').style.opacity") == "0.4"
        page.click("#passes")
        left, top, width, height = page.run(
            "(() => { const image = document.querySelector('.leaflet-image-layer');"
            "const box = image.getBoundingClientRect();"
            "return [box.left, box.top, box.width, box.height]; })()"
        )
        values = 0
        for across, down in np.random.default_rng(1).uniform(0.2, 0.8, (60, 2)):
            page.move(left + across * width, top + down * height)
            said = page.run("document.getElementById('value').textContent")
            values += check_value(said, folder / NAME)
        assert values > 20
        page.move(left - 15, top - 15)
        assert "nothing is known here" in page.run("document.getElementById('value').textContent")
        outside = [one for one in page.requests if not one.startswith(("file:", "data:", "blob:"))]
        assert all(one.startswith("https://tile.openstreetmap.org/") for one in outside)
        problems = [one for one in page.errors if "tile.openstreetmap.org" not in one]
        assert problems == []


def check_value(said: str, made: Path) -> bool:
    """Hold a value that the page tells against the file's cells about that place."""
    place, *values = said.split(" · ")
    known = (one.split() for one in values if "nothing" not in one)
    told = {name: float(value) for name, value, *_ in known}
    if "displacement" not in told:
        return False
    latitude, longitude = map(float, place.split(", "))
    with rasterio.open(made / "los_displacement.tif") as file:
        x, y = rasterio.warp.transform("EPSG:4326", file.crs, [longitude], [latitude])
        row, col = file.index(x[0], y[0])
        about = file.read(1, window=((row - 3, row + 4), (col - 3, col + 4)))
    assert np.nanmin(about) * 100 - 0.06 <= told["displacement"] <= np.nanmax(about) * 100 + 0.06
    return True


def test_the_page_on_a_phone(folder: Path, tmp_path: Path) -> None:
    with browser(tmp_path, 390, 844) as page:
        page.open((folder / "index.html").as_uri(), _SHOWN)
        assert page.run("document.documentElement.scrollWidth <= window.innerWidth")
