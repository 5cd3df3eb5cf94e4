"""The archive's inventory: how products come in, are kept, and go; real files, real PostgreSQL."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mirror_world import archive_of, day, safe_at

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.errors import InputError
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.model import Query
from geobservatory.mirror.archive import Archive
from geobservatory.mirror.books import settle
from geobservatory.mirror.intake import admit
from geobservatory.mirror.leave import leave
from geobservatory.sentinel1.safe import open_product
from geobservatory.settings.mirror import Stream


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


@pytest.fixture
def archive(catalog: Catalog, tmp_path: Path) -> Archive:
    return archive_of(catalog, tmp_path / "data")


def test_what_is_admitted_is_held_and_found(archive: Archive, tmp_path: Path) -> None:
    file, offer = safe_at(tmp_path, day(-2))
    content = file.read_bytes()
    done = admit(archive, file, offer)
    name = offer.product.name
    assert done.path == archive.whole(name) and not file.exists()
    assert done.path.read_bytes() == content
    held = archive.catalog.held(name)
    assert held is not None and held.whole and held.stream == "all"
    assert held.size == len(content) and held.checksum.startswith("blake3:")
    assert archive.catalog.used_bytes() == {"all": len(content)}
    with archive.catalog.reading(name) as path:
        assert path == done.path
    with archive.catalog.reading("S1A_NOTHING") as path:
        assert path is None
    # Again: nothing is done, and what was brought is left alone.
    again, _ = safe_at(tmp_path, day(-2))
    assert admit(archive, again, offer).path is None and again.exists()


def test_what_is_damaged_is_not_admitted(archive: Archive, tmp_path: Path) -> None:
    file, offer = safe_at(tmp_path, day(-2))
    with pytest.raises(InputError, match="its md5 is"):
        admit(archive, file, replace(offer, checksums={"md5": "0" * 32}))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole zip"):
        admit(archive, file, replace(offer, checksums={}))
    assert archive.catalog.used_bytes() == {}


def test_no_more_than_the_high_mark(catalog: Catalog, tmp_path: Path) -> None:
    archive = archive_of(catalog, tmp_path / "data", disk_gb=1e-3, low_water=0.5)
    taken = [admit(archive, *safe_at(tmp_path, day(-2 - n))).path for n in range(4)]
    # 300 kB each, 950 kB in all.
    assert [one is not None for one in taken] == [True, True, True, False]


def test_a_reader_keeps_it(archive: Archive, tmp_path: Path) -> None:
    file, offer = safe_at(tmp_path, day(-2))
    admit(archive, file, offer)
    name = offer.product.name
    reading, alone_with = archive.catalog.reading, archive.catalog.alone_with
    with reading(name), reading(name), alone_with(name) as alone:
        assert not alone
    with archive.catalog.alone_with(name) as alone:
        assert alone


def test_the_archive_is_a_hub_and_the_fastest(archive: Archive, tmp_path: Path) -> None:
    stock = tmp_path / "stock"
    file, offer = safe_at(stock, day(-2))
    shutil.copy(file, tmp_path / "copy.zip")
    admit(archive, tmp_path / "copy.zip", offer)
    folder = {"name": "shelf", "kind": "folder", "address": str(stock)}
    settings = archive.settings.model_validate({**archive.settings.model_dump(), "hubs": [folder]})
    hubs = Hubs(settings, archive.catalog)
    found = hubs.search(Query(start=day(-5), stop=day(0), area=offer.product.footprint))
    (scene,) = found.scenes
    assert [one.hub for one in scene.offers] == ["mirror", "shelf"]
    assert [one.hub for one in found.answers] == ["mirror", "shelf"] and found.complete
    assert hubs.estimate(scene)[0].offer.hub == "mirror"
    fetched = hubs.fetch(offer.product.name, folder=tmp_path / "elsewhere")
    assert fetched.hub == "mirror" and fetched.path.read_bytes() == file.read_bytes()
    # In place where it is, also when only a part is asked for.
    assert hubs.fetch(offer.product.name, area=offer.product.footprint).path == archive.whole(
        offer.product.name
    )
    with archive.catalog.alone_with(offer.product.name) as alone:
        assert alone


def test_the_hub_answers_what_is_asked(archive: Archive, tmp_path: Path) -> None:
    for number in range(3):
        admit(archive, *safe_at(tmp_path, day(-2 - number)))
    hubs = Hubs(archive.settings, archive.catalog)

    def names(**asked: object) -> int:
        return len(hubs.search(Query(**asked)).scenes)  # type: ignore[arg-type]

    assert names() == 3
    assert names(start=day(-2.5)) == 1
    assert names(stop=day(-3.5)) == 1
    assert names(product_type="GRD") == 0
    assert names(relative_orbit=53) == 0
    assert names(name="S1A_*") == 3
    assert names(name="S1A-*"[:3] + "*") == 3
    assert names(published_since=day(1)) == 0
    assert names(missions=("S1B",)) == 0


def test_pixels_go_and_annotation_stays(catalog: Catalog, tmp_path: Path) -> None:
    archive = archive_of(catalog, tmp_path / "data", Stream(name="all", after="annotation"))
    file, offer = safe_at(tmp_path, day(-2))
    admit(archive, file, offer)
    name = offer.product.name
    entry = catalog.held(name)
    assert entry is not None
    leave(archive, entry, "to make room", reduce=True)
    left = catalog.held(name)
    assert left is not None and left.state == "reduced" and left.path == archive.part(name)
    assert 0 < left.size < entry.size / 4
    product = open_product(left.path)
    assert product.partial is not None and not product.partial.channels
    assert "manifest.safe" in product.members and not any(
        member.startswith("measurement/") for member in product.members
    )
    # Whole again: it is a hub's, and takes the place of what was left.
    again, _ = safe_at(tmp_path, day(-2))
    assert admit(archive, again, offer).path == archive.whole(name)


@pytest.mark.parametrize("state", ["held", "coming", None])
def test_a_file_that_is_not_entered_is(archive: Archive, tmp_path: Path, state: str | None) -> None:
    """A crash between the file and its entry, before or after."""
    file, offer = safe_at(tmp_path, day(-2))
    admit(archive, file, offer)
    name = offer.product.name
    entry = archive.catalog.held(name)
    assert entry is not None
    if state is None:
        archive.catalog.drop_entry(entry, day(0))
    else:
        archive.catalog.set_entry_state(name, state)
    done = settle(archive, name)
    assert bool(done) == (state != "held")
    now = archive.catalog.held(name)
    assert now is not None and now.whole and now.checksum == entry.checksum


def test_an_entry_without_a_file_is_forgotten(archive: Archive, tmp_path: Path) -> None:
    file, offer = safe_at(tmp_path, day(-2))
    admit(archive, file, offer)
    archive.whole(offer.product.name).unlink()
    assert "forgotten" in settle(archive, offer.product.name)
    assert archive.catalog.inventory_entry(offer.product.name) is None


def test_a_going_that_was_broken_off_ends(archive: Archive, tmp_path: Path) -> None:
    file, offer = safe_at(tmp_path, day(-2))
    admit(archive, file, offer)
    name = offer.product.name
    archive.catalog.set_entry_state(name, "leaving")
    assert archive.catalog.held(name) is None
    settle(archive, name)
    assert archive.catalog.inventory_entry(name) is None
    assert not any(path.is_file() for path in archive.folder.rglob("*"))


def test_a_damaged_file_is_put_aside(archive: Archive, tmp_path: Path) -> None:
    file, offer = safe_at(tmp_path, day(-2))
    admit(archive, file, offer)
    name = offer.product.name
    path = archive.whole(name)
    with path.open("r+b") as opened:
        opened.seek(1000)
        opened.write(os.urandom(10))
    archive.catalog.set_entry_state(name, "coming")
    assert "quarantine" in settle(archive, name)
    entry = archive.catalog.inventory_entry(name)
    assert entry is not None and entry.state == "quarantined" and entry.path.is_file()
    assert not path.exists() and archive.catalog.held(name) is None


def test_a_pin_is_of_what_is_there(archive: Archive, tmp_path: Path) -> None:
    file, offer = safe_at(tmp_path, day(-2))
    name = offer.product.name
    with pytest.raises(InputError, match="not in the archive"):
        archive.catalog.pin(name, "me", "a paper", day(0))
    admit(archive, file, offer)
    archive.catalog.pin(name, "me", "a paper", day(0))
    archive.catalog.pin(name, "you", "", day(0), until=day(3))
    assert [one.holder for one in archive.catalog.pins(day(1), name)] == ["me", "you"]
    assert [one.holder for one in archive.catalog.pins(day(4))] == ["me"]
    assert archive.catalog.unpin(name, "me") and not archive.catalog.unpin(name, "me")
