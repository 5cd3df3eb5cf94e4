"""What the ASF's burst service says of a product: one XML, taken apart into its documents.

The XML as hyp3-isce2 and burst2safe read it: ``<burst>`` with ``<manifest>`` and ``<metadata>``,
in which each document of a polarisation stands as ``<content>`` with the name of its file.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from geobservatory.errors import InputError
from geobservatory.sentinel1.manifest import Listed, listed_files
from geobservatory.sentinel1.xml import MAX_BYTES, parse
from geobservatory.transfer.source import HubUnreachableError, Reply, Source

_FOLDERS = {
    "product": "annotation",
    "calibration": "annotation/calibration",
    "noise": "annotation/calibration",
    "rfi": "annotation/rfi",
}
_FILE = re.compile(r"[a-z0-9-]{20,120}\.xml")
# Ways in which the first line of a document is written, and its end.
_HEADS = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n',
    b"<?xml version='1.0' encoding='UTF-8'?>\n",
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n',
    b'<?xml version="1.0" encoding="UTF-8"?>',
    b"",
)
_TAILS = (b"\n", b"")


@dataclass(frozen=True)
class Document:
    """A small file that is here; see `Source`."""

    hub: str
    name: str
    content: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def checksums(self) -> Mapping[str, str]:
        """None: nobody tells them."""
        return {}

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """Give the bytes; see `Source.open`."""
        chunks = iter([self.content[first_byte:stop]])
        return Reply(first_byte, len(self.content), chunks, lambda: None)


@dataclass(frozen=True)
class BurstMetadata:
    """What one such XML holds.

    Attributes
    ----------
    manifest
        Of the product. Where a document is not the product's own to the byte, it says nothing of
        the documents' length and checksum.
    documents
        Name inside the product (``annotation/…``) to content.
    """

    manifest: bytes
    documents: dict[str, bytes]


def read_burst_metadata(content: bytes, file: str) -> BurstMetadata:
    """Take it apart.

    Parameters
    ----------
    file
        Its name, for errors.

    Raises
    ------
    InputError
        If it is damaged, or not of that kind.
    """
    parse(content, file)
    # Comments and all: it may be the product's documents to the byte.
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    package = root.find("manifest/*")
    entries = [node for node in root.findall("metadata/*") if node.tag in _FOLDERS]
    if package is None or not entries:
        raise InputError(f"{file}: holds no manifest, or nothing of its metadata")
    manifest = _HEADS[0] + _written(package) + b"\n"
    listed = listed_files(parse(manifest, f"{file}: manifest"))
    documents, true = {}, True
    for node in entries:
        name, body = node.get("source_filename", ""), node.find("content")
        if body is None or not _FILE.fullmatch(name):
            raise InputError(f"{file}: a {node.tag} without content, or named {name[:80]!r}")
        body.tag = node.tag
        member = f"{_FOLDERS[node.tag]}/{name}"
        documents[member], right = _document(_written(body), listed.get(member))
        true = true and right
    return BurstMetadata(manifest if true else _without_documents(package), documents)


def read_whole(source: Source) -> bytes:
    """Fetch a document.

    Raises
    ------
    HubUnreachableError
        If it is larger than any, or fails.
    HubBusyError, HubRefusedError, ProductOfflineError, ProductGoneError
        As `Source.open` does.
    """
    reply = source.open()
    try:
        content = bytearray()
        for piece in reply.chunks:
            content += piece
            if len(content) > MAX_BYTES:
                raise HubUnreachableError(f"{source.name} from {source.hub}: it has no end")
        return bytes(content)
    finally:
        reply.close()


def _document(body: bytes, listed: Listed | None) -> tuple[bytes, bool]:
    """Write a document as the manifest lists it, if that can be; tells whether it could."""
    for head in _HEADS:
        for tail in _TAILS:
            written = head + body + tail
            if listed is None or listed.size not in (None, len(written)):
                continue
            digest = hashlib.md5(written, usedforsecurity=False).hexdigest()
            if listed.md5 in (None, digest):
                return written, True
    return _HEADS[0] + body + b"\n", listed is None


def _without_documents(package: etree._Element) -> bytes:
    for stream in package.findall("dataObjectSection/dataObject/byteStream"):
        place = stream.find("fileLocation")
        if place is not None and place.get("href", "").endswith(".xml"):
            stream.attrib.pop("size", "")
            for checksum in stream.findall("checksum"):
                stream.remove(checksum)
    return _HEADS[0] + _written(package) + b"\n"


def _written(node: etree._Element) -> bytes:
    return bytes(etree.tostring(node, encoding="UTF-8", xml_declaration=False, with_tail=False))
