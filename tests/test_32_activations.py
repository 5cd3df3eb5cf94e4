"""Events and activations: one for one event, every revision kept, no nonsense in the tables."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.errors import CatalogError, NotFoundError
from geobservatory.events.form import ActivationForm
from geobservatory.events.model import ActivationRequest, ActivationState

TIME = datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)


def request(**changes: Any) -> ActivationRequest:
    given = {"event_time": TIME, "longitude": -8.4, "latitude": 31.1, "radius_km": 30}
    return ActivationForm.model_validate(given | changes).to_request()


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


def test_the_same_request_twice_is_one_activation(catalog: Catalog) -> None:
    first, created = catalog.request_activation(request())
    assert created
    assert first.state is ActivationState.REQUESTED
    again, created = catalog.request_activation(request())
    assert not created
    assert again == first
    assert len(catalog.revisions(first.id)) == 1


def test_ten_at_once_are_one_activation(database_url: str) -> None:
    def ask(number: int) -> tuple[str, bool]:
        with open_catalog(database_url) as catalog:
            # Each a slightly different report of one earthquake.
            activation, created = catalog.request_activation(
                request(event_time=TIME + timedelta(seconds=number), magnitude=6 + number / 10)
            )
            return activation.id, created

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(ask, range(10)))
    assert len({identifier for identifier, _ in answers}) == 1
    assert sum(created for _, created in answers) == 1
    with open_catalog(database_url) as catalog:
        assert len(catalog.activations()) == 1
        assert len(catalog.revisions(answers[0][0])) == 10


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"event_time": TIME + timedelta(seconds=59)}, True),
        ({"event_time": TIME + timedelta(seconds=61)}, False),
        ({"longitude": -7.4}, True),  # 95 km
        ({"longitude": -7.3}, False),  # 105 km
        ({"event_type": "landslide"}, False),
    ],
)
def test_what_counts_as_the_same_event(
    catalog: Catalog, changes: dict[str, Any], same: bool
) -> None:
    first, _ = catalog.request_activation(request())
    other, created = catalog.request_activation(request(**changes))
    assert (other.id == first.id) is same
    assert created is not same


def test_a_source_knows_its_own_events(catalog: Catalog) -> None:
    report = {"source": "EMSC", "source_id": "20230908_0000287"}
    first, _ = catalog.request_activation(request(**report))
    moved = request(**report, event_time=TIME + timedelta(seconds=300), longitude=-5.0)
    assert catalog.request_activation(moved)[0].id == first.id
    assert [one.longitude for one in catalog.revisions(first.id)] == [-8.4, -5.0]


def test_two_events_of_one_second_get_two_names(catalog: Catalog) -> None:
    here, _ = catalog.request_activation(request())
    there, _ = catalog.request_activation(request(longitude=140.0, latitude=35.0))
    assert here.id != there.id
    assert [one.id for one in catalog.activations()] == sorted([here.id, there.id])


def test_states_follow_each_other_and_are_kept(catalog: Catalog) -> None:
    identifier = catalog.request_activation(request())[0].id
    catalog.set_state(identifier, ActivationState.RUNNING, "", "run-1")
    done = catalog.set_state(identifier, ActivationState.WAITING, "no image yet", "run-1")
    assert done.flow_run_id == "run-1"
    with pytest.raises(CatalogError, match="is waiting and cannot become complete"):
        catalog.set_state(identifier, ActivationState.COMPLETE, "")
    history = catalog.history(identifier)
    assert [one.state for one in history] == ["requested", "running", "waiting"]
    assert catalog.activations(state=ActivationState.WAITING) == [done]
    assert catalog.activations(state=ActivationState.RUNNING) == []


def test_found_by_the_start_of_the_name(catalog: Catalog) -> None:
    one, _ = catalog.request_activation(request())
    catalog.request_activation(request(event_type="volcano"))
    assert catalog.activation("earth") == one
    catalog.request_activation(request(longitude=20.0))
    with pytest.raises(NotFoundError, match="more than one"):
        catalog.activation("earth")
    with pytest.raises(NotFoundError, match="there is no activation %"):
        catalog.activation("%")


def test_a_claim_is_exclusive_and_ends(database_url: str, catalog: Catalog) -> None:
    with open_catalog(database_url) as other:
        with catalog.claim("a") as ours, other.claim("a") as theirs, other.claim("b") as free:
            assert (ours, theirs, free) == (True, False, True)
            assert other.is_claimed("a")
        assert not other.is_claimed("a")
        with other.claim("a") as theirs:
            assert theirs


# Each statement is nonsense, and the database itself refuses it.
NONSENSE = {
    "a second activation for an event": (
        "INSERT INTO activations SELECT * FROM activations",
        "pk_activations",
    ),
    "an unknown state": ("UPDATE activations SET state = 'tired'", "state_known"),
    "waiting for no reason": (
        "UPDATE activations SET state = 'waiting', state_reason = ''",
        "reason_given",
    ),
    "an event of no activation": (
        "UPDATE events SET activation_id = 'none'",
        "fk_events_activation_id",
    ),
    "a place off the globe": ("UPDATE events SET latitude = 91", "latitude"),
    "a file without an interferogram": (
        "INSERT INTO product_files VALUES ('none', 'phase', 'a.tif', 1, repeat('0', 64))",
        "fk_product_files_interferogram_id",
    ),
    "a pair whose reference is later": (
        "INSERT INTO pairs SELECT 'p', id, 'co-event', 52, 'descending', now(),"
        " now() - interval '1 day', '{}', '{}', '' FROM activations",
        "reference_is_earlier",
    ),
    "an offer of no scene": (
        "INSERT INTO offers (scene_name, hub, hub_id) VALUES ('none', 'h', '1')",
        "fk_offers_scene_name",
    ),
    "success without a value": (
        "INSERT INTO measurements (at, hub, kind, ok) VALUES (now(), 'h', 'speed', true)",
        "success_has_value",
    ),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_refused_by_the_database(catalog: Catalog, what: str) -> None:
    catalog.request_activation(request())
    statement, constraint = NONSENSE[what]
    with pytest.raises(IntegrityError, match=constraint), catalog._engine.begin() as connection:
        connection.execute(text(statement))


def test_one_transfer_of_a_part_at_a_time(catalog: Catalog) -> None:
    scene = (
        "INSERT INTO scenes (name, mission, product_type, start_time, stop_time, footprint,"
        " west, south, east, north) VALUES"
        " ('S', 'SENTINEL-1', 'SLC', now(), now() + interval '1 s', '{}', 170, 0, -170, 1)"
    )
    download = "INSERT INTO downloads (scene_name, hub, state) VALUES ('S', 'h', 'running')"
    with catalog._engine.begin() as connection:
        connection.execute(text(scene))
        connection.execute(text(download))
    with (
        pytest.raises(IntegrityError, match="uq_downloads_open"),
        catalog._engine.begin() as connection,
    ):
        connection.execute(text(download))
