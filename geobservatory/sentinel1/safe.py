"""SAFE products, folders and zips alike, read in place; whole, or as much as is there.

What is missing or damaged is listed in `problems`; what is asked for and not there is an error.
"""

import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from geobservatory.errors import InputError
from geobservatory.sentinel1.annotation import Annotation, read_annotation
from geobservatory.sentinel1.names import ProductName, parse_name
from geobservatory.sentinel1.xml import MAX_BYTES, Element, parse

_ANNOTATION = re.compile(
    r"annotation/s1[a-d]-(?P<swath>iw[1-3]|ew[1-5]|s[1-6]|wv[12])-slc-(?P<pol>[hv]{2})-.*\.xml"
)
Channel = tuple[str, str]


@dataclass(frozen=True)
class SafeProduct:
    """A Sentinel-1 product that lies somewhere.

    Attributes
    ----------
    path
        The folder or zip.
    members
        Name inside the product (``annotation/…``) to size in bytes.
    """

    path: Path
    name: ProductName
    members: dict[str, int]
    _read: Callable[[str], bytes] = field(repr=False)
    _cache: dict[Channel, Annotation] = field(default_factory=dict, repr=False)

    @cached_property
    def channels(self) -> dict[Channel, str]:
        """Swath and polarisation (``("IW1", "VV")``) to the name of its annotation."""
        found = {}
        for member in sorted(self.members):
            if match := _ANNOTATION.fullmatch(member):
                found[match["swath"].upper(), match["pol"].upper()] = member
        return found

    @cached_property
    def problems(self) -> tuple[str, ...]:
        """What a whole product would have and this one has not."""
        if "manifest.safe" not in self.members:
            return ("manifest.safe is missing: what else is missing cannot be told",)
        listed = {
            href.removeprefix("./")
            for node in self._manifest.all("dataObjectSection/dataObject/byteStream/fileLocation")
            if (href := node.attribute("href"))
        }
        wanted = ("annotation/", "measurement/")
        return tuple(
            f"{name} is missing"
            for name in sorted(listed)
            if name.startswith(wanted) and name not in self.members
        )

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

    def annotation(self, swath: str, polarisation: str) -> Annotation:
        """Read (once) the annotation of a swath in a polarisation.

        Raises
        ------
        InputError
            If it is not in the product, or damaged.
        """
        channel = (swath.upper(), polarisation.upper())
        if channel not in self.channels:
            have = ", ".join(f"{one} {other}" for one, other in self.channels) or "none"
            raise InputError(f"{self.path}: no annotation of {' '.join(channel)}; it has {have}")
        if channel not in self._cache:
            member = self.channels[channel]
            content = self.read(member)
            self._cache[channel] = read_annotation(content, f"{self.path}/{member}")
        return self._cache[channel]

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
        if self.members[member] > MAX_BYTES:
            raise InputError(
                f"{self.path}/{member}: {self.members[member]} bytes are no annotation"
            )
        try:
            return self._read(member)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise InputError(f"{self.path}/{member}: damaged ({error}); fetch it again") from error

    @cached_property
    def _manifest(self) -> Element:
        return parse(self.read("manifest.safe"), f"{self.path}/manifest.safe")


def open_product(path: Path) -> SafeProduct:
    """Open a SAFE folder or zip; nothing but its list of files is read.

    Raises
    ------
    InputError
        If it is neither, is a zip cut short, or is not an SLC of Sentinel-1.
    """
    if path.is_dir():
        product = _open_folder(path)
    elif path.is_file():
        product = _open_zip(path)
    else:
        raise InputError(f"{path}: no such file or folder")
    if product.name.kind != "SLC":
        raise InputError(f"{path}: a {product.name.kind} product; interferometry needs an SLC")
    if not product.channels:
        raise InputError(f"{path}: holds no annotation of a swath")
    return product


def _open_folder(path: Path) -> SafeProduct:
    members = {
        str(file.relative_to(path).as_posix()): file.stat().st_size
        for file in path.rglob("*")
        if file.is_file()
    }
    return SafeProduct(
        path, parse_name(path.resolve().name), members, lambda member: (path / member).read_bytes()
    )


def _open_zip(path: Path) -> SafeProduct:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry.file_size for entry in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{path}: not a whole zip ({error}); fetch it again") from error
    roots = {name.split("/")[0] for name in entries if ".SAFE/" in name}
    if len(roots) != 1:
        raise InputError(f"{path}: holds {len(roots)} SAFE products; one is needed")
    root = roots.pop()

    def read(member: str) -> bytes:
        with zipfile.ZipFile(path) as archive, archive.open(f"{root}/{member}") as file:
            # The declared size may lie; what is read may not.
            return file.read(MAX_BYTES + 1)

    members = {
        name.removeprefix(f"{root}/"): size
        for name, size in entries.items()
        if name.startswith(f"{root}/") and not name.endswith("/")
    }
    return SafeProduct(path, parse_name(root), members, read)
