"""A product as the ASF's burst service has it: each burst in a file of its own, cut out on demand.

The service gives what is said of the product in an XML of all its documents, and each burst as a
TIFF. Here they are the files of the product again, so that a partial product comes of them as from
any other hub. Source: Sentinel-1 Burst Extractor, documentation of the ASF; the XML as hyp3-isce2
and burst2safe read it.
"""

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

from shapely.geometry.base import BaseGeometry

from geobservatory.errors import InputError
from geobservatory.sentinel1.annotation import Annotation, read_annotation
from geobservatory.sentinel1.manifest import Listed, listed_files
from geobservatory.sentinel1.names import parse_name
from geobservatory.sentinel1.safe import Channel, channel_of
from geobservatory.sentinel1.xml import parse
from geobservatory.transfer.attempt import Measured, Told
from geobservatory.transfer.burst_image import BurstFile, BurstImage, burst_file
from geobservatory.transfer.burst_metadata import (
    Document,
    read_burst_metadata,
    read_whole,
)
from geobservatory.transfer.http import HttpSource
from geobservatory.transfer.part import WrongContentError
from geobservatory.transfer.partial import fetch_partial
from geobservatory.transfer.partial_plan import MANIFEST, Documents, choose
from geobservatory.transfer.source import (
    HubUnreachableError,
    ProductGoneError,
    ProductOfflineError,
    Source,
)

PATIENCE_S = 900.0
_PAUSE_S = 5.0
# The metadata, then the bursts: each may have to be waited for once.
_MOST_ROUNDS = 5
_SWATHS = ("IW1", "IW2", "IW3")
_DOCUMENT = re.compile(r"^annotation/.*-slc-([hv]{2})-[^/]*\.xml$")

Open = Callable[[str, str], HttpSource]
_Asked = tuple[BaseGeometry, Collection[str] | None, Collection[str] | None]


class BurstService:
    """A product at the burst service; see `Inside`.

    Documents are those of the product to the byte where their checksum in the manifest tells so;
    where it does not, the manifest given here says nothing of their length and checksum.

    Parameters
    ----------
    hub
        Its name in the settings.
    name
        Of the product, without ``.SAFE``.
    open_file
        Gives a file of the service, by a name for messages and its path, such as ``IW1/VV/0.xml``.
    """

    def __init__(self, hub: str, name: str, open_file: Open) -> None:
        self._hub, self._name, self._open = hub, name, open_file
        self._lock = Lock()
        self._manifest = b""
        self._documents: dict[str, bytes] = {}
        self._told: set[str] = set()
        self._annotations: dict[Channel, Annotation] = {}
        self._bursts: dict[tuple[Channel, int], BurstFile] = {}
        self._ordered: set[tuple[Channel, int]] = set()

    @property
    def name(self) -> str:
        """See `Inside.name`."""
        return self._name

    @property
    def hub(self) -> str:
        """See `Inside.hub`."""
        return self._hub

    def members(self) -> Mapping[str, int]:
        """See `Inside.members`."""
        listed = self._listed()
        return {MANIFEST: len(self._manifest)} | {
            member: one.size or len(self._documents.get(member, b""))
            for member, one in listed.items()
            if member in self._documents or member.startswith("measurement/")
        }

    def source(self, member: str) -> Source:
        """See `Inside.source`; `ProductOfflineError` while the service is preparing it."""
        listed = self._listed()
        if member == MANIFEST:
            return Document(self.hub, member, self._manifest)
        if member.startswith("measurement/") and member in listed:
            return self._image(member, listed[member])
        if (match := _DOCUMENT.search(member)) is not None:
            self._tell(match[1].upper())
        if member not in self._documents:
            raise ProductGoneError(f"{self.name} from {self.hub}: it holds no {member}")
        return Document(self.hub, member, self._documents[member])

    def burst(self, channel: Channel, index: int) -> BurstFile:
        """Find the file of a burst; asking for it has it cut out.

        Raises
        ------
        ProductOfflineError
            If it is being cut out.
        WrongContentError
            If it is no such burst.
        HubBusyError, HubRefusedError, HubUnreachableError, ProductGoneError
            As `Source.open` does.
        """
        known = self._bursts.get((channel, index))
        if known is None:
            swath, polarisation = channel
            source = self._open(
                f"{self.name} {swath} {polarisation} {index}",
                f"{swath}/{polarisation}/{index}.tiff",
            )
            self._ordered.add((channel, index))
            reply = source.open(0, 1)
            reply.close()
            if reply.total is None:
                raise HubUnreachableError(
                    f"{source.name} from {self.hub}: it does not tell how long the file is"
                )
            source = replace(source, size=reply.total)
            known = burst_file(source, reply.total, self._annotation(channel))
            self._bursts[channel, index] = known
        return known

    def prepare(self, bursts: Iterable[tuple[Channel, int]]) -> None:
        """Have bursts cut out, and what was asked for before.

        Raises
        ------
        ProductOfflineError
            If not all of them are there yet.
        WrongContentError, HubBusyError, HubRefusedError, HubUnreachableError, ProductGoneError
            As `burst` does.
        """
        waiting: ProductOfflineError | None = None
        for channel, index in sorted(self._ordered.union(bursts)):
            try:
                self.burst(channel, index)
            except ProductOfflineError as error:
                waiting = error
        if waiting is not None:
            raise waiting

    def _listed(self) -> dict[str, Listed]:
        if not self._manifest:
            self._tell(parse_name(self.name).polarisations[0])
        return listed_files(parse(self._manifest, f"{self.name}/{MANIFEST}"))

    def _image(self, member: str, listed: Listed) -> BurstImage:
        annotation = f"annotation/{member.removeprefix('measurement/').removesuffix('.tiff')}.xml"
        channel = channel_of(annotation)
        if channel is None or not listed.size:
            raise WrongContentError(f"{self.name} from {self.hub}: {member} is no image of a swath")
        return BurstImage(
            self.hub,
            member,
            listed.size,
            self._annotation(channel),
            lambda index: self.burst(channel, index),
        )

    def _annotation(self, channel: Channel) -> Annotation:
        if channel not in self._annotations:
            self._tell(channel[1])
            member = next((one for one in self._documents if channel_of(one) == channel), None)
            if member is None:
                raise ProductGoneError(f"{self.name} from {self.hub}: it has no {channel}")
            try:
                self._annotations[channel] = read_annotation(self._documents[member], member)
            except InputError as error:
                raise WrongContentError(f"{self.name} from {self.hub}: {error}") from error
        return self._annotations[channel]

    def _tell(self, polarisation: str) -> None:
        """Have the documents of a polarisation."""
        with self._lock:
            if polarisation in self._told:
                return
            content = self._metadata(polarisation)
            try:
                metadata = read_burst_metadata(content, f"{polarisation} metadata")
            except InputError as error:
                raise HubUnreachableError(f"{self.name} from {self.hub}: {error}") from error
            self._manifest = self._manifest or metadata.manifest
            self._documents |= metadata.documents
            self._told.add(polarisation)

    def _metadata(self, polarisation: str) -> bytes:
        gone: ProductGoneError | None = None
        for swath in _SWATHS:
            source = self._open(
                f"{self.name} {polarisation} metadata", f"{swath}/{polarisation}/0.xml"
            )
            try:
                return read_whole(source)
            except ProductGoneError as error:
                # A product may lack a swath.
                gone = error
        assert gone is not None  # noqa: S101
        raise gone


