"""A portal with a few activations, one of them with a map that was really made; for tests."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from mail_servers import free_port
from portal_server import running
from shapely.geometry import box, mapping
from sqlalchemy import text

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.interferograms import File
from geobservatory.catalog.pairs import Pair
from geobservatory.events.model import ActivationRequest, ActivationState, EventType, GeohazardEvent
from geobservatory.products.activation import (
    ActivationPage,
    ShownEvent,
    ShownMap,
    ShownPass,
    write_activation,
)
from geobservatory.settings.mirror import Mirror, Stream
from geobservatory.settings.model import Notification, Settings
from geobservatory.settings.portal import Portal, Role
from portal.access.passwords import hashed
from portal.app import create_app

TIME = datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)
NAME = "co-event-052-20230904T063742-20230916T063742"
MAP = f"maps/{NAME}"
PASSWORD = "correct horse battery"
# Whoever names an event does not write our page.
EVIL = "</script><script>document.title='taken'</script> Noto & <b>Hanto</b>"


@dataclass
class World:
    """A portal at work.

    Attributes
    ----------
    started
        What the portal asked to be started.
    """

    address: str
    catalog: Catalog
    settings: Settings
    al_haouz: str
    started: list[Any]

    @property
    def made(self) -> Path:
        """The folder of the map."""
        return self.settings.data_dir / "products" / self.al_haouz / NAME

    @property
    def page(self) -> str:
        """The address of the activation with the map."""
        return f"{self.address}/activations/{self.al_haouz}"


def get(address: str, **more: Any) -> requests.Response:
    """Ask for an address."""
    return requests.get(address, timeout=30, **more)


@contextmanager
def world(database_url: str, folder: Path, strip: Path, mail_port: int) -> Iterator[World]:
    """Fill a catalogue and serve it."""
    port, started = free_port(), []
    settings = Settings(
        data_dir=folder / "data",
        notification=Notification(
            smtp_host="127.0.0.1", smtp_port=mail_port, sender="geObservatory <geobs@example.org>"
        ),
        portal=Portal(public_address=f"http://127.0.0.1:{port}"),
        mirror=Mirror(streams=(Stream(name="slc"),), disk_gb=100),
    )
    with open_catalog(database_url) as catalog:
        al_haouz = _fill(catalog, settings.data_dir / "products", strip)
        mirrored(catalog)
        catalog.add_account("duty", Role.OPERATOR, hashed(PASSWORD))
        catalog.add_account("reader", Role.READER, hashed(PASSWORD))

        def start(activation: Any, form: Any) -> str:
            started.append((activation.id, form))
            return "flow run of a test"

        app = create_app(settings, lambda: open_catalog(database_url), start)
        with running(app, port) as address:
            yield World(address, catalog, settings, al_haouz, started)


def _fill(catalog: Catalog, products: Path, strip: Path) -> str:
    al_haouz = _asked(
        catalog, "Al Haouz", TIME, (-8.391, 31.058), 6.8, area=box(-9, 30.7, -8, 31.4)
    )
    told = _event("MOROCCO", TIME + timedelta(seconds=2), (-8.4, 31.07), 6.9, "earthquake", "USGS")
    catalog.request_activation(ActivationRequest(event=told, area=_area(box(-9, 30.7, -8, 31.4))))
    with_map(catalog, al_haouz, products, strip)
    others = (
        (EVIL, datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC), (137.24, 37.5), 7.5, "earthquake"),
        ("Vanuatu", datetime(2024, 12, 17, 1, 47, tzinfo=UTC), (168.03, -17.69), 7.3, "earthquake"),
        ("Reykjanes", datetime(2026, 11, 22, 4, tzinfo=UTC), (-22.4, 63.86), None, "volcano"),
        ("Blatten", datetime(2025, 5, 28, 13, 24, tzinfo=UTC), (7.82, 46.4), None, "landslide"),
        ("Pazarcik", datetime(2023, 2, 6, 1, 17, tzinfo=UTC), (37.02, 37.17), 7.8, "earthquake"),
    )
    for name, time, place, magnitude, kind in others:
        _asked(catalog, name, time, place, magnitude, kind)
    return al_haouz


def with_map(catalog: Catalog, activation: str, products: Path, strip: Path) -> None:
    """Give an activation a map, one that failed, one under way, and a pass to come."""
    before, after = TIME - timedelta(days=4), TIME + timedelta(days=8)
    earlier = TIME - timedelta(days=16)
    catalog.record_pairs(
        activation,
        [
            _pair(NAME, "co-event", 52, before, after, "12 days and 20 m apart", (activation,)),
            _pair("pre-event-052-20230823T063742-20230904T063742", "pre-event", 52, earlier, before,
                  "quiet time, to tell what the sky does", ()),
            _pair("co-event-045-20230903T183344-20230915T183344", "co-event", 45, before, after,
                  "12 days and 61 m apart", (activation,)),
        ],
    )  # fmt: skip
    catalog.set_state(activation, ActivationState.RUNNING, "taken up by a flow run")
    begun = catalog.begin_interferogram(activation, NAME, "native", "one")
    out = products / begun.folder
    shutil.copytree(strip, out, ignore=shutil.ignore_patterns(".*"))
    about = json.loads((out / "metadata.json").read_text())["properties"]
    files = {
        path.stem: File(str(path.relative_to(products)), path.stat().st_size, _sha256(path))
        for path in out.iterdir()
    }
    catalog.finish_interferogram(
        begun.id, "good", about["geobs:quality"], about["geobs:parameters"],
        {"flow_run_id": "8a3c2f7e"}, files,
    )  # fmt: skip
    failed = catalog.begin_interferogram(
        activation, "pre-event-052-20230823T063742-20230904T063742", "native", "two"
    )
    catalog.fail_interferogram(failed.id, "no orbit file covers 2023-08-23")
    catalog.begin_interferogram(
        activation, "co-event-045-20230903T183344-20230915T183344", "native", "three"
    )
    catalog.set_state(activation, ActivationState.WAITING, "waits for an image of track 154")
    area, soon = _area(box(-9, 30.7, -8, 31.4)), datetime.now(UTC) + timedelta(days=2)
    write_activation(
        products / activation,
        ActivationPage(
            activation, "Al Haouz", "waiting", "waits", area,
            (ShownEvent("M 6.8", TIME, -8.391, 31.058, 6.8, 19, "EMSC"),),
            (ShownMap(NAME, "co-event", 52, "descending", before, after, "best"),),
            (ShownPass(soon, 154, "descending", "S1A", 0.93, area),),
            ("track 154: an image from after the event",),
        ),
    )  # fmt: skip


def mirrored(catalog: Catalog) -> None:
    """Let a mirror hold four of the six products that were sensed on the last two days."""
    now = datetime.now(UTC)
    scene = text(
        "INSERT INTO scenes (name, mission, product_type, start_time, stop_time, footprint,"
        " west, south, east, north) VALUES (:name, 'S1A', 'SLC', :at, :at + interval '25 s',"
        " '{}', 0, 0, 1, 1)"
    )
    wanted = text(
        "INSERT INTO mirror_wanted (stream, scene_name, sensed_at, acquisition, size_bytes,"
        " published_at, learned_at, listed_at, held_at, attempts, reason) VALUES ('slc', :name,"
        " :at, :name, 8000000000, :at, :at, :at, :held, :attempts, :reason)"
    )
    held = text(
        "INSERT INTO mirror_inventory (scene_name, stream, state, path, sensed_at, size_bytes,"
        " checksum) VALUES (:name, 'slc', 'held', :name, :at, 8000000000, 'blake3:0')"
    )
    with catalog.engine.begin() as connection:
        for number in range(6):
            name, at = f"S1A_made_up_{number}", now - timedelta(hours=8 * number + 1)
            there = number not in (0, 4)
            about = {
                "name": name, "at": at, "held": at + timedelta(hours=3) if there else None,
                "attempts": 0 if there else 1, "reason": "" if there else "the hub answers 503",
            }  # fmt: skip
            connection.execute(scene, {"name": name, "at": at})
            connection.execute(wanted, about)
            if there:
                connection.execute(held, {"name": name, "at": at})


def _asked(
    catalog: Catalog,
    name: str,
    time: datetime,
    place: tuple[float, float],
    magnitude: float | None,
    kind: str = "earthquake",
    area: Any = None,
) -> str:
    lon, lat = place
    shown = _area(area or box(lon - 0.5, lat - 0.4, lon + 0.5, lat + 0.4))
    event = _event(name, time, place, magnitude, kind, "EMSC")
    return catalog.request_activation(ActivationRequest(event=event, area=shown))[0].id


def _event(
    name: str,
    time: datetime,
    place: tuple[float, float],
    magnitude: float | None,
    kind: str,
    source: str,
) -> GeohazardEvent:
    return GeohazardEvent(
        event_type=EventType(kind), time=time, longitude=place[0], latitude=place[1], name=name,
        magnitude=magnitude, depth_km=19.0 if magnitude else None, source=source,
    )  # fmt: skip


def _area(area: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(mapping(area)))
    return plain


def _pair(
    name: str, kind: str, track: int, first: datetime, second: datetime, why: str, spans: Any
) -> Pair:
    way = "ascending" if track == 45 else "descending"
    return Pair(
        name, kind, track, way, first, second, ("S1A_one",), ("S1A_two",), 1.0, 0, spans, why
    )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
