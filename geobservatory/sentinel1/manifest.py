"""What a product's manifest lists: its files, how long they are, and their checksums."""

from dataclasses import dataclass

from geobservatory.sentinel1.xml import Element


@dataclass(frozen=True)
class Listed:
    """A file as the manifest has it; None for what it does not say.

    Attributes
    ----------
    size
        Bytes.
    md5
        Lower-case hexadecimal digits.
    """

    size: int | None
    md5: str | None


def listed_files(manifest: Element) -> dict[str, Listed]:
    """List the files of a product: name inside it (``annotation/…``) to what is said of it."""
    found = {}
    for node in manifest.all("dataObjectSection/dataObject/byteStream"):
        place, size, checksum = node.find("fileLocation"), node.attribute("size"), None
        href = place.attribute("href") if place is not None else None
        if (sum_ := node.find("checksum")) is not None and sum_.attribute("checksumName") == "MD5":
            checksum = sum_.text().strip().lower()
        whole = int(size) if size is not None and size.isdecimal() and len(size) < 19 else None
        found[(href or "").removeprefix("./")] = Listed(whole, checksum)
    return found
