"""Bytes handed on to somebody who waits for them, from a disk or through from hubs."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from geobservatory.errors import TransientError
from geobservatory.hubs.access import Hubs
from geobservatory.hubs.model import Scene
from geobservatory.transfer.checkpoints import Checkpoints
from geobservatory.transfer.http import HttpSource
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.source import ProductGoneError, ProductOfflineError, Reply, Source
from geobservatory.transfer.through import Give, Target, Through, sources_for

# Who waits for the next byte has less patience than a flow.
_STALL_S = 15.0
_FOREVER_S = 86_400.0 * 7


class Receiver(Protocol):
    """Who is handed bytes."""

    def take(self, piece: bytes) -> None:
        """Take the next bytes; may wait, and raises once nobody wants them any more."""

    def wait(self, seconds: float) -> None:
        """Wait so long; raises once nobody waits any more."""

    def told(self, hub: str) -> None:
        """Hear where the next bytes come from."""


@dataclass(frozen=True)
class Member:
    """A file inside a hub's product, looked for when it is asked for; see `Source`."""

    inside: Inside
    name: str
    size: int
    checksums: Mapping[str, str]

    @property
    def hub(self) -> str:
        """See `Source`."""
        return self.inside.hub

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """See `Source.open`."""
        return _quick(self.inside.source(self.name)).open(first_byte, stop)


def send(origin: str, reply: Reply, receiver: Receiver) -> None:
    """Hand on what was opened."""
    receiver.told(origin)
    try:
        for piece in reply.chunks:
            receiver.take(piece)
    finally:
        reply.close()


def hand_on(
    hubs: Hubs,
    scene: Scene,
    target: Target,
    sources: Sequence[Source],
    receiver: Receiver,
    part: str,
    checkpoints: Checkpoints,
    patience_s: float,
) -> None:
    """Hand on a file from hubs, from wherever it comes soonest.

    Parameters
    ----------
    part
        What it is recorded as; empty for a product.
    patience_s
        Longest that nothing comes.

    Raises
    ------
    ProductOfflineError
        If it was ordered from a long-term archive.
    SpoiledError
        If what was given already is wrong.
    NotFoundError, TransientError, ConfigurationError
        See `transfer.download`.
    """
    moved = time.monotonic()

    def take(piece: bytes) -> None:
        nonlocal moved
        receiver.take(piece)
        moved = time.monotonic()

    def wait(seconds: float) -> None:
        if time.monotonic() + seconds - moved > patience_s:
            raise TransientError(f"{target.name}: no hub delivers it just now; come back later")
        receiver.wait(seconds)

    same = sources_for(target, [_quick(one) for one in sources])
    if not same:
        raise ProductGoneError(f"{target.name}: no hub has this very file any more")
    through = _Told(target, take, checkpoints, receiver)
    end = target.stop or target.size
    try:
        delivery = hubs.hand_on(
            scene,
            through,
            same,
            part=part,
            missing=None if end is None else end - target.first,
            patience_s=_FOREVER_S,
            wait=wait,
        )
    finally:
        through.leave()
    if delivery.path is None:
        raise ProductOfflineError(
            f"{target.name} is in the long-term archive of {delivery.hub} and has been ordered",
            delivery.retry_after_s,
        )


class _Told(Through):
    """Says where bytes come from."""

    def __init__(
        self, target: Target, give: Give, checkpoints: Checkpoints, receiver: Receiver
    ) -> None:
        super().__init__(target, give, checkpoints)
        self._receiver = receiver

    def adopt(self, source: Source) -> None:
        self._receiver.told(source.hub)


def _quick(source: Source) -> Source:
    return replace(source, stall_s=_STALL_S) if isinstance(source, HttpSource) else source
