"""Only the bursts over an area, from whichever hub can give them."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from shapely.geometry.base import BaseGeometry

from geobservatory.hubs.choice import Estimate
from geobservatory.hubs.connector import Connector, HasBurstService
from geobservatory.hubs.model import Offer
from geobservatory.transfer.asf_bursts import fetch_bursts
from geobservatory.transfer.attempt import Measured, Told
from geobservatory.transfer.partial import fetch_partial
from geobservatory.transfer.ranged import RangesIgnoredError
from geobservatory.transfer.slots import Release, Slots
from geobservatory.transfer.source import (
    HubBusyError,
    HubRefusedError,
    HubUnreachableError,
    ProductGoneError,
    ProductOfflineError,
)

_ROUNDS = 3
_PAUSE_S = 2.0
_LONGEST_S = 60.0


def fetch_part(
    connectors: Mapping[str, Connector],
    estimates: Sequence[Estimate],
    folder: Path,
    area: BaseGeometry,
    *,
    polarisations: Collection[str] | None = None,
    slots: Slots,
    measured: Measured | None = None,
    told: Told | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> tuple[Path, str] | None:
    """Fetch the annotation and the bursts that meet an area, as a partial SAFE.

    The hubs that have the product online are tried in their order, three times round; what one
    brought is kept when the next goes on.

    Parameters
    ----------
    connectors
        By the hub's name.
    estimates
        The offers of the product, the soonest first.
    folder
        Where ``<NAME>.SAFE`` is to be.
    area
        EPSG:4326.
    polarisations
        Only these; all that the product has where None.

    Returns
    -------
    path, hub
        None where no hub can give a part; the whole may still be had.

    Raises
    ------
    InputError
        If no burst meets the area.
    DiskFullError
        If there is no room.
    """

    def _fetch(connector: Connector, offer: Offer) -> Path:
        asked: dict[str, Any] = {
            "polarisations": polarisations,
            "measured": measured,
            "told": told,
        }
        if isinstance(connector, HasBurstService):
            return fetch_bursts(connector.bursts(offer), folder, area, **asked)
        return fetch_partial(connector.inside(offer), folder, area, **asked)

    left = [one.offer for one in estimates if one.offer.online is not False]
    for turn in range(_ROUNDS):
        pause = _PAUSE_S * 3**turn
        for offer in list(left):
            release = _place(slots, offer.hub, wait)
            if release is None:
                continue
            try:
                return _fetch(connectors[offer.hub], offer), offer.hub
            except HubBusyError as error:
                pause = max(pause, error.retry_after_s or 0.0)
            except (RangesIgnoredError, HubRefusedError, ProductGoneError, ProductOfflineError):
                left.remove(offer)
            except HubUnreachableError:
                pass
            finally:
                release()
        if not left:
            break
        wait(min(pause, _LONGEST_S))
    return None


def _place(slots: Slots, hub: str, wait: Callable[[float], None]) -> Release | None:
    """Take a place at a hub; a moment's patience, because the others take places as well."""
    release = slots.take(hub)
    if release is None:
        wait(_PAUSE_S)
        release = slots.take(hub)
    return release
