"""A world of small products with hubs of several kinds, for the tests of what talks to hubs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
from pydantic import SecretStr
from sandbox_safe import make_pass, make_safe

from geobservatory.sandbox.servers.asf import AsfConfig
from geobservatory.sandbox.servers.cdse import CdseConfig
from geobservatory.sandbox.servers.dhus import DhusConfig
from geobservatory.sandbox.servers.world import Addresses, WorldConfig, running
from geobservatory.settings.model import Hub, HubKind, Settings

START = datetime(2024, 6, 1, tzinfo=UTC)
USUAL: tuple[Any, ...] = (
    DhusConfig(name="dhus"),
    CdseConfig(name="cdse", linger_s=0.1),
    AsfConfig(name="asf"),
)
KINDS = ("dhus", "cdse", "asf", "folder")


def make_products(folder: Path, more: int = 0, size: int = 300_000) -> list[Path]:
    """Write three dates of track 52, and more small ones of track 7."""
    folder.mkdir(parents=True, exist_ok=True)
    made = make_pass(folder, 3) if size == 300_000 else []
    for number in range(more):
        start = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(hours=number)
        made.append(make_safe(folder, start, track=7, direction="ASCENDING", size=2_000))
    return made


@contextmanager
def world(products: Path, hubs: tuple[Any, ...] = USUAL) -> Iterator[Addresses]:
    """Serve products by hubs, at a time that stands still."""
    config = WorldConfig(products=products, hubs=list(hubs), start=START, speed=0)
    with running(config) as addresses:
        yield addresses


def hub(kind: str, address: str, **changes: Any) -> Hub:
    """Make the settings of a hub whose name is its kind, unless told otherwise."""
    given: dict[str, Any] = {
        "name": kind,
        "kind": HubKind(kind),
        "address": address,
        "user": "sandbox",
        "password": SecretStr("sandbox"),
    }
    return Hub(**{**given, **changes})


def settings_of(addresses: Addresses, folder: Path, **changes: Any) -> Settings:
    """Make settings with every hub of a world that is named after its kind (``dhus-2``)."""
    hubs = tuple(
        hub(name.split("-")[0], address, name=name, **changes)
        for name, address in addresses.items()
        if name.split("-")[0] in KINDS
    )
    return Settings(data_dir=folder, hubs=hubs)


@contextmanager
def fault(addresses: Addresses, name: str, fault: dict[str, Any], **rule: Any) -> Iterator[None]:
    """Put a fault in force for as long as the block lasts."""
    control = addresses["control"]
    asked = requests.post(
        f"{control}/faults", json={"name": name, "fault": fault, **rule}, timeout=5
    )
    asked.raise_for_status()
    try:
        yield
    finally:
        requests.delete(f"{control}/faults/{name}", timeout=5).raise_for_status()
