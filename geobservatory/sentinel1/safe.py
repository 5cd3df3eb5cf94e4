"""SAFE products, folders and zips alike, read in place; whole, or as much as is there.

What is missing or damaged is listed in `problems`; what is asked for and not there is an error. Of
a product that was fetched in part (`sentinel1.partial`) there is what was fetched.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from geobservatory.errors import InputError
from geobservatory.sentinel1.annotation import Annotation, read_annotation
from geobservatory.sentinel1.manifest import Listed, listed_files
from geobservatory.sentinel1.names import ProductName, parse_name
from geobservatory.sentinel1.partial import PARTIAL, Partial, read_partial
from geobservatory.sentinel1.storage import DAMAGE, Storage, open_storage
from geobservatory.sentinel1.xml import MAX_BYTES, Element, parse

_ANNOTATION = re.compile(
    r"annotation/s1[a-d]-(?P<swath>iw[1-3]|ew[1-5]|s[1-6]|wv[12])-slc-(?P<pol>[hv]{2})-[^/]*\.xml"
)
_VERSION = re.compile(r"0*(\d{1,4})\.(\d{1,4}).*")
Channel = tuple[str, str]


@dataclass(frozen=True)
class SafeProduct:
    """A Sentinel-1 product that lies somewhere.

    Attributes
    ----------
    path
        The folder or zip.
    storage
        Its files.
    partial
        What is there of a product that was fetched in part; None of any other.
    """

    path: Path
    name: ProductName
    storage: Storage = field(repr=False)
    partial: Partial | None = field(default=None, repr=False)
    _cache: dict[Channel, Annotation] = field(default_factory=dict, repr=False)

    @property
    def members(self) -> dict[str, int]:
        """Name inside the product (``annotation/…``) to size in bytes."""
        return self.storage.members

    @cached_property
    def channels(self) -> dict[Channel, str]:
        """Swath and polarisation (``("IW1", "VV")``) to the name of its annotation.

        Of a partial product, those of which a burst is there.
        """
        found = {}
        for member in sorted(self.members):
            channel = channel_of(member)
            if channel is not None and (self.partial is None or self.partial.bursts(*channel)):
                found[channel] = member
        return found

    def has_burst(self, swath: str, polarisation: str, index: int) -> bool:
        """Tell whether a burst was fetched: all were, unless the product is partial."""
        return self.partial is None or index in self.partial.bursts(swath, polarisation)

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What a whole product would have and this one has not."""
        if "manifest.safe" not in self.members:
            return ("manifest.safe is missing: what else is missing cannot be told",)
        found = []
        for name, listed in self.files.items():
            if not self._expects(name):
                continue
            if name not in self.members:
                found.append(f"{name} is missing")
            elif listed.size is not None and listed.size != self.members[name]:
                have = self.members[name]
                found.append(f"{name} has {have} of {listed.size} bytes; fetch it again")
        if self.partial is not None:
            for one in self.partial.channels:
                bursts = ", ".join(str(burst.index) for burst in one.bursts)
                found.append(f"partial: of {one.swath} {one.polarisation} only bursts {bursts}")
        return tuple(sorted(found))

    @cached_property
    def files(self) -> dict[str, Listed]:
        """What the manifest lists.

        Raises
        ------
        InputError
            If there is no manifest, or it is damaged.
        """
        return listed_files(self._manifest)

    @cached_property
    def relative_orbits(self) -> tuple[int, int] | None:
        """Relative orbit at the start and at the stop, of the manifest or else of the name.

        They differ where the product passes the ascending node.
        """
        found: dict[str | None, int] = {}
        if "manifest.safe" in self.members:
            for node in self._manifest.all(".//{*}relativeOrbitNumber"):
                found[node.attribute("type")] = node.integer()
        start = found.get("start", found.get(None, self.name.relative_orbit))
        return None if start is None else (start, found.get("stop", start))

    @property
    def relative_orbit(self) -> int | None:
        """Relative orbit at the start."""
        return None if self.relative_orbits is None else self.relative_orbits[0]

    @cached_property
    def ipf_version(self) -> str | None:
        """Version of the processor, of the manifest."""
        if "manifest.safe" in self.members:
            for node in self._manifest.all(".//{*}software"):
                if node.attribute("name") == "Sentinel-1 IPF":
                    return node.attribute("version")
        return None

    @property
    def lacks_elevation_pattern_phase(self) -> bool:
        """Whether the processor was older than IPF 2.43 (March 2015).

        Until then it left the phase of the elevation antenna pattern in the image: with a newer
        one it makes an interferogram whose phase varies with range, in each swath its own way.
        """
        version = _VERSION.fullmatch(self.ipf_version or "")
        return version is not None and (int(version[1]), int(version[2])) < (2, 43)

    def annotation(self, swath: str, polarisation: str) -> Annotation:
        """Read (once) the annotation of a swath in a polarisation.

        Raises
        ------
        InputError
            If it is not in the product, or damaged.
        """
        member = self.annotation_member(swath, polarisation)
        channel = (swath.upper(), polarisation.upper())
        if channel not in self._cache:
            content = self.read(member)
            self._cache[channel] = read_annotation(content, f"{self.path}/{member}")
        return self._cache[channel]

    def annotation_member(self, swath: str, polarisation: str) -> str:
        """Name the annotation of a swath in a polarisation.

        Raises
        ------
        InputError
            If it is not in the product; the message says what is.
        """
        channel = (swath.upper(), polarisation.upper())
        if channel not in self.channels:
            have = ", ".join(f"{one} {other}" for one, other in self.channels) or "none"
            raise InputError(f"{self.path}: no annotation of {' '.join(channel)}; it has {have}")
        return self.channels[channel]

    def any_annotation(self, swath: str) -> Annotation:
        """Read the annotation of a swath in whichever polarisation comes first.

        Timing and geometry are the same in all of them.
        """
        for one, polarisation in self.channels:
            if one == swath:
                return self.annotation(swath, polarisation)
        raise InputError(f"{self.path}: holds no annotation of {swath}")

    def read(self, member: str) -> bytes:
        """Read a small member whole.

        Raises
        ------
        InputError
            If it is not there, too large, or damaged.
        """
        if member not in self.members:
            raise InputError(f"{self.path}: {member} is missing")
        try:
            with self.storage.open(member) as file:
                # The declared size may lie; what is read may not.
                content = file.read(MAX_BYTES + 1)
        except DAMAGE as error:
            raise InputError(f"{self.path}/{member}: damaged ({error}); fetch it again") from error
        if len(content) > MAX_BYTES:
            raise InputError(f"{self.path}/{member}: more than {MAX_BYTES} bytes; no annotation")
        return content

    def _expects(self, name: str) -> bool:
        """Tell whether a file that the manifest lists should be here."""
        if self.partial is not None:
            images = {one.measurement for one in self.partial.channels}
            return name in self.partial.files or name in images
        return name.startswith(("annotation/", "measurement/"))

    @cached_property
    def _manifest(self) -> Element:
        return parse(self.read("manifest.safe"), f"{self.path}/manifest.safe")


