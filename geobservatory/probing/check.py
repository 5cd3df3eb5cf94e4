"""A hub is probed, what was measured is counted, and the hub judged: what a schedule does."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.incidents import Turn
from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.probing.clock import Clock
from geobservatory.probing.incidents import judge
from geobservatory.probing.prober import Prober
from geobservatory.probing.round import Told
from geobservatory.settings.model import Settings


@dataclass(frozen=True)
class Checked:
    """What a check of a hub brought.

    Attributes
    ----------
    measured
        None where somebody else was probing it.
    turns
        Incidents that began or ended.
    """

    measured: tuple[Measured, ...] | None
    turns: tuple[Turn, ...]


def check(
    settings: Settings,
    catalog: Catalog,
    prober: Prober,
    name: str,
    clock: Clock,
    kinds: Collection[Kind] | None = None,
    told: Told | None = None,
) -> Checked:
    """Probe a hub, and open or end its incidents; see `Prober.probe`."""
    measured = prober.probe(name, kinds, told)
    if measured is None:
        return Checked(None, ())
    now = clock.now()
    catalog.roll_up(now, timedelta(days=settings.probing.keep_days))
    hub = next(one for one in settings.hubs if one.name == name)
    turns = judge(settings, catalog, hub, now, {one.kind for one in measured})
    return Checked(tuple(measured), tuple(turns))
