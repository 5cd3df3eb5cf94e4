"""Notices and subscriptions in the catalogue: one for each recipient, never in two hands."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import shapely
from sqlalchemy import inspect, text

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.notices import LEASE, PATIENCE, WEBHOOK
from geobservatory.catalog.subscriptions import LINKS_LAST
from geobservatory.errors import InputError, NotFoundError
from geobservatory.events.form import ActivationForm
from geobservatory.globe import circle, meet, meeting
from geobservatory.notify.message import Message

NOW = datetime(2023, 9, 8, 23, 0, tzinfo=UTC)
CONTENT: dict[str, Any] = {"subject": "s", "said": [], "points": [], "event": []}


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


@pytest.fixture
def activation(catalog: Catalog) -> str:
    form = ActivationForm(event_time=NOW, longitude=-8.4, latitude=31.1)
    return catalog.request_activation(form.to_request())[0].id


def put(catalog: Catalog, activation: str, *recipients: str, key: str = "") -> int:
    until = NOW + PATIENCE
    return catalog.queue_notice(activation, "map-ready", key, recipients, CONTENT, NOW, until)


def test_asked_twice_or_at_once_there_is_one(catalog: Catalog, activation: str) -> None:
    def ask(_: int) -> int:
        return put(catalog, activation, "a@example.org", "A@Example.org", WEBHOOK)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [0] * 7 + [2]
    assert put(catalog, activation, "A@EXAMPLE.org") == 0
    assert put(catalog, activation, "a@example.org", key="another") == 1
    assert put(catalog, activation) == 0
    assert catalog.told(activation, "map-ready") == ["a@example.org", WEBHOOK]
    assert catalog.told(activation, "withdrawn") == []


def test_what_has_expired_is_not_queued_and_not_sent(catalog: Catalog, activation: str) -> None:
    late = catalog.queue_notice(activation, "pass-predicted", "", ["a@b"], CONTENT, NOW, NOW)
    assert late == 0
    put(catalog, activation, "a@example.org", "b@example.org")
    first = catalog.take_notice(NOW, webhook=False)
    assert first is not None
    catalog.notice_failed(first, "refused", NOW + timedelta(hours=1))
    catalog.give_up_notices(NOW + PATIENCE - timedelta(seconds=1))
    assert {one.state for one in catalog.notices()} == {"waiting"}
    catalog.give_up_notices(NOW + PATIENCE)
    errors = {one.recipient: (one.state, one.error) for one in catalog.notices()}
    assert errors == {
        first.recipient: ("failed", "not delivered in its time; refused"),
        ({"a@example.org", "b@example.org"} - {first.recipient}).pop(): (
            "failed", "not delivered in its time",
        ),
    }  # fmt: skip
    assert catalog.take_notice(NOW + PATIENCE, webhook=False) is None


def test_a_notice_is_in_one_hand(catalog: Catalog, activation: str) -> None:
    put(catalog, activation, *(f"{number}@example.org" for number in range(50)), WEBHOOK)

    def take_all(_: int) -> list[int]:
        taken = []
        while (one := catalog.take_notice(NOW, webhook=False)) is not None:
            taken.append(one.id)
        return taken

    with ThreadPoolExecutor(4) as pool:
        hands = list(pool.map(take_all, range(4)))
    assert len({one for hand in hands for one in hand}) == 50 == sum(map(len, hands))
    taken = catalog.take_notice(NOW, webhook=True)
    assert taken is not None
    assert taken.recipient == WEBHOOK


def test_a_lease_that_ran_out_is_another_hand(catalog: Catalog, activation: str) -> None:
    """Who was slow may not hand over any more, nor say what became of the other's attempt."""
    put(catalog, activation, "a@example.org")
    slow = catalog.take_notice(NOW, webhook=False)
    assert slow is not None
    assert catalog.take_notice(NOW + LEASE - timedelta(seconds=1), webhook=False) is None
    other = catalog.take_notice(NOW + LEASE, webhook=False)
    assert other is not None
    assert (other.id, other.token, other.attempts) == (slow.id, slow.token, 2)
    assert not catalog.hand_over(slow, NOW + LEASE)
    catalog.notice_failed(slow, "too late", None)
    assert catalog.hand_over(other, NOW + LEASE)
    catalog.notice_sent(slow, NOW + LEASE)
    assert catalog.notices()[0].state == "handed"
    catalog.notice_sent(other, NOW + LEASE)
    assert catalog.notices()[0].state == "sent"


def test_who_dies_while_handing_over_leaves_it_uncertain(catalog: Catalog, activation: str) -> None:
    put(catalog, activation, "a@example.org")
    taken = catalog.take_notice(NOW, webhook=False)
    assert taken is not None
    handed = NOW + timedelta(minutes=15)
    assert catalog.hand_over(taken, handed)
    # The lease counts from the hand-over: the receiver may think it over.
    catalog.give_up_notices(handed + LEASE - timedelta(seconds=1))
    assert catalog.notices()[0].state == "handed"
    catalog.give_up_notices(handed + LEASE)
    assert catalog.notices()[0].state == "uncertain"
    assert catalog.take_notice(NOW + PATIENCE / 2, webhook=False) is None
    # A late answer settles it.
    catalog.notice_sent(taken, handed + 2 * LEASE)
    assert catalog.notices()[0].state == "sent"


