"""What open activations need of the archive: it comes first, and it stays."""

from datetime import timedelta

from shapely.geometry import shape

from geobservatory.catalog.database import Catalog
from geobservatory.events.model import Activation, ActivationState
from geobservatory.mirror.archive import Archive

_OPEN = (ActivationState.REQUESTED, ActivationState.RUNNING, ActivationState.WAITING)


def needed(archive: Archive) -> dict[str, str]:
    """Name the products that activations need which are not at their end: name to activation.

    Those over their area, of the tracks and the days that they look at, and those of their pairs.
    """
    found: dict[str, str] = {}
    for state in _OPEN:
        for activation in archive.catalog.activations(state=state):
            for name in _of(archive.catalog, archive, activation):
                found.setdefault(name, activation.id)
    return found


def _of(catalog: Catalog, archive: Archive, activation: Activation) -> set[str]:
    asked, usual = activation.request, archive.settings.activation
    time = asked.event.time
    products = catalog.products(
        shape(asked.area),
        time - timedelta(days=asked.days_before or usual.days_before),
        time + timedelta(days=asked.days_after or usual.days_after),
    )
    names = {one.name for one in products if not asked.tracks or one.relative_orbit in asked.tracks}
    for pair in catalog.pairs(activation.id):
        names.update((*pair.reference, *pair.secondary))
    return names
