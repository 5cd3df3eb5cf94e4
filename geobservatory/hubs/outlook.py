"""What is known of hubs at a time, and what that leads one to expect of each.

Nobody is asked and no account is used: it is known whatever state the hubs' accounts are in.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import SystemRandom

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.incidents import Incident
from geobservatory.hubs.choice import Choice, Delivery
from geobservatory.hubs.experience import DAYS, Belief, Experience
from geobservatory.hubs.mirror import with_mirror
from geobservatory.settings.model import Settings
from geobservatory.transfer.slots import CatalogSlots


@dataclass
class Outlook:
    """What is known of hubs.

    Attributes
    ----------
    experience
        Of their transfers; may be added to.
    incidents
        What is open, by hub.
    """

    experience: Experience = field(default_factory=Experience)
    incidents: dict[str, list[Incident]] = field(default_factory=dict)


def outlook(catalog: Catalog, hubs: Collection[str], at: datetime) -> Outlook:
    """Read what the catalogue knows."""
    known = Outlook(Experience(catalog.transfers(at - timedelta(days=DAYS), hubs)))
    for one in catalog.open_incidents():
        known.incidents.setdefault(one.hub, []).append(one)
    return known


def beliefs(settings: Settings, catalog: Catalog, at: datetime) -> dict[str, Belief]:
    """Tell what is believed of each hub, the archive of a mirror included."""
    names = [hub.name for hub in with_mirror(settings)]
    experience = outlook(catalog, names, at).experience
    return {name: experience.of(name, at) for name in names}


def deliveries(settings: Settings, catalog: Catalog, at: datetime) -> dict[str, Delivery]:
    """Tell how soon each hub would deliver a product of usual size."""
    hubs = {hub.name: hub for hub in settings.hubs}
    known = outlook(catalog, hubs, at)
    limits = {hub.name: hub.max_concurrent_downloads for hub in settings.hubs}
    choice = Choice(
        hubs=hubs,
        experience=known.experience,
        in_use=CatalogSlots(catalog.engine, limits).in_use,
        used=catalog.received_bytes,
        chance=SystemRandom(),
        incidents=known.incidents,
    )
    return {hub: choice.delivery(hub, at) for hub in hubs}