def test_a_person_asks_again(catalog: Catalog, activation: str) -> None:
    put(catalog, activation, "a@example.org")
    first = catalog.take_notice(NOW, webhook=False)
    assert first is not None
    catalog.hand_over(first, NOW)
    catalog.notice_uncertain(first, "fell silent")
    much_later = NOW + 10 * PATIENCE
    assert catalog.retry_notices(much_later, "another") == 0
    assert catalog.retry_notices(much_later, activation) == 1
    second = catalog.take_notice(much_later, webhook=False)
    assert second is not None
    assert second.token == first.token
    assert second.expires_at == much_later + PATIENCE
    # An answer to the first attempt says nothing of the second.
    catalog.notice_sent(first, much_later)
    assert catalog.notices()[0].state == "taken"


def test_notices_of_before_the_migration_can_be_sent(database_url: str) -> None:
    from alembic import command

    from geobservatory.catalog.database import open_engine
    from geobservatory.catalog.migrate import _config, upgrade

    engine = open_engine(database_url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0003")
        connection.execute(
            text(
                "INSERT INTO activations (id, state, request, west, south, east, north)"
                " VALUES ('a', 'running', '{}', 0, 0, 1, 1)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO notices (activation_id, kind, key, recipient, content, state)"
                " SELECT 'a', 'map-ready', '', n || '@example.org', :content, 'waiting'"
                " FROM generate_series(1, 3) n"
            ),
            {"content": '{"subject": "Map", "text": "It moved.", "picture": null}'},
        )
    upgrade(engine)
    with engine.connect() as connection:
        asked = text("SELECT token, expires_at - created_at, content FROM notices")
        rows = connection.execute(asked).all()
        unique = inspect(connection).get_unique_constraints("notices")
    engine.dispose()
    assert len({token for token, _, _ in rows}) == 3
    assert {left for _, left, _ in rows} == {PATIENCE}
    assert Message.from_content(rows[0][2]) == Message("Map", ("It moved.",))
    assert ["token"] in [one["column_names"] for one in unique]


def test_subscriptions_come_and_go(catalog: Catalog) -> None:
    morocco, place = shapely.box(-9, 30, -8, 32), shapely.box(-8.5, 31, -8.4, 31.1)
    made = catalog.subscribe("near@example.org", morocco, 6.0)
    assert catalog.subscribe("Near@example.org", morocco, 6.0) == made
    assert catalog.subscriptions() == [made]
    assert catalog.subscribers(place, 6.0) == ["near@example.org"]
    assert catalog.subscribers(place, None) == ["near@example.org"]
    assert catalog.subscribers(place, 5.9) == []
    # Each mail has a link of its own, which ends with the subscription, and is old one day.
    first, second = catalog.new_link(made.id), catalog.way_out("NEAR@example.org")
    assert second is not None and first != second
    for token in (first, second):
        assert [one.id for one in catalog.subscriptions_of(token)] == [made.id]
    assert catalog.way_out("other@example.org") is None
    assert catalog.forget_links(datetime.now(UTC) - LINKS_LAST) == 0
    assert catalog.forget_links(datetime.now(UTC) + timedelta(minutes=1)) == 2
    with pytest.raises(NotFoundError, match="no such subscription"):
        catalog.subscriptions_of(first)
    third = catalog.new_link(made.id)
    catalog.unsubscribe(made.id)
    with pytest.raises(NotFoundError, match="no such subscription"):
        catalog.confirm_subscription(third, datetime.now(UTC))
    with pytest.raises(NotFoundError):
        catalog.new_link(made.id)
    with pytest.raises(NotFoundError):
        catalog.unsubscribe(made.id)


def test_who_has_not_confirmed_is_not_told(catalog: Catalog) -> None:
    area = shapely.box(-9, 30, -8, 32)
    catalog.subscribe("a@example.org", area, None)
    with catalog.engine.begin() as connection:
        connection.execute(text("UPDATE subscriptions SET confirmed_at = NULL"))
    assert catalog.subscribers(area, 9.0) == []
    assert catalog.subscriptions() == []


@pytest.mark.parametrize(
    "address",
    ["", "nobody", "a b@c", "a@b\r\nBcc: x@y", "a@b, c@d", "<a@b>", "ü@example.org", "a@"],
)
def test_what_is_no_address_is_refused(catalog: Catalog, address: str) -> None:
    with pytest.raises(InputError, match="is no e-mail address"):
        catalog.subscribe(address, shapely.box(0, 0, 1, 1), None)


@pytest.mark.parametrize(
    ("theirs", "ours", "told"),
    [
        # Fiji, from both sides of the antimeridian.
        (circle(179.5, -17, 200_000), circle(-179.5, -17, 50_000), True),
        (shapely.box(170, -20, 180, -10), shapely.box(-180, -20, -170, -10), True),
        (shapely.box(170, -20, 179, -10), shapely.box(-180, -20, -170, -10), False),
        (circle(178, -17, 50_000), circle(-178, -17, 50_000), False),
        # All longitudes of a pole are one place.
        (shapely.box(0, 85, 10, 90), shapely.box(100, 80, 110, 90), True),
        (shapely.box(0, 85, 10, 89), shapely.box(100, 80, 110, 90), False),
        (shapely.box(0, -90, 10, -85), circle(100, -89.9, 50_000), True),
        (shapely.box(0, -90, 10, -85), shapely.box(100, 80, 110, 90), False),
    ],
)
def test_areas_meet_over_the_antimeridian_and_at_the_poles(
    catalog: Catalog, theirs: Any, ours: Any, told: bool
) -> None:
    assert meet(theirs, ours) is told
    assert meet(ours, theirs) is told
    assert meeting([theirs, shapely.Point(50, 50), ours], ours) == [told, False, True]
    assert meeting([], ours) == []
    catalog.subscribe("a@example.org", theirs, None)
    assert catalog.subscribers(ours, 6.0) == (["a@example.org"] if told else [])
