"""The part of a product that meets an area: annotation and bursts, in a SAFE folder like any other.

The folder appears under its final name once all of it is there. Until then it is a part beside it,
which a later call goes on with, be it of another process or from another hub. A folder that is
there is extended in place: first the bytes come, which no reader looks at yet, then
``partial.json`` tells of them.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.files import sweep, written_whole
from geobservatory.sentinel1.names import parse_name
from geobservatory.sentinel1.partial import PARTIAL, HeldBurst, Partial, PartialChannel, Span
from geobservatory.sentinel1.safe import Channel, open_product
from geobservatory.transfer.attempt import Course, Measured, Told, observed
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.lock import alone_at
from geobservatory.transfer.part import DiskFullError, WrongContentError
from geobservatory.transfer.partial_plan import (
    MANIFEST,
    UNLISTED,
    Chosen,
    Documents,
    burst_ranges,
    choose,
)
from geobservatory.transfer.source import ProductGoneError, Source
from geobservatory.transfer.sparse import Journal, Range, Sparse


def fetch_partial(
    inside: Inside,
    folder: Path,
    area: BaseGeometry,
    *,
    polarisations: Collection[str] | None = None,
    swaths: Collection[str] | None = None,
    measured: Measured | None = None,
    told: Told | None = None,
) -> Path:
    """Fetch the annotation and the bursts of a product that meet an area.

    What is there already is not fetched again: an earlier part, a partial product of a smaller
    area, or the whole. After any error what came stays, and another call goes on with it, from the
    same hub or another.

    Parameters
    ----------
    inside
        The product at a hub. A hub that sends no ranges of files is refused.
    folder
        Where ``<NAME>.SAFE`` is to be.
    area
        EPSG:4326; bursts whose footprint meets it are fetched.
    polarisations, swaths
        Only these (``VV``, ``IW2``); all that the product has where None.
    measured, told
        Called at the end with what was learned of the hub, and now and then with how far it is;
        neither where all is there already.

    Returns
    -------
    path
        ``<folder>/<NAME>.SAFE``.

    Raises
    ------
    InputError
        If no burst meets the area, the product has not what is asked for, is no SLC of IW mode, or
        what lies under its name is damaged.
    HubBusyError, HubRefusedError, HubUnreachableError, ProductGoneError, ProductOfflineError
        As `Source.open` does.
    RangesIgnoredError
        If the hub sends files only from their beginning; one of the kind of HubUnreachableError.
    WrongContentError
        If what came is not what the manifest lists, or not the image that is annotated.
    DiskFullError
        If there is no room.
    """
    name = parse_name(inside.name)
    if (name.kind, name.mode) != ("SLC", "IW"):
        raise InputError(f"{name}: bursts can be had of an SLC of IW mode only")
    if area.is_empty or not area.is_valid:
        raise InputError("the area is empty or crosses itself")
    path = folder / f"{name}.SAFE"
    with alone_at(path):
        work = _Work(path, area, polarisations, swaths)
        if not work.is_done():
            with observed(inside.hub, str(name), measured, told) as course:
                work.fetch(inside, course)
    return path


def find_partial(
    name: str, folder: Path, area: BaseGeometry, polarisations: Collection[str] | None = None
) -> Path | None:
    """Find what `fetch_partial` would bring, if all of it is there; nobody is asked."""
    path = folder / f"{name}.SAFE"
    if not path.exists():
        return None
    return path if _Work(path, area, polarisations, None).is_done() else None


@dataclass
class _Tally:
    """How far it is: bytes there, of how many once that is known, and how many came."""

    course: Course
    have: int = 0
    total: int | None = None
    came: int = 0

    def __call__(self, count: int) -> None:
        self.came += count
        self.have += count
        self.course.took(count, self.have, self.total)


@dataclass(frozen=True)
class _Image:
    """A measurement that is being filled: where from, for which bursts, and which bytes they are.

    `old` is what ``partial.json`` says of it already.
    """

    channel: Channel
    bursts: dict[int, str]
    old: PartialChannel | None
    sparse: Sparse
    source: Source
    ranges: list[Range]

    def filled(self) -> PartialChannel:
        """Describe what is there now."""
        spans = list(self.old.spans) if self.old is not None else []
        for first, stop in self.sparse.fresh:
            spans.append(Span(first=first, stop=stop, sha256=self.sparse.sha256(first, stop)))
        bursts = (HeldBurst(index=index, id=name) for index, name in sorted(self.bursts.items()))
        return PartialChannel(
            swath=self.channel[0],
            polarisation=self.channel[1],
            bursts=tuple(bursts),
            measurement=self.sparse.name,
            spans=tuple(sorted(spans, key=lambda span: span.first)),
        )


class _Work:
    """What is wanted of one product, and what is there of it."""

    def __init__(
        self,
        path: Path,
        area: BaseGeometry,
        polarisations: Collection[str] | None,
        swaths: Collection[str] | None,
    ) -> None:
        self._path, self._name = path, path.name.removesuffix(".SAFE")
        self._area, self._ask = area, (area, polarisations, swaths)
        self._journal = Journal(path.with_name(f".{path.name}.journal"))
        self._there = open_product(path) if path.exists() else None
        self._root = path.with_name(f".{path.name}.part") if self._there is None else path

    @property
    def _partial(self) -> Partial | None:
        return None if self._there is None else self._there.partial

    def is_done(self) -> bool:
        """Tell whether all that is wanted is there, without asking anybody."""
        if self._there is None or self._there.partial is None:
            return self._there is not None
        try:
            chosen = choose(Documents(self._path), self._name, *self._ask)
        except ProductGoneError:
            return False
        return all(
            self._there.has_burst(*channel, one.burst.index)
            for channel, bursts in chosen.bursts.items()
            for one in bursts
        )

    def fetch(self, inside: Inside, course: Course) -> None:
        """Bring what is missing, and tell of it."""
        tally = _Tally(course)
        documents = Documents(self._root, inside, tally)
        try:
            chosen = choose(documents, self._name, *self._ask)
            files = {MANIFEST: documents.read(MANIFEST, UNLISTED)}
            files |= {name: documents.read(name, chosen.files[name]) for name in chosen.documents()}
            channels, hubs = self._fill(inside, chosen, tally)
        except WrongContentError:
            # Nothing verifies the manifest itself; that of a product that is there was right.
            if self._there is None:
                documents.forget_manifest()
            raise
        except InputError:
            if self._there is None and not self._journal.entries():
                shutil.rmtree(self._root, ignore_errors=True)
            raise
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        self._publish(sums, channels, hubs | ({inside.hub} if tally.came else set()))

    def _fill(
        self, inside: Inside, chosen: Chosen, tally: _Tally
    ) -> tuple[list[PartialChannel], set[str]]:
        """Bring the bursts; gives what is there then, and the hubs it came from."""
        with ExitStack() as stack:
            images = [
                self._image(stack, inside, chosen, channel, tally) for channel in chosen.channels
            ]
            missing = [(one, one.sparse.missing(one.ranges)) for one in images]
            wanted = sum(_length(one.ranges) for one in images)
            needed = sum(_length(ranges) for _, ranges in missing)
            tally.have, tally.total = wanted - needed, wanted
            if not all(one.sparse.reserve(ranges) for one, ranges in missing):
                self._require(needed)
            for one, ranges in missing:
                one.sparse.fill(ranges, one.source, tally)
            for one in images:
                one.sparse.sync()
            return [one.filled() for one in images], {h for one in images for h in one.sparse.hubs}

    def _image(
        self, stack: ExitStack, inside: Inside, chosen: Chosen, channel: Channel, tally: _Tally
    ) -> _Image:
        """Open a measurement, and find out which of its bytes are wanted."""
        name, size = chosen.measurement(channel)
        source = inside.source(name)
        if source.size not in (None, size):
            raise WrongContentError(
                f"{name} from {source.hub}: {source.size} bytes, and the manifest lists {size}"
            )
        old = next(
            (
                one
                for one in (self._partial.channels if self._partial is not None else ())
                if (one.swath, one.polarisation) == channel
            ),
            None,
        )
        known = [(span.first, span.stop) for span in old.spans] if old is not None else []
        sparse = stack.enter_context(Sparse(self._root, name, size, self._journal, known))
        bursts = {one.index: one.id for one in old.bursts} if old is not None else {}
        bursts |= {one.burst.index: str(one.identity) for one in chosen.bursts[channel]}
        try:
            ranges = burst_ranges(sparse, source, chosen.annotations[channel], bursts, tally)
        except WrongContentError:
            if old is None:
                sparse.discard()
            raise
        return _Image(channel, bursts, old, sparse, source, ranges)

    def _require(self, needed: int) -> None:
        free = shutil.disk_usage(self._path.parent).free
        if free < needed:
            raise DiskFullError(
                f"{self._path}: {needed} bytes are to come, and the disk has {free} free; make room"
                " and fetch it again"
            )

    def _publish(
        self, files: dict[str, str], channels: list[PartialChannel], hubs: set[str]
    ) -> None:
        """Tell what is there, and let it be seen."""
        old = self._partial
        area = json.loads(json.dumps(mapping(self._area)))
        areas = old.areas if old is not None else ()
        merged = {(one.swath, one.polarisation): one for one in old.channels} if old else {}
        merged |= {(one.swath, one.polarisation): one for one in channels}
        partial = Partial(
            product=self._name,
            hubs=tuple(sorted(hubs.union(old.hubs if old is not None else ()))),
            areas=areas if area in areas else (*areas, area),
            files={**(old.files if old is not None else {}), **files},
            channels=tuple(merged[key] for key in sorted(merged)),
        )
        told = self._root / PARTIAL
        sweep(told)
        with written_whole(told) as beside:
            beside.write_text(partial.model_dump_json(indent=2))
        if self._root != self._path:
            self._root.replace(self._path)
            parent = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(parent)
            finally:
                os.close(parent)
        self._journal.forget(one.measurement for one in channels)


def _length(ranges: Iterable[Range]) -> int:
    return sum(stop - first for first, stop in ranges)