def channel_of(member: str) -> Channel | None:
    """Tell of which swath and polarisation a member is the annotation; None where it is none."""
    match = _ANNOTATION.fullmatch(member)
    return None if match is None else (match["swath"].upper(), match["pol"].upper())


def open_product(path: Path) -> SafeProduct:
    """Open a SAFE folder or zip; nothing but its list of files is read.

    Raises
    ------
    InputError
        If it is neither, is a zip cut short, is not an SLC of Sentinel-1, or was fetched in
        part and does not say which.
    """
    storage = open_storage(path)
    product = SafeProduct(path, parse_name(storage.name), storage)
    if PARTIAL in product.members:
        partial = read_partial(product.read(PARTIAL), f"{path}/{PARTIAL}")
        if partial.product != str(product.name):
            raise InputError(f"{path}/{PARTIAL}: is of {partial.product[:120]}, another product")
        # Listed again: what has been fetched since is written before it is told of.
        product = SafeProduct(path, product.name, open_storage(path), partial)
    if product.name.kind != "SLC":
        raise InputError(f"{path}: a {product.name.kind} product; interferometry needs an SLC")
    # Of one that was reduced to its annotation there is no image, and all else.
    if not product.channels and product.partial is None:
        raise InputError(f"{path}: holds no annotation of a swath")
    return product
