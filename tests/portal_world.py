"""A catalogue with events, activations, pairs and interferograms with files, for tests."""

import hashlib
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shapely import box
from shapely.geometry import mapping

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.interferograms import File
from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.catalog.pairs import Pair
from geobservatory.events.form import ActivationForm

AL_HAOUZ = datetime(2023, 9, 8, 22, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
# Name, time, longitude, latitude, magnitude.
EVENTS = (
    ("Al Haouz", AL_HAOUZ, -8.39, 31.06, 6.8),
    ("Amatrice", datetime(2016, 8, 24, 1, 36, 32, tzinfo=UTC), 13.23, 42.7, 6.2),
    ("Fiji", datetime(2024, 1, 5, 3, 4, 5, 600_000, tzinfo=UTC), 179.9, -17.0, 6.4),
    ("Noto", datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC), 137.27, 37.49, 7.5),
    ("no magnitude", datetime(2024, 1, 1, 7, 10, 9, tzinfo=UTC), 0.0, 0.0, None),
)
PAIR = Pair(
    id="co-event-052-20230904T063700-20230916T063700",
    kind="co-event",
    relative_orbit=52,
    direction="descending",
    reference_time=AL_HAOUZ - 4 * DAY,
    secondary_time=AL_HAOUZ + 8 * DAY,
    reference=("S1A_one",),
    secondary=("S1A_other", "S1A_next"),
    score=0.5,
    rank=0,
    spans=("earthquake-1",),
    reason="the only one",
)


def fill(catalog: Catalog, data: Path) -> dict[str, str]:
    """Fill a catalogue; gives the identifiers of the activations by name."""
    known = {}
    for name, time, longitude, latitude, magnitude in EVENTS:
        form = ActivationForm(
            event_time=time,
            longitude=longitude,
            latitude=latitude,
            magnitude=magnitude,
            name=name,
            radius_km=60,
        )
        known[name] = catalog.request_activation(form.to_request())[0].id
    for number, name in enumerate(("Al Haouz", "Noto")):
        pair = replace(PAIR, id=f"{PAIR.id}-{number}", relative_orbit=52 + number)
        catalog.record_pairs(known[name], [pair])
        make(catalog, data, known[name], pair, EVENTS[0 if number == 0 else 3])
    now = datetime.now(UTC)
    measured = [
        Measured("alpha", Kind.SEARCH, now - timedelta(minutes=n), 0.5 + n / 10) for n in range(30)
    ]
    failed = Measured("alpha", Kind.SEARCH, now, None, False, "hung", detail={"token": "secret"})
    catalog.record_measurements([*measured, failed])
    catalog.roll_up(now, 400 * DAY)
    cause = "it does not answer"
    catalog.open_incident("beta", "reachable", now - DAY, now - DAY, cause, {"password": "secret"})
    return known


def make(catalog: Catalog, data: Path, activation: str, pair: Pair, event: tuple) -> str:
    """Make an interferogram, of noise."""
    begun = catalog.begin_interferogram(activation, pair.id, "native", "0" * 64)
    folder = data / "products" / begun.folder
    folder.mkdir(parents=True)
    files = {}
    for role, name in (("los_displacement", "los_displacement.tif"), ("metadata", "metadata.json")):
        content = os.urandom(100_000) if name.endswith(".tif") else b"{}"
        (folder / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        files[role] = File(f"{begun.folder}/{name}", len(content), digest)
    _, _, longitude, latitude, _ = event
    around = box(longitude - 0.5, latitude - 0.5, longitude + 0.5, latitude + 0.5)
    catalog.finish_interferogram(
        begun.id,
        "good",
        {"coherence": 0.7},
        {},
        {"dem": "glo30", "flow_run_id": "a flow run"},
        files,
        mapping(around),
    )
    return begun.id
