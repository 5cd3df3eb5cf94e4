"""The whole sandbox: every hub of a configuration on its own port of 127.0.0.1, in one process."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from geobservatory.errors import ConfigurationError
from geobservatory.sandbox.servers.asf import AsfConfig, AsfHub
from geobservatory.sandbox.servers.cdse import CdseConfig, CdseHub
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.control import ControlHub
from geobservatory.sandbox.servers.dem import DemConfig, DemHub
from geobservatory.sandbox.servers.dhus import DhusConfig, DhusHub
from geobservatory.sandbox.servers.emsc import EmscConfig, EmscHub
from geobservatory.sandbox.servers.faults import Faults, Rule
from geobservatory.sandbox.servers.hub import Hub, HubConfig
from geobservatory.sandbox.servers.offers import OfferPolicy
from geobservatory.sandbox.servers.orbits import OrbitsConfig, OrbitsHub
from geobservatory.sandbox.servers.stock import StockItem, make_stock
from geobservatory.sandbox.servers.usgs import UsgsConfig, UsgsHub

Addresses = dict[str, str]
CONTROL = "control"
# How often closed and open ports are looked after, real seconds.
_DOORS_S = 0.05

AnyHubConfig = Annotated[
    DhusConfig | CdseConfig | AsfConfig | OrbitsConfig | DemConfig | EmscConfig | UsgsConfig,
    Field(discriminator="kind"),
]


class WorldConfig(BaseModel):
    """What the sandbox is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    products: Path | None = Field(default=None, description="folder of SAFE zips, for all hubs")
    hubs: list[AnyHubConfig]
    control_port: int = Field(default=0, ge=0, le=65535, description="0 for any that is free")
    start: AwareDatetime | None = Field(default=None, description="first sandbox time; None: now")
    speed: float = Field(default=1.0, ge=0, description="sandbox seconds a real second")
    faults: list[Rule] = []

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [CONTROL, *(hub.name for hub in self.hubs)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two servers are named {min(twice)!r}")
        rules = [rule.name for rule in self.faults]
        if twice := {name for name in rules if rules.count(name) > 1}:
            raise ValueError(f"two faults are named {min(twice)!r}")
        return self


def read_world(path: Path) -> WorldConfig:
    """Read a configuration from a JSON file; relative paths in it are from the file's folder.

    Raises
    ------
    ConfigurationError
        If it cannot be read, or something in it is wrong.
    """
    try:
        config = WorldConfig.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigurationError(f"{path}: not a sandbox: {error}") from error
    base = path.resolve().parent
    hubs = [
        hub.model_copy(
            update={
                name: base / getattr(hub, name)
                for name in ("folder", "conversation")
                if hasattr(hub, name)
            }
        )
        for hub in config.hubs
    ]
    products = None if config.products is None else base / config.products
    return config.model_copy(update={"hubs": hubs, "products": products})


def usual_world(folder: Path, start: datetime, speed: float = 1.0) -> WorldConfig:
    """Make a world of a folder: hubs as different as the real ones, each on any free port.

    Parameters
    ----------
    folder
        Holds SAFE zips, and perhaps orbit files (EOF), GLO-30 tiles, ``events.jsonl`` and
        ``events-usgs.jsonl`` (conversations of EMSC and USGS), such as a simulated scenario; what
        is not there is not served.
    start, speed
        First sandbox time, and sandbox seconds a real second.
    """
    rolling = OfferPolicy(share=0.8, delay_s=1800, spread_s=5400, window_days=60)
    archive = OfferPolicy(share=0.7, delay_s=7200, spread_s=1800, offline_after_days=14)
    late = OfferPolicy(share=0.9, delay_s=3 * 3600, spread_s=3600)
    hubs: list[AnyHubConfig] = [
        CdseConfig(name="cdse", offer=OfferPolicy(spread_s=1800)),
        DhusConfig(name="rolling", offer=rolling),
        DhusConfig(name="archive", offer=archive),
        AsfConfig(name="asf", offer=late),
    ]
    if any(folder.rglob("*.EOF")):
        hubs.append(OrbitsConfig(name="orbits", folder=folder))
    if any(folder.rglob("Copernicus_DSM_COG_10_*.tif")):
        hubs.append(DemConfig(name="dem", folder=folder))
    if (folder / "events.jsonl").is_file():
        hubs.append(EmscConfig(name="emsc", conversation=folder / "events.jsonl"))
    if (folder / "events-usgs.jsonl").is_file():
        hubs.append(UsgsConfig(name="usgs", conversation=folder / "events-usgs.jsonl"))
    return WorldConfig(products=folder, hubs=hubs, start=start, speed=speed)


async def serve(config: WorldConfig, ready: Callable[[Addresses], None]) -> None:
    """Run the sandbox until it is cancelled.

    Parameters
    ----------
    config
        What it is made of.
    ready
        Called once all ports are open, with the address of each hub by its name, and that of the
        control interface as ``control``.

    Raises
    ------
    ConfigurationError
        If a port is taken.
    InputError
        If a product, orbit file or conversation cannot be served.
    """
    clock = SandboxClock(config.start, config.speed)
    faults = Faults(config.faults, clock)
    stock = () if config.products is None else make_stock(config.products)
    hubs = [_hub(one, clock, faults, stock) for one in config.hubs]
    control = ControlHub(HubConfig(name=CONTROL, port=config.control_port), clock, faults, hubs)
    async with AsyncExitStack() as stack:
        for hub in (*hubs, control):
            await hub.open()
            stack.push_async_callback(hub.close)
        ready({hub.name: hub.address for hub in (*hubs, control)})
        while True:
            for hub in hubs:
                await hub.mind_door()
            await asyncio.sleep(_DOORS_S)


@contextmanager
def running(config: WorldConfig) -> Iterator[Addresses]:
    """Run the sandbox in a thread for the length of a ``with`` block.

    Yields
    ------
    dict
        Address of each hub by its name, and of ``control``.

    Raises
    ------
    ConfigurationError, InputError
        As `serve` does.
    """
    loop = asyncio.new_event_loop()
    ready: threading.Event = threading.Event()
    addresses: Addresses = {}
    failures: list[BaseException] = []

    def opened(found: Addresses) -> None:
        addresses.update(found)
        ready.set()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001  (handed to the caller's thread)
            failures.append(error)
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
            ready.set()

    task = loop.create_task(serve(config, opened))
    thread = threading.Thread(target=run, name="sandbox", daemon=True)
    thread.start()
    ready.wait()
    try:
        if not failures:
            yield addresses
    finally:
        if thread.is_alive():
            loop.call_soon_threadsafe(task.cancel)
        thread.join()
        if failures:
            raise failures[0]


def _hub(
    config: AnyHubConfig, clock: SandboxClock, faults: Faults, stock: tuple[StockItem, ...]
) -> Hub[Any]:
    match config:
        case DhusConfig():
            return DhusHub(config, clock, faults, stock)
        case CdseConfig():
            return CdseHub(config, clock, faults, stock)
        case AsfConfig():
            return AsfHub(config, clock, faults, stock)
        case OrbitsConfig():
            return OrbitsHub(config, clock, faults)
        case DemConfig():
            return DemHub(config, clock, faults)
        case EmscConfig():
            return EmscHub(config, clock, faults)
        case UsgsConfig():
            return UsgsHub(config, clock, faults)
