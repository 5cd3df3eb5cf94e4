"""The files inside a product that a hub serves as nodes: DHuS, Copernicus Data Space."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from threading import Lock

from geobservatory.errors import InputError
from geobservatory.sentinel1.xml import MAX_BYTES, parse
from geobservatory.transfer.http import HttpSource
from geobservatory.transfer.source import HubUnreachableError, ProductGoneError, Source

_MANIFEST = "manifest.safe"
_MEMBER = re.compile(r"(?:[A-Za-z0-9._+-]+/)*[A-Za-z0-9._+-]+")


@dataclass(frozen=True)
class NodesInside:
    """See `Inside`. What is there is told by the manifest: one question in place of one a folder.

    Attributes
    ----------
    whole
        The product for download; its address ends in ``/$value``.
    quote
        What is put about a node's name.
    """

    name: str
    hub: str
    whole: HttpSource
    quote: str = ""
    _lock: Lock = field(default_factory=Lock, init=False, repr=False, compare=False)
    _kept: dict[str, tuple[int, Mapping[str, str]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def members(self) -> Mapping[str, int]:
        """See `Inside.members`."""
        return {member: size for member, (size, _) in self._listed.items()}

    def source(self, member: str) -> Source:
        """See `Inside.source`."""
        if member not in self._listed:
            raise ProductGoneError(f"{self.name} from {self.hub}: it holds no {member}")
        size, checksums = self._listed[member]
        return self._node(member, size, checksums)

    def _node(self, member: str, size: int | None, checksums: Mapping[str, str]) -> HttpSource:
        parts = (f"{self.name}.SAFE", *member.split("/"))
        nodes = "".join(f"/Nodes({self.quote}{part}{self.quote})" for part in parts)
        address = f"{self.whole.address.removesuffix('/$value')}{nodes}/$value"
        return replace(self.whole, name=member, address=address, size=size, checksums=checksums)

    @property
    def _listed(self) -> dict[str, tuple[int, Mapping[str, str]]]:
        # Not `cached_property`: before Python 3.12 one product's manifest waits for all others'.
        with self._lock:
            if not self._kept:
                self._kept.update(self._read())
            return self._kept

    def _read(self) -> dict[str, tuple[int, Mapping[str, str]]]:
        content = self._manifest()
        found: dict[str, tuple[int, Mapping[str, str]]] = {_MANIFEST: (len(content), {})}
        what = f"{self.name} from {self.hub}: {_MANIFEST}"
        try:
            for node in parse(content, what).all("dataObjectSection/dataObject/byteStream"):
                place, checksum = node.find("fileLocation"), node.find("checksum")
                member = ((place and place.attribute("href")) or "").removeprefix("./")
                size = node.attribute("size") or ""
                if _MEMBER.fullmatch(member) and ".." not in member and size.isdecimal():
                    told = checksum is not None and checksum.attribute("checksumName") == "MD5"
                    md5 = {"md5": checksum.text().lower()} if told and checksum else {}
                    found[member] = int(size), md5
        except InputError as error:
            raise HubUnreachableError(str(error)) from error
        if len(found) == 1:
            raise HubUnreachableError(f"{what} lists no files")
        return found

    def _manifest(self) -> bytes:
        reply = self._node(_MANIFEST, None, {}).open()
        try:
            content = bytearray()
            for piece in reply.chunks:
                content += piece
                if len(content) > MAX_BYTES:
                    raise HubUnreachableError(
                        f"{self.name} from {self.hub}: a manifest without end"
                    )
            return bytes(content)
        finally:
            reply.close()
