"""All hubs of an installation as one: search, find, fetch; what is learned is kept.

with open_configured_catalog(settings) as catalog:
    hubs = Hubs(settings, catalog)
    found = hubs.search(Query(area=area, start=start, stop=stop))
    fetched = hubs.fetch(found.scenes[0].product.name)
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random, SystemRandom

from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy.exc import SQLAlchemyError

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.incidents import Incident
from geobservatory.errors import ConfigurationError, NotFoundError, TransientError
from geobservatory.hubs.choice import Choice, Delivery, Estimate
from geobservatory.hubs.connector import Connector
from geobservatory.hubs.connectors import connect
from geobservatory.hubs.experience import DAYS, Belief, Experience
from geobservatory.hubs.federation import DEADLINE_S, Answer, Found, find, search
from geobservatory.hubs.model import Offer, Query, Scene
from geobservatory.hubs.part import fetch_part
from geobservatory.sentinel1.names import parse_name
from geobservatory.settings.model import Hub, Settings
from geobservatory.transfer.attempt import Measurement, Told
from geobservatory.transfer.download import download
from geobservatory.transfer.partial import find_partial
from geobservatory.transfer.slots import CatalogSlots, FileSlots, Slots
from geobservatory.transfer.source import Source

_LOG = logging.getLogger(__name__)
# How often a product that was ordered is asked for again, where the hub does not say.
_ASK_AGAIN_S, _LONGEST_S = 30.0, 600.0
_PATIENCE_S = 86_400.0

Said = Callable[[str], None]


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
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog | None = None,
        chance: Random | None = None,
    ) -> None:
        self._catalog = catalog
        self._chance = chance or SystemRandom()
        self._settings = {hub.name: hub for hub in settings.hubs}
        self._connectors = [connect(hub, settings.data_dir) for hub in settings.hubs]
        self._archive = settings.data_dir / "archive"
        self._experience = Experience()
        self._incidents: dict[str, list[Incident]] = {}
        limits = {hub.name: hub.max_concurrent_downloads for hub in settings.hubs}
        self.slots: Slots
        if catalog is None:
            self.slots = FileSlots(settings.data_dir / "slots", limits)
        else:
            self.slots = CatalogSlots(catalog.engine, limits)

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
        began = datetime.now(UTC)
        asked = [
            one for one in self._asked(only) if _may_have(self._settings[one.name], query, began)
        ]
        found = search(asked, query, deadline_s=deadline_s, told=told, answered=answered)
        self._keep(found, began)
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
        began = datetime.now(UTC)
        found = find(self._asked(only), name, deadline_s=deadline_s)
        self._keep(found, began)
        if found.scenes:
            return found.scenes[0]
        silent = "; ".join(str(one.failure) for one in found.answers if one.failure is not None)
        if silent:
            raise TransientError(f"{name}: no hub that answered has it; others failed: {silent}")
        asked = ", ".join(one.hub for one in found.answers)
        raise NotFoundError(f"{name}: no hub has it ({asked} were asked)")

    def estimate(self, scene: Scene, missing: int | None = None) -> list[Estimate]:
        """Tell which hub would deliver a scene when, the soonest first."""
        return self._choice().rank(scene.offers, datetime.now(UTC), missing)

    def fetch(
        self,
        name: str,
        *,
        area: BaseGeometry | None = None,
        polarisations: Collection[str] | None = None,
        folder: Path | None = None,
        only: str | None = None,
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
        while True:
            scene = self.find(name, only=only)
            estimates = self.estimate(scene)
            if said is not None:
                said(f"from {estimates[0].why}")
            if area is not None:
                part = self._part(scene, estimates, area, polarisations, path.parent, told, wait)
                if part is not None:
                    return part
                if said is not None:
                    said("no hub gives a part of it: the whole is fetched")
            left = max(0.0, deadline - time.monotonic())
            delivery = download(
                path,
                [self._source(one.offer) for one in estimates],
                slots=self.slots,
                measured=self._measured(scene),
                told=told,
                expected=self._expected(scene, estimates),
                patience_s=left,
                wait=wait,
            )
            if delivery.path is not None:
                return Fetched(delivery.path, delivery.hub)
            pause = min(_LONGEST_S, 2 * pause)
            after = pause if delivery.retry_after_s is None else delivery.retry_after_s
            if time.monotonic() + after > deadline:
                raise TransientError(
                    f"{name}: ordered from the long-term archive of {delivery.hub}; not there yet"
                )
            if said is not None:
                where = f"the long-term archive of {delivery.hub}"
                said(f"ordered from {where}; asked again in {after:.0f} s")
            wait(after)

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
            measured=self._measured(scene, "bursts"),
            told=told,
            wait=wait,
        )
        return None if brought is None else Fetched(*brought)

    def deliveries(self, at: datetime) -> dict[str, Delivery]:
        """Tell how soon each hub would deliver a product of usual size."""
        choice = self._choice(at)
        return {hub: choice.delivery(hub, at) for hub in self._settings}

    def beliefs(self) -> dict[str, Belief]:
        """Tell what is believed of each hub now."""
        experience, now = self._choice().experience, datetime.now(UTC)
        return {name: experience.of(name, now) for name in self._settings}

    def path_of(self, name: str, folder: Path | None = None) -> Path:
        """Name the file of a product, here or not."""
        if folder is None:
            folder = self._archive / f"{parse_name(name).start:%Y/%m/%d}"
        return folder / f"{name}.SAFE.zip"

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

    def _source(self, offer: Offer) -> Source:
        return next(one for one in self._connectors if one.name == offer.hub).source(offer)

    def _choice(self, at: datetime | None = None) -> Choice:
        """Make the choice with what the catalogue knows now: others learn as well."""
        if self._catalog is not None:
            since = (at or datetime.now(UTC)) - timedelta(days=DAYS)
            self._experience = Experience(self._catalog.transfers(since, self._settings))
            self._incidents = {}
            for one in self._catalog.open_incidents():
                self._incidents.setdefault(one.hub, []).append(one)
        return self._chosen_by()

    def _chosen_by(self) -> Choice:
        return Choice(
            hubs=self._settings,
            experience=self._experience,
            in_use=self.slots.in_use,
            used=self._used,
            chance=self._chance,
            incidents=self._incidents,
        )

    def _used(self, hub: str, since: datetime) -> int:
        return 0 if self._catalog is None else self._catalog.received_bytes(hub, since)

    def _expected(self, scene: Scene, estimates: Sequence[Estimate]) -> Callable[[Source], float]:
        """Follow what is learned meanwhile; the draw of the beginning stays, or it would waver."""
        choice = self._chosen_by()
        drawn = {one.offer.hub: one.drawn - one.seconds for one in estimates}

        def expected(source: Source) -> float:
            now = datetime.now(UTC)
            offers = [offer for offer in scene.offers if offer.hub == source.hub]
            return choice.rank(offers, now)[0].seconds + drawn[source.hub]

        return expected

    def _measured(self, scene: Scene, part: str = "") -> Callable[[Measurement], None]:
        offers = {offer.hub: offer for offer in scene.offers}

        def measured(one: Measurement) -> None:
            self._experience.add(one)
            if self._catalog is None:
                return
            try:
                self._catalog.record_transfer(offers[one.hub], one, part)
            except (SQLAlchemyError, TransientError) as error:
                # What came is worth more than the note of how it came.
                _LOG.warning("a transfer was not recorded: %s", type(error).__name__)

        return measured

    def _keep(self, found: Found, began: datetime) -> None:
        if self._catalog is not None:
            self._catalog.record_answers(found.answers, began)
            self._catalog.record_scenes(found.scenes)


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
