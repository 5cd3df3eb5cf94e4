"""Read the XML of a product without trusting it: no entities, no network, no endless documents.

Every reader names the file and the element in its error, so that a damaged download is told from a
format this program does not know.
"""

import math
import re

import numpy as np
from lxml import etree

from geobservatory.errors import InputError

# The largest annotation of real products is some 3 MB.
MAX_BYTES = 64_000_000

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z?")


class Element:
    """An element of a document that knows the file it came from."""

    def __init__(self, node: etree._Element, file: str) -> None:
        self._node, self._file = node, file

    @property
    def name(self) -> str:
        """Name without its namespace."""
        return str(etree.QName(self._node).localname)

    def find(self, path: str) -> "Element | None":
        """Find the first element on a path below, or None."""
        node = self._node.find(path)
        return None if node is None else Element(node, self._file)

    def one(self, path: str) -> "Element":
        """Find the first element on a path below; `InputError` where there is none."""
        found = self.find(path)
        if found is None:
            raise InputError(f"{self._file}: {self._where()}/{path} is missing")
        return found

    def all(self, path: str) -> "list[Element]":
        """Find all elements on a path below."""
        return [Element(node, self._file) for node in self._node.findall(path)]

    def attribute(self, name: str) -> str | None:
        """Read an attribute, or None."""
        value = self._node.get(name)
        return None if value is None else str(value)

    def text(self, path: str = ".") -> str:
        """Read the text of an element."""
        return (self.one(path)._node.text or "").strip()

    def number(self, path: str = ".") -> float:
        """Read a finite number."""
        text = self.text(path)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.fault(path, f"{text[:40]!r} is not a finite number")
        return value

    def integer(self, path: str = ".") -> int:
        """Read a whole number that fits 63 bits."""
        text = self.text(path)
        if not re.fullmatch(r"[+-]?\d{1,18}", text):
            raise self.fault(path, f"{text[:40]!r} is not a whole number")
        return int(text)

    def numbers(self, path: str = ".") -> np.ndarray:
        """Read a list of finite numbers separated by blanks, as float64."""
        text = self.text(path)
        try:
            values = np.array(text.split(), dtype=np.float64)
        except ValueError as error:
            raise self.fault(path, f"not a list of numbers: {error}") from error
        if not np.isfinite(values).all():
            raise self.fault(path, "holds a number that is not finite")
        return values

    def time(self, path: str = ".") -> np.datetime64:
        """Read a UTC time, exact to the nanosecond."""
        text = self.text(path)
        match = _TIME.fullmatch(text)
        try:
            if match is None:
                raise ValueError
            whole = np.datetime64(match[1], "ns")
        except ValueError:
            raise self.fault(path, f"{text[:40]!r} is not a time") from None
        return whole + np.timedelta64(int((match[2] or "0").ljust(9, "0")), "ns")

    def fault(self, path: str, reason: str) -> InputError:
        """Make the error that names this file, and the element on a path below."""
        return InputError(f"{self._file}: {self._where()}/{path}: {reason}")

    def _where(self) -> str:
        return str(self._node.getroottree().getpath(self._node))


def parse(content: bytes, file: str) -> Element:
    """Parse a document.

    Parameters
    ----------
    content
        The document.
    file
        Its name, for errors.

    Raises
    ------
    InputError
        If it is not well-formed, too large, or declares entities.
    """
    if len(content) > MAX_BYTES:
        raise InputError(f"{file}: larger than {MAX_BYTES} bytes; this is no annotation")
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise InputError(f"{file}: declares a document type, which no product does")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        return Element(etree.fromstring(content, parser), file)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise InputError(f"{file}: not well-formed XML ({error}); fetch it again") from error
