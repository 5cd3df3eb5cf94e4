"""Pairs and interferograms in the catalogue: versions, resumption, one of a pair at a time."""

import dataclasses
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import shapely
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.interferograms import File
from geobservatory.catalog.pairs import Pair
from geobservatory.errors import CatalogError, NotFoundError
from geobservatory.events.form import ActivationForm
from geobservatory.hubs.model import Offer, Product, Scene
from geobservatory.hubs.products import make_product

TIME = datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)
BEFORE, AFTER = datetime(2023, 9, 4, 6, 37, tzinfo=UTC), datetime(2023, 9, 16, 6, 37, tzinfo=UTC)
PAIR = Pair(
    id="co-event-052-20230904T063700-20230916T063700",
    kind="co-event",
    relative_orbit=52,
    direction="descending",
    reference_time=BEFORE,
    secondary_time=AFTER,
    reference=("S1A_one",),
    secondary=("S1A_other", "S1A_next"),
    score=0.5,
    rank=0,
    spans=("earthquake-1",),
    reason="the only one",
)
MAP = File("somewhere/los_displacement.tif", 1000, "0" * 64)


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


@pytest.fixture
def activation(catalog: Catalog) -> str:
    form = ActivationForm(event_time=TIME, longitude=-8.4, latitude=31.1, radius_km=30)
    identifier = catalog.request_activation(form.to_request())[0].id
    catalog.record_pairs(identifier, [PAIR])
    return identifier


def finish(catalog: Catalog, identifier: str, verdict: str = "good") -> None:
    catalog.finish_interferogram(identifier, verdict, {}, {}, {"dem": "glo30"}, {"map": MAP})


def test_pairs_are_replaced_by_those_of_the_next_choice(catalog: Catalog, activation: str) -> None:
    assert catalog.pairs(activation) == [PAIR]
    better = dataclasses.replace(PAIR, id="better", score=0.9)
    catalog.record_pairs(activation, [better])
    assert catalog.pairs(activation) == [better]
    catalog.record_pairs(activation, [better, dataclasses.replace(PAIR, rank=1)])
    assert [one.id for one in catalog.pairs(activation)] == ["better", PAIR.id]


def test_what_was_made_of_the_same_is_not_made_again(catalog: Catalog, activation: str) -> None:
    begun = catalog.begin_interferogram(activation, PAIR.id, "native", "digest")
    assert (begun.state, begun.version) == ("running", 1)
    assert begun.folder == f"{activation}/{PAIR.id}"
    # A run that was killed left it running: the next goes on with it.
    assert catalog.begin_interferogram(activation, PAIR.id, "native", "digest").id == begun.id
    finish(catalog, begun.id)
    again = catalog.begin_interferogram(activation, PAIR.id, "native", "digest")
    assert (again.id, again.state, again.verdict) == (begun.id, "complete", "good")
    assert again.files == {"map": MAP}


def test_other_inputs_make_a_version_that_supersedes(catalog: Catalog, activation: str) -> None:
    first = catalog.begin_interferogram(activation, PAIR.id, "native", "restituted")
    finish(catalog, first.id)
    second = catalog.begin_interferogram(activation, PAIR.id, "native", "precise")
    assert (second.version, second.state) == (2, "running")
    assert second.folder == f"{activation}/{PAIR.id}-v2"
    # Until it is there, the first is what there is.
    assert [one.state for one in catalog.interferograms(activation)] == ["complete", "running"]
    catalog.fail_interferogram(second.id, "the disk is full")
    assert [one.state for one in catalog.interferograms(activation)] == ["complete", "failed"]
    second = catalog.begin_interferogram(activation, PAIR.id, "native", "precise, again")
    assert (second.version, second.digest) == (2, "precise, again")
    other = dataclasses.replace(MAP, path="elsewhere/los_displacement.tif")
    catalog.finish_interferogram(second.id, "good", {}, {}, {}, {"map": other})
    assert [one.state for one in catalog.interferograms(activation)] == ["superseded", "complete"]
    assert catalog.interferogram(second.id).files == {"map": other}


def test_nonsense_is_refused(catalog: Catalog, activation: str) -> None:
    with pytest.raises(CatalogError, match="was not begun"):
        finish(catalog, "nothing")
    with pytest.raises(NotFoundError):
        catalog.interferogram("nothing")
    begun = catalog.begin_interferogram(activation, PAIR.id, "native", "digest")
    with pytest.raises(IntegrityError, match="failure_has_reason"):
        catalog.fail_interferogram(begun.id, "")


def test_an_interferogram_is_made_by_one_at_a_time(database_url: str, activation: str) -> None:
    """Whoever comes second waits, and finds it made."""
    order: list[str] = []
    held, waiting = threading.Event(), threading.Event()

    def first() -> None:
        with open_catalog(database_url) as catalog, catalog.making(activation, PAIR.id):
            held.set()
            waiting.wait(10)
            order.append("first")

    def second() -> None:
        with open_catalog(database_url) as catalog:
            held.wait(10)
            with catalog.making(activation, PAIR.id):
                order.append("second")

    threads = [threading.Thread(target=one) for one in (first, second)]
    for one in threads:
        one.start()
    held.wait(10)
    with open_catalog(database_url) as catalog:
        blocked = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        while True:
            with catalog.engine.connect() as connection:
                if connection.execute(blocked).scalar_one():
                    break
        with catalog.making(activation, "another pair"):
            pass
    waiting.set()
    for one in threads:
        one.join()
    assert order == ["first", "second"]


def scene(
    start: datetime, area: shapely.Polygon | shapely.MultiPolygon, kind: str = "SLC_"
) -> Scene:
    stop = start + timedelta(seconds=27)
    name = f"S1A_IW_{kind}_1SDV_{start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}_050174_0609E3_DAA1"
    product: Product = make_product(name, area, direction="descending")
    return Scene(product, (Offer(product, "here", "1", "http://here"),))


def test_scenes_are_found_by_place_and_time(catalog: Catalog) -> None:
    morocco, fiji = shapely.box(-9, 30, -8, 31), shapely.box(179, -18, 181, -17)
    scenes = [scene(BEFORE, morocco), scene(AFTER, morocco), scene(TIME, fiji)]
    catalog.record_scenes([*scenes, scene(BEFORE, morocco, "GRDH")])
    long_ago, far_off = BEFORE - timedelta(days=9), AFTER + timedelta(days=9)

    def found(area: shapely.Geometry, start: datetime = long_ago, stop: datetime = far_off) -> list:
        return catalog.products(area, start, stop)

    assert found(morocco) == [scenes[0].product, scenes[1].product]
    assert found(morocco, stop=TIME) == [scenes[0].product]
    assert found(shapely.box(-7, 30, -6, 31)) == []
    for west in (179.5, -180):
        assert found(shapely.box(west, -18, west + 0.5, -17)) == [scenes[2].product]
    both = shapely.MultiPolygon(
        [shapely.box(179, -18, 180, -17), shapely.box(-180, -18, -179, -17)]
    )
    assert found(both) == [scenes[2].product]
