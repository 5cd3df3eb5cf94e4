"""What is learned of hubs while they are used: kept for all; the choice among them goes by it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random

from sqlalchemy.exc import SQLAlchemyError

from geobservatory.catalog.database import Catalog
from geobservatory.errors import TransientError
from geobservatory.hubs.choice import Choice, Estimate
from geobservatory.hubs.federation import Found
from geobservatory.hubs.model import Scene
from geobservatory.hubs.outlook import Outlook, outlook
from geobservatory.settings.model import Hub, HubKind
from geobservatory.transfer.attempt import Measurement
from geobservatory.transfer.slots import Slots
from geobservatory.transfer.source import Source

_LOG = logging.getLogger(__name__)
# What others learned seconds ago is as good as new: a mirror asks several times a second.
_OUTLOOK_S = 2.0


class Learned:
    """What is known of hubs, and grows.

    Parameters
    ----------
    hubs
        By name.
    slots
        With the transfers that are under way.
    catalog
        Where it is kept and what others learn comes from; without it, it ends with the process.
    chance
        By which hubs that are hardly known are tried.
    now
        Tells the time, UTC.
    """

    def __init__(
        self,
        hubs: Mapping[str, Hub],
        slots: Slots,
        catalog: Catalog | None,
        chance: Random,
        now: Callable[[], datetime],
    ) -> None:
        self._hubs, self._slots, self._catalog = hubs, slots, catalog
        self._chance, self._now = chance, now
        self._outlook, self._looked = Outlook(), -_OUTLOOK_S

    def choice(self) -> Choice:
        """Choose with what the catalogue knows now: others learn as well."""
        if self._catalog is not None and time.monotonic() - self._looked >= _OUTLOOK_S:
            self._looked = time.monotonic()
            self._outlook = outlook(self._catalog, self._hubs, self._now())
        return self._chosen_by()

    def expected(self, scene: Scene, estimates: Sequence[Estimate]) -> Callable[[Source], float]:
        """Follow what is learned meanwhile; the draw of the beginning stays, or it would waver."""
        choice = self._chosen_by()
        drawn = {one.offer.hub: one.drawn - one.seconds for one in estimates}

        def expected(source: Source) -> float:
            now = self._now()
            offers = [offer for offer in scene.offers if offer.hub == source.hub]
            return choice.rank(offers, now)[0].seconds + drawn[source.hub]

        return expected

    def measured(self, scene: Scene, part: str = "") -> Callable[[Measurement], None]:
        """Give what notes how a transfer of a scene, or of a part of it, went."""
        offers = {offer.hub: offer for offer in scene.offers}

        def measured(one: Measurement) -> None:
            self._outlook.experience.add(one)
            if self._catalog is None:
                return
            try:
                self._catalog.record_transfer(offers[one.hub], one, part)
            except (SQLAlchemyError, TransientError) as error:
                # What came is worth more than the note of how it came.
                _LOG.warning("a transfer was not recorded: %s", type(error).__name__)

        return measured

    def keep(self, found: Found, began: datetime) -> None:
        """Keep what hubs answered to a question that was asked at a time (UTC)."""
        if self._catalog is not None:
            self._catalog.record_answers(found.answers, began)
            self._catalog.record_scenes([self._of_others(scene) for scene in found.scenes])

    def _chosen_by(self) -> Choice:
        return Choice(
            hubs=self._hubs,
            experience=self._outlook.experience,
            in_use=self._slots.in_use,
            used=self._used,
            chance=self._chance,
            incidents=self._outlook.incidents,
        )

    def _used(self, hub: str, since: datetime) -> int:
        return 0 if self._catalog is None else self._catalog.received_bytes(hub, since)

    def _of_others(self, scene: Scene) -> Scene:
        """Leave out what lies in the archive: of that the inventory tells, as long as it does."""
        others = tuple(
            one for one in scene.offers if self._hubs[one.hub].kind is not HubKind.MIRROR
        )
        return replace(scene, offers=others)
