"""What was delivered: known one by one for a while, by the day for good."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from mirror_world import product_at
from sqlalchemy import text

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.deliveries import Delivered
from geobservatory.hubs.model import Offer, Scene
from geobservatory.settings.portal import Role

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HUBS = {"slow": 2, "quick": 4, "usual": 3}
ONE = Delivered(
    scene_name="S1A_one", part="", who="ada", origin="archive", began_at=NOW, seconds=3.0,
    first_byte_s=0.1, sent_bytes=1000, outcome="whole",
)  # fmt: skip


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


def fill(catalog: Catalog, days: int) -> None:
    """Deliver, each day from a minute after its begin to one before its end."""
    for number in range(days):
        end = (NOW - number * DAY).replace(hour=23, minute=59)
        for at in (end, end.replace(hour=0, minute=0), end.replace(hour=12)):
            catalog.record_delivery(replace(ONE, began_at=at))
        catalog.record_delivery(replace(ONE, began_at=end, outcome="left", sent_bytes=7))
        catalog.record_delivery(replace(ONE, began_at=end, origin="alpha, beta", part="x",
                                        outcome="part"))  # fmt: skip


def test_what_is_forgotten_stays_in_the_numbers(catalog: Catalog) -> None:
    fill(catalog, 10)
    span = date(2026, 11, 1), date(2026, 11, 28)
    before = catalog.numbers(*span)
    assert len(before.scenes) == 20
    assert sum(one.count for one in before.scenes) == 30
    assert sum(one.bytes for one in before.scenes) == 10 * 4007
    # Whole days, whatever the hour.
    assert catalog.forget_deliveries(NOW - 3 * DAY) == 6 * 5
    assert len(catalog.deliveries(NOW - 30 * DAY)) == 4 * 5
    assert replace(catalog.numbers(*span), users=before.users) == before
    assert catalog.forget_deliveries(NOW - 3 * DAY) == 0
    assert catalog.forget_deliveries(NOW - 2 * DAY) == 5
    assert replace(catalog.numbers(*span), users=before.users) == before
    part = date(2026, 11, 20), date(2026, 11, 25)
    assert {one.day for one in catalog.numbers(*part).scenes} == {
        date(2026, 11, day) for day in range(20, 26)
    }
    # What a user may have in a day is counted of what is known.
    assert catalog.delivered_bytes("ada", NOW - DAY) > 0
    with catalog.engine.connect() as connection:
        kept = str(connection.execute(text("SELECT * FROM delivered_days")).all())
    assert "ada" not in kept and "S1A_one" not in kept


def test_a_day_is_summed_in_parts_and_by_several_at_once(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(catalog, 8)
    span = date(2026, 11, 1), date(2026, 11, 28)
    before = catalog.numbers(*span)
    monkeypatch.setattr("geobservatory.catalog.deliveries._MOST_ROWS", 3)
    with ThreadPoolExecutor(4) as pool:
        gone = pool.map(lambda _: catalog.forget_deliveries(NOW - DAY), range(4))
        assert sum(gone) <= 6 * 5
    catalog.forget_deliveries(NOW - DAY)
    assert {one.began_at.day for one in catalog.deliveries(NOW - 30 * DAY)} == {27, 28}
    assert replace(catalog.numbers(*span), users=before.users) == before


def test_users_and_publications_are_counted_by_the_day(catalog: Catalog) -> None:
    """Who fetched ten products is one user; what three hubs have was published once."""
    fill(catalog, 3)
    catalog.record_delivery(replace(ONE, who="bob"))
    catalog.record_delivery(replace(ONE, who="eve", outcome="broken", sent_bytes=0))
    for name in ("bob", "eve"):
        catalog.add_account(name, Role.DOWNLOADER, None)
        catalog.set_country(name, "Morocco")
    product = product_at(NOW - 5 * DAY)
    catalog.record_scenes(
        [
            Scene(
                product,
                tuple(
                    Offer(product, hub, product.name, "", NOW - days * DAY)
                    for hub, days in HUBS.items()
                ),
            )
        ]
    )
    found = catalog.numbers(date(2026, 11, 1), date(2026, 11, 28))
    assert [(one.day.day, one.count) for one in found.users] == [(26, 1), (27, 1), (28, 2)]
    assert [(one.day.day, one.count) for one in found.published] == [(24, 1)]
    # Of ada's account nobody has noted a country; eve got nothing.
    assert found.users_by_country == {"": 1, "Morocco": 1}
