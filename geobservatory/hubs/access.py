"""All hubs of an installation as one: search, find, fetch; what is learned is kept.

with open_configured_catalog(settings) as catalog:
    hubs = Hubs(settings, catalog)
    found = hubs.search(Query(area=area, start=start, stop=stop))
    fetched = hubs.fetch(found.scenes[0].product.name)
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random, SystemRandom

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from geobservatory.catalog.database import Catalog
from geobservatory.errors import ConfigurationError, NotFoundError, TransientError
from geobservatory.hubs.choice import Estimate
from geobservatory.hubs.connector import Connector
from geobservatory.hubs.connectors import connect
from geobservatory.hubs.federation import DEADLINE_S, Answer, Found, find, search
from geobservatory.hubs.keeping import keep_product
from geobservatory.hubs.learned import Learned
from geobservatory.hubs.mirror import with_mirror
from geobservatory.hubs.model import Offer, Query, Scene
from geobservatory.hubs.part import fetch_part
from geobservatory.settings.model import Hub, Settings
from geobservatory.transfer.archive import ZIP, archive_folder, whole_path
from geobservatory.transfer.attempt import Growing, Told
from geobservatory.transfer.download import Delivery, bring, download
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.partial import find_partial
from geobservatory.transfer.slots import CatalogSlots, FileSlots, Slots
from geobservatory.transfer.source import Source

# How often a product that was ordered is asked for again, where the hub does not say.
_ASK_AGAIN_S, _LONGEST_S = 30.0, 600.0
_PATIENCE_S = 86_400.0

Said = Callable[[str], None]
Room = Callable[[Scene], AbstractContextManager[None]]


def _no_mark(scene: Scene) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True)
class Fetched:
    """A product that is here.

    Attributes
    ----------
    path
        Of the zip; of the SAFE folder where it is partial.
    hub
        That brought (the end of) it; None where it was here already.
    """

    path: Path
    hub: str | None


class Hubs:
    """All hubs of the settings.

    Parameters
    ----------
    settings
        Hubs and the data folder.
    catalog
        Where results and measurements are kept and experience comes from; without it there is
        none, and transfers are counted on this machine alone.
    chance
        By which hubs that are hardly known are tried.
    connectors
        Of some hubs, by name, in place of those that the settings tell of.
    now
        Tells the time, UTC.

    Where the settings have a mirror, the archive is a hub beside the others, and the fastest.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog | None = None,
        chance: Random | None = None,
        *,
        connectors: Mapping[str, Connector] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._catalog, self._now = catalog, now
        self._archive = archive_folder(settings.data_dir)
        given, hubs = connectors or {}, settings.hubs if catalog is None else with_mirror(settings)
        self._settings = {hub.name: hub for hub in hubs}
        self._connectors = [
            given.get(hub.name) or connect(hub, settings.data_dir, catalog) for hub in hubs
        ]
        limits = {hub.name: hub.max_concurrent_downloads for hub in hubs}
        self.slots: Slots
        if catalog is None:
            self.slots = FileSlots(settings.data_dir / "slots", limits)
        else:
            self.slots = CatalogSlots(catalog.engine, limits)
        self._learned = Learned(self._settings, self.slots, catalog, chance or SystemRandom(), now)

    def search(
        self,
        query: Query,
        *,
        only: str | None = None,
        deadline_s: float = DEADLINE_S,
        told: Callable[[tuple[Offer, ...]], None] | None = None,
        answered: Callable[[Answer], None] | None = None,
    ) -> Found:
        """Ask all hubs, or `only` one; see `federation.search`.

        Raises
        ------
        ConfigurationError
            If there is no hub to ask.
        """
        began = self._now()
        asked = [
            one for one in self._asked(only) if _may_have(self._settings[one.name], query, began)
        ]
        found = search(asked, query, deadline_s=deadline_s, told=told, answered=answered)
        self._learned.keep(found, began)
        return found

    def find(self, name: str, *, only: str | None = None, deadline_s: float = DEADLINE_S) -> Scene:
        """Find a product by its name, with all that hubs tell of it.

        Raises
        ------
        NotFoundError
            If every hub says that it has it not.
        TransientError
            If no hub offers it, and some did not answer.
        """
        began = self._now()
        found = find(self._asked(only), name, deadline_s=deadline_s)
        self._learned.keep(found, began)
        if found.scenes:
            return found.scenes[0]
        silent = "; ".join(str(one.failure) for one in found.answers if one.failure is not None)
        if silent:
            raise TransientError(f"{name}: no hub that answered has it; others failed: {silent}")
        asked = ", ".join(one.hub for one in found.answers)
        raise NotFoundError(f"{name}: no hub has it ({asked} were asked)")

    def estimate(self, scene: Scene, missing: int | None = None) -> list[Estimate]:
        """Tell which hub would deliver a scene when, the soonest first."""
        return self._learned.choice().rank(scene.offers, self._now(), missing)

    def fetch(
        self,
        name: str,
        *,
        area: BaseGeometry | None = None,
        polarisations: Collection[str] | None = None,
        folder: Path | None = None,
        only: str | None = None,
        scene: Scene | None = None,
        room: Room = _no_mark,
        told: Told | None = None,
        said: Said | None = None,
        patience_s: float = _PATIENCE_S,
        wait: Callable[[float], None] = time.sleep,
    ) -> Fetched:
        """Fetch a product from whichever hub delivers it soonest.

        What nobody has online is ordered from a long-term archive and waited for.

        Parameters
        ----------
        name
            Of the product, without ``.SAFE``.
        area
            Fetch only the annotation and the bursts that meet it (EPSG:4326), as a partial SAFE, if
            any hub can give them; else, and where None, the whole.
        polarisations
            Of a part only these; all that the product has where None.
        folder
            Where it is put; the archive, by the day of sensing, where None.
        only
            From this hub alone.
        scene
            What `find` has just told of it; asked for where None.
        room
            Holds the room that it needs while it comes; entered only if more of it is to come.
        told
            Called now and then with how far it is.
        said
            Called with what is decided, in a line.
        patience_s
            How long it is waited for in all.
        wait
            Waits so many seconds.

        Raises
        ------
        NotFoundError, TransientError, ConfigurationError, DiskFullError
            See `find` and `transfer.download`.
        """
        deadline, pause = time.monotonic() + patience_s, _ASK_AGAIN_S
        path = self.path_of(name, folder)
        if path.exists():
            return Fetched(path, None)
        if area is not None:
            here = find_partial(name, path.parent, area, polarisations)
            if here is not None:
                return Fetched(here, None)
        scene = scene or self.find(name, only=only)
        with room(scene):
            while True:
                estimates = self.estimate(scene)
                if said is not None:
                    said(f"from {estimates[0].why}")
                if area is not None:
                    part = self._part(
                        scene, estimates, area, polarisations, path.parent, told, wait
                    )
                    if part is not None:
                        return self._kept(part, scene, folder)
                    if said is not None:
                        said("no hub gives a part of it: the whole is fetched")
                left = max(0.0, deadline - time.monotonic())
                delivery = download(
                    path,
                    [self.source(one.offer) for one in estimates],
                    slots=self.slots,
                    measured=self._learned.measured(scene),
                    told=told,
                    expected=self._learned.expected(scene, estimates),
                    patience_s=left,
                    wait=wait,
                )
                if delivery.path is not None:
                    return self._kept(Fetched(delivery.path, delivery.hub), scene, folder)
                pause = min(_LONGEST_S, 2 * pause)
                after = pause if delivery.retry_after_s is None else delivery.retry_after_s
                ordered = f"ordered from the long-term archive of {delivery.hub}"
                if time.monotonic() + after > deadline:
                    raise TransientError(f"{name}: {ordered}; not there yet")
                if said is not None:
                    said(f"{ordered}; asked again in {after:.0f} s")
                wait(after)
                scene = self.find(name, only=only)

    def _part(
        self,
        scene: Scene,
        estimates: Sequence[Estimate],
        area: BaseGeometry,
        polarisations: Collection[str] | None,
        folder: Path,
        told: Told | None,
        wait: Callable[[float], None],
    ) -> Fetched | None:
        brought = fetch_part(
            {one.name: one for one in self._connectors},
            estimates,
            folder,
            area,
            polarisations=polarisations,
            slots=self.slots,
            measured=self._learned.measured(scene, "bursts"),
            told=told,
            wait=wait,
        )
        return None if brought is None else Fetched(*brought)

    def hand_on(
        self,
        scene: Scene,
        growing: Growing,
        sources: Sequence[Source],
        *,
        part: str = "",
        missing: int | None = None,
        patience_s: float = _PATIENCE_S,
        wait: Callable[[float], None] = time.sleep,
    ) -> Delivery:
        """Bring a product, or a `part` of it, to wherever it grows; see `transfer.bring`."""
        estimates = self.estimate(scene, missing)
        place = {one.offer.hub: number for number, one in enumerate(estimates)}
        return bring(
            growing,
            sorted(sources, key=lambda one: place.get(one.hub, len(place))),
            slots=self.slots,
            measured=self._learned.measured(scene, part),
            # Somebody waits for the next byte: whoever is ready is better than who is fastest.
            patience_s=patience_s,
            wait=wait,
        )

    def source(self, offer: Offer) -> Source:
        """Give what a hub offers, for download."""
        return self._connector(offer.hub).source(offer)

    def inside(self, offer: Offer) -> Inside:
        """Give the files inside what a hub offers."""
        return self._connector(offer.hub).inside(offer)

    def path_of(self, name: str, folder: Path | None = None) -> Path:
        """Name the file of a product, here or not."""
        return whole_path(self._archive, name) if folder is None else folder / f"{name}{ZIP}"

    def _kept(self, fetched: Fetched, scene: Scene, folder: Path | None) -> Fetched:
        """Enter what came into the archive's inventory."""
        if self._catalog is not None and folder is None:
            said = f"from {fetched.hub}" if fetched.hub else "it lay there"
            keep_product(self._catalog, scene, fetched.path, self._now(), said)
        return fetched

    def _asked(self, only: str | None) -> list[Connector]:
        if not self._connectors:
            raise ConfigurationError("no hub is configured: add [[hubs]] to geobs.toml")
        if only is None:
            return self._connectors
        chosen = [one for one in self._connectors if one.name == only]
        if not chosen:
            raise ConfigurationError(
                f"no hub is named {only!r}; there are {', '.join(self._settings)}"
            )
        return chosen

    def _connector(self, hub: str) -> Connector:
        return next(one for one in self._connectors if one.name == hub)


def _may_have(hub: Hub, query: Query, now: datetime) -> bool:
    """Tell whether a hub may have what is looked for, by what the settings say of it."""
    if "SENTINEL-1" not in hub.missions:
        return False
    if (
        hub.area is not None
        and query.area is not None
        and not shape(hub.area).intersects(query.area)
    ):
        return False
    if hub.rolling_days is not None and query.stop is not None:
        return query.stop >= now - timedelta(days=hub.rolling_days)
    return True
