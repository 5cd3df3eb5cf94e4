"""From a pair in the catalogue to a request for an engine, and what its result depends on."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shapely.geometry import shape

from geobservatory import __version__
from geobservatory.catalog.interferograms import Interferogram
from geobservatory.catalog.pairs import Pair
from geobservatory.engines.engine import Engine
from geobservatory.engines.registry import make_engine
from geobservatory.engines.request import Event, Heights, Request
from geobservatory.errors import InputError
from geobservatory.events.model import ActivationRequest, GeohazardEvent
from geobservatory.sentinel1.names import parse_name
from geobservatory.sentinel1.orbit_files import fetch_orbit, parse_orbit_name
from geobservatory.settings.model import Settings


def engine_of(settings: Settings, asked: ActivationRequest) -> Engine:
    """Give the engine that an activation asks for, or else the configured one.

    Raises
    ------
    ConfigurationError
        If there is no such engine.
    """
    return make_engine(asked.engine or settings.engine.name, settings)


def make_request(
    settings: Settings,
    asked: ActivationRequest,
    pair: Pair,
    reference: Sequence[Path],
    secondary: Sequence[Path],
    out: Path,
) -> Request:
    """Ask for the interferogram of a pair, as the settings and the activation have it.

    Parameters
    ----------
    reference, secondary
        Where the slices of the pair's passes are.
    out
        Folder of the results.
    """
    event = asked.event
    return Request(
        reference=tuple(reference),
        secondary=tuple(secondary),
        out=out,
        cache=settings.data_dir / "cache",
        heights=heights(settings),
        orbits=orbit_folder(settings),
        orbits_from=None,
        area=shape(asked.area),
        polarisation=polarisation(pair),
        spacing_m=settings.engine.spacing_m,
        unwrapper=settings.engine.unwrapper,
        threads=settings.engine.threads,
        event=Event(title(event), event.longitude, event.latitude),
    )


def digest(
    settings: Settings, asked: ActivationRequest, pair: Pair, orbits: Sequence[str | None]
) -> str:
    """Name all that an interferogram depends on; another input or setting, another name.

    What is said of the event on the picture is left out: a magnitude that is revised by a tenth
    is no reason to make all maps again.

    Parameters
    ----------
    orbits
        Names of the orbit files of the two passes; None for a product's own vectors.

    Raises
    ------
    ConfigurationError
        If there is no such engine, or it is not installed.
    """
    facts: dict[str, Any] = {
        "program": __version__,
        "engine": dict(engine_of(settings, asked).fingerprint()),
        "unwrapper": settings.engine.unwrapper,
        "spacing_m": settings.engine.spacing_m,
        "heights": [settings.dem.source, settings.dem.datum],
        "reference": pair.reference,
        "secondary": pair.secondary,
        "orbits": list(orbits),
        "area": asked.area,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def better_orbit(settings: Settings, made: Interferogram) -> bool:
    """Fetch precise orbits for an interferogram that was made without; say whether any came.

    Raises
    ------
    TransientError
        If the archive does not answer.
    """
    used = [parse_orbit_name(one["name"]) for one in made.provenance["orbit_files"]]
    for which in ("reference", "secondary"):
        slices = [parse_name(name) for name in made.provenance[which]["products"]]
        start, stop = slices[0].start, slices[-1].stop
        mission = slices[0].mission
        if any(
            one.kind == "POEORB" and one.mission == mission and one.covers(start, stop)
            for one in used
        ):
            continue
        folder, archive = orbit_folder(settings), settings.orbits.address
        path = fetch_orbit(folder, archive, mission, start, stop)
        if path is not None and parse_orbit_name(path.name).kind == "POEORB":
            return True
    return False


def heights(settings: Settings) -> Heights:
    """Say where heights come from."""
    dem = settings.dem
    return Heights(dem.source, dem.datum, dem.address, dem.grids_address)


def orbit_folder(settings: Settings) -> Path:
    """Name the folder of orbit files."""
    folder = settings.orbits.folder or settings.data_dir / "orbits"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def polarisation(pair: Pair) -> str:
    """Choose the polarisation that all slices of a pair have: VV before HH.

    Raises
    ------
    InputError
        If they have neither in common.
    """
    held = [set(parse_name(name).polarisations) for name in (*pair.reference, *pair.secondary)]
    for wanted in ("VV", "HH"):
        if all(wanted in one for one in held):
            return wanted
    raise InputError(f"{pair.id}: its images have neither VV nor HH in common")


def title(event: GeohazardEvent) -> str:
    """Name an event as the head of a map does."""
    size = "" if event.magnitude is None else f"M {event.magnitude:.1f} "
    return f"{size}{event.name or event.event_type}, {event.time:%Y-%m-%d %H:%M} UTC"