def fetch_bursts(
    service: BurstService,
    folder: Path,
    area: BaseGeometry,
    *,
    polarisations: Collection[str] | None = None,
    swaths: Collection[str] | None = None,
    measured: Measured | None = None,
    told: Told | None = None,
    patience_s: float = PATIENCE_S,
    wait: Callable[[float], None] = time.sleep,
) -> Path:
    """Fetch the annotation and bursts of a product that meet an area, as `fetch_partial` does.

    All the bursts are asked for at once, and then waited for.

    Parameters
    ----------
    service
        The product at the burst service.
    folder, area, polarisations, swaths, measured, told
        As `fetch_partial` has them.
    patience_s
        How long the service may take to cut them out.
    wait
        Waits so many seconds.

    Raises
    ------
    ProductOfflineError
        If it takes longer; asking again later may find them.
    InputError, GeobservatoryError
        As `fetch_partial` does.
    """
    until = time.monotonic() + patience_s
    for _ in range(_MOST_ROUNDS):
        try:
            only = {"polarisations": polarisations, "swaths": swaths}
            return fetch_partial(service, folder, area, **only, measured=measured, told=told)
        except ProductOfflineError:
            _wait_for(service, (area, polarisations, swaths), until, wait)
    raise ProductOfflineError(
        f"{service.name} from {service.hub}: its bursts are there, and then again are not"
    )


def _wait_for(
    service: BurstService, asked: _Asked, until: float, wait: Callable[[float], None]
) -> None:
    while True:
        try:
            _order(service, *asked)
            return
        except ProductOfflineError as error:
            pause = _PAUSE_S if error.retry_after_s is None else error.retry_after_s
            if time.monotonic() + pause > until:
                raise ProductOfflineError(
                    f"{service.name} from {service.hub}: its bursts are still being cut out",
                    error.retry_after_s,
                ) from error
            wait(pause)


def _order(
    service: BurstService,
    area: BaseGeometry,
    polarisations: Collection[str] | None,
    swaths: Collection[str] | None,
) -> None:
    """Ask for all that is wanted; `ProductOfflineError` while it is being prepared."""
    with TemporaryDirectory() as scratch:
        documents = Documents(Path(scratch), service)
        chosen = choose(documents, service.name, area, polarisations, swaths)
    service.prepare(
        (channel, one.burst.index) for channel, bursts in chosen.bursts.items() for one in bursts
    )
