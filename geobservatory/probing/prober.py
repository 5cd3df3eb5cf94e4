"""Asks a hub what is due, once more where that fails, and keeps what was measured.

What traffic tells is not asked: a search or a download of anybody counts as one. A hub is probed by
one process at a time, whoever else runs, and hubs are probed beside each other, so that one that
hangs holds up nobody but itself.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from random import Random, SystemRandom

from shapely.geometry import shape

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.errors import ConfigurationError
from geobservatory.globe import bounding_box
from geobservatory.hubs.connector import Connector
from geobservatory.hubs.connectors import connect
from geobservatory.probing import probes
from geobservatory.probing.clock import Clock, RealClock
from geobservatory.probing.guard import within
from geobservatory.probing.round import LONGEST_LOOK, PART, Means, Round, Told
from geobservatory.settings.model import Hub, Settings
from geobservatory.transfer.slots import CatalogSlots

# A schedule that comes a little early still finds a probe due.
_EARLY = 0.9
_EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
# Searches of others tell how fast a hub answers, and not all that is new: that is asked for this
# often at least.
_LOOK_S = 3600.0


class Prober:
    """Probes the hubs of the settings.

    Parameters
    ----------
    settings
        Hubs, and how often each is asked what.
    catalog
        Where measurements are kept.
    clock, chance
        The time, and by what products are picked.
    connectors
        Of the hubs, by name; made from the settings where None.
    guard
        Bounds a question; by `probing.limit_s` where None.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        *,
        clock: Clock | None = None,
        chance: Random | None = None,
        connectors: Mapping[str, Connector] | None = None,
        guard: probes.Guard | None = None,
    ) -> None:
        self._hubs = {hub.name: hub for hub in settings.hubs}
        self._guard = guard or within(settings.probing.limit_s)
        self._connectors = dict(connectors or {})
        limits = {hub.name: hub.max_concurrent_downloads for hub in settings.hubs}
        self._means = Means(
            settings,
            catalog,
            clock or RealClock(),
            chance or SystemRandom(),
            CatalogSlots(catalog.engine, limits),
        )

    def probe(
        self, name: str, kinds: Collection[Kind] | None = None, told: Told | None = None
    ) -> list[Measured] | None:
        """Probe a hub.

        Parameters
        ----------
        name
            Of the hub.
        kinds
            What to measure, now; what is due where None.
        told
            Called with each measurement as it is made.

        Returns
        -------
        list or None
            What was measured; None where somebody else is probing this hub.

        Raises
        ------
        ConfigurationError
            If there is no such hub, or its account is not of the kind it takes.
        TransientError
            If the catalogue does not answer.
        """
        hub = self._hub(name)
        with self._means.catalog.probing(name) as ours:
            if not ours:
                return None
            wanted = self._due(name) if kinds is None else set(kinds)
            asked = probes.Asked(self._connector(hub), self._means.clock, self._guard)
            round_ = Round(self._means, hub, asked, told)
            try:
                round_.run(wanted)
            finally:
                self._means.catalog.record_measurements(round_.made)
                self._measure_publications(name)
            return round_.all

    def _measure_publications(self, name: str) -> None:
        now, area = self._means.clock.now(), self._means.settings.mirror.area
        box = _EVERYWHERE if area is None else bounding_box(shape(area))
        self._means.catalog.measure_publications([name], now - LONGEST_LOOK, now, box)

    def _hub(self, name: str) -> Hub:
        if name not in self._hubs:
            listed = ", ".join(self._hubs) or "none"
            raise ConfigurationError(f"no hub is named {name!r}; there are {listed}")
        return self._hubs[name]

    def _connector(self, hub: Hub) -> Connector:
        if hub.name not in self._connectors:
            self._connectors[hub.name] = connect(hub, self._means.settings.data_dir)
        return self._connectors[hub.name]

    def _due(self, name: str) -> set[Kind]:
        now, every = self._means.clock.now(), _every(self._means.settings)
        last = self._means.catalog.last_measured(name, now)
        due = {
            kind
            for kind, seconds in every.items()
            if kind not in last or (now - last[kind]).total_seconds() >= _EARLY * seconds
        }
        rest = timedelta(seconds=_EARLY * max(_LOOK_S, every[Kind.SEARCH]))
        if (
            self._means.catalog.last_by(name, Kind.SEARCH, now - rest, now, PART, well=False)
            is None
        ):
            due.add(Kind.SEARCH)
        return due


def _every(settings: Settings) -> dict[Kind, float]:
    probing = settings.probing
    return {
        Kind.SEARCH: probing.search_s,
        Kind.METADATA: probing.metadata_s,
        Kind.TOKEN: probing.token_s,
        Kind.TRANSFER: probing.transfer_s,
        Kind.INTEGRITY: probing.integrity_s,
        Kind.COMPLETENESS: probing.completeness_s,
        Kind.CERTIFICATE: probing.certificate_s,
        Kind.WINDOW: probing.window_s,
    }
