"""All hubs and what lies here as one hub: where a product is, and its bytes handed on.

What lies here is sent from the disk. Else the bytes come from the hub that delivers soonest, as
they come, and where that one fails from another from the same byte on.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.listing import Listed
from geobservatory.catalog.mirror import Held
from geobservatory.errors import NotFoundError, TransientError
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.errands import Errands
from geobservatory.hubs.folder import FileSource, FolderInside
from geobservatory.hubs.handing import Member, Receiver, hand_on, send
from geobservatory.hubs.keeping_on import Keeper
from geobservatory.hubs.model import Offer, Query, Scene
from geobservatory.hubs.versions import Version, version_of
from geobservatory.settings.model import MIRROR_HUB, Settings
from geobservatory.transfer.checkpoints import Checkpoints
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.slots import CountedSlots
from geobservatory.transfer.source import ProductOfflineError, Source
from geobservatory.transfer.through import SpoiledError, Target

# How long it is believed where a product is, and for how many products.
_BELIEVED_S, _MOST = 60.0, 2000
_MOST_INSIDES = 100
_FIND_S = 15.0
ARCHIVE = "archive"


@dataclass(frozen=True)
class Located:
    """Where a product is.

    Attributes
    ----------
    version
        The file that it is.
    online
        Whether it can be had at once.
    path
        Where it lies here, whole and verified.
    scene
        With the offers of the hubs that have this very file.
    """

    name: str
    version: Version
    online: bool
    path: Path | None = None
    scene: Scene | None = None


class Umbrella:
    """One hub over all; several threads use one.

    Parameters
    ----------
    settings
        Hubs, the data folder, and how hubs are asked on behalf of others.
    catalog
        Where all that is learned is kept.
    bring
        Brings a product into the archive, and waits for it so many seconds at most.
    """

    def __init__(
        self, settings: Settings, catalog: Catalog, bring: Callable[[Hubs, str, float], object]
    ) -> None:
        self.hubs = Hubs(settings, catalog)
        limits = {hub.name: hub.max_concurrent_downloads for hub in settings.hubs}
        self.hubs.slots = CountedSlots(self.hubs.slots, {MIRROR_HUB: 64, **limits})
        self._catalog, self._settings = catalog, settings.programs
        self._lock = threading.Lock()
        self._checkpoints = Checkpoints()
        self._believed: OrderedDict[str, tuple[float, Located]] = OrderedDict()
        self._insides: OrderedDict[tuple[str, str], Inside] = OrderedDict()
        self._doubted: set[str] = set()
        self._errands = Errands(partial(bring, self.hubs))
        self._keeper = Keeper(catalog, settings.mirror)

    def close(self) -> None:
        """Give connections back that nobody uses; what is under way goes on."""
        self._catalog.engine.dispose()

    def refresh(self, query: Query) -> list[str]:
        """Ask all hubs, and keep what they answer; gives those that did not answer to the end."""
        found = self.hubs.search(query, deadline_s=self._settings.live_s)
        return [one.hub for one in found.answers if one.failure is not None]

    def known(self, listed: Listed) -> Located:
        """Tell what the catalogue knows of a product; no hub is asked."""
        name = listed.product.name
        held = self._catalog.held(name)
        if held is not None and held.whole:
            version, _ = version_of(listed.offers, held.size, self._doubted)
            return Located(name, Version(held.size, _sums(held, version)), True, held.path)
        version, offers = version_of(listed.offers, doubted=self._doubted)
        return Located(name, version, any(one.online is not False for one in offers))

    def locate(self, listed: Listed) -> Located:
        """Find a product: here, else at the hubs.

        Raises
        ------
        NotFoundError
            If no hub has it any more.
        TransientError
            If no hub offers it, and some did not answer.
        """
        known = self.known(listed)
        if known.path is not None:
            return known
        with self._lock:
            at, believed = self._believed.get(known.name, (0.0, None))
        if believed is not None and believed.online and time.monotonic() - at < _BELIEVED_S:
            return believed
        scene = self.hubs.find(known.name, deadline_s=_FIND_S)
        version, offers = version_of(scene.offers, doubted=self._doubted)
        same = replace(scene, offers=offers)
        located = Located(known.name, version, same.online is not False, None, same)
        with self._lock:
            self._believed[known.name] = time.monotonic(), located
            self._believed.move_to_end(known.name)
            if len(self._believed) > _MOST:
                self._believed.popitem(last=False)
        return located

    def hand_on(
        self, located: Located, receiver: Receiver, first: int = 0, stop: int | None = None
    ) -> None:
        """Hand on a product, or bytes of it; blocks until the end.

        Parameters
        ----------
        first, stop
            The bytes wanted; to the end, and the whole is verified, where `stop` is None.

        Raises
        ------
        ProductOfflineError
            If it is in a long-term archive; it has been ordered. Or if nobody tells a checksum: it
            is brought here and tested first.
        NotFoundError, TransientError, ConfigurationError
            See `transfer.download`.
        SpoiledError
            If what was given already is not as the checksum says.
        """
        name, version = located.name, located.version
        if located.path is not None:
            with self._catalog.reading(name) as path:
                # Once it is open it can be read to the end, whatever becomes of its name.
                reply = None if path is None else FileSource(ARCHIVE, path).open(first, stop)
            if reply is not None:
                send(ARCHIVE, reply, receiver)
                return
            raise TransientError(f"{name} was just taken out of the archive; ask again")
        scene = _scene(located)
        if not version.checksums:
            self._errands.fetch(name)
            raise ProductOfflineError(
                f"{name}: no hub tells a checksum; it is brought here and tested first",
                self._errands.again_s,
            )
        target = Target(f"{name}.zip", version.size, version.checksums, first, stop)
        sources = [self.hubs.source(one) for one in scene.offers]
        if first or stop is not None or not self._settings.keep:
            self._on(scene, target, sources, receiver, "" if stop is None else "range")
            return
        path = self.hubs.path_of(name)
        with self._keeper.keeping(scene, path, version.size, receiver) as both:
            self._on(scene, target, sources, both, "")

    def members(self, located: Located) -> Mapping[str, int]:
        """List the files inside a product, with their sizes; see `Inside.members`."""
        return self._inside(located).members()

    def hand_on_member(
        self,
        located: Located,
        member: str,
        receiver: Receiver,
        first: int = 0,
        stop: int | None = None,
    ) -> None:
        """Hand on a file inside a product, or bytes of it; see `hand_on`.

        It is verified where its checksum is known.
        """
        size, source = self.members(located)[member], self._inside(located).source(member)
        if located.path is not None:
            send(ARCHIVE, source.open(first, stop), receiver)
            return
        scene, told = _scene(located), source.checksums
        # The products are the same, so the files inside them are.
        sources: list[Source] = [
            Member(self._inside_of(one), member, size, told) for one in scene.offers
        ]
        if not told and stop is None:
            stop = size
        self._on(scene, Target(member, size, told, first, stop), sources, receiver, "member")

    def _on(
        self, scene: Scene, target: Target, sources: list[Source], receiver: Receiver, part: str
    ) -> None:
        name = scene.product.name
        try:
            hand_on(
                self.hubs, scene, target, sources, receiver, part,
                self._checkpoints, self._settings.patience_s,
            )  # fmt: skip
        except SpoiledError:
            self._doubted.update(target.checksums.values())
            self._forget(name)
            raise
        except (NotFoundError, ProductOfflineError):
            self._forget(name)
            raise

    def _forget(self, name: str) -> None:
        with self._lock:
            self._believed.pop(name, None)

    def _inside(self, located: Located) -> Inside:
        if located.path is not None:
            return FolderInside(located.name, ARCHIVE, located.path)
        return self._inside_of(_scene(located).offers[0])

    def _inside_of(self, offer: Offer) -> Inside:
        """Keep what was read of a product's files: each of them is asked for on its own."""
        key = offer.product.name, offer.hub
        with self._lock:
            kept = self._insides.pop(key, None) or self.hubs.inside(offer)
            self._insides[key] = kept
            if len(self._insides) > _MOST_INSIDES:
                self._insides.popitem(last=False)
        return kept


def _sums(held: Held, version: Version) -> Mapping[str, str]:
    """Gather the checksums of what lies here: of hubs that have it, and those it came with."""
    told: Mapping[str, list[str]] = held.upstream.get("checksums") or {}
    came = {name: values[0] for name, values in told.items() if len(values) == 1}
    algorithm, _, digits = held.checksum.partition(":")
    return {**came, **version.checksums, algorithm: digits}


def _scene(located: Located) -> Scene:
    if located.scene is None or not located.scene.offers:
        raise NotFoundError(f"{located.name}: no hub has it")
    return located.scene
