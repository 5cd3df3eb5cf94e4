"""Nested Python values as the XML of products: the names, counts and number formats of ESA's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from lxml import etree


class Items:
    """A list of elements of one name, under an element that counts them."""

    def __init__(self, name: str, values: Sequence[Any]) -> None:
        self.name, self.values = name, values


def document(name: str, content: Mapping[str, Any]) -> bytes:
    """Write a document with root element `name`."""
    return bytes(
        etree.tostring(
            element(name, content), xml_declaration=True, encoding="UTF-8", pretty_print=True
        )
    )


def element(name: str, value: Any) -> etree._Element:
    """Write one element: a mapping holds others, `Items` repeat one, an array is listed."""
    node = etree.Element(name)
    if isinstance(value, Mapping):
        node.extend(element(key, one) for key, one in value.items())
    elif isinstance(value, Items):
        node.set("count", str(len(value.values)))
        node.extend(element(value.name, one) for one in value.values)
    elif isinstance(value, np.ndarray | list | tuple):
        node.set("count", str(len(value)))
        node.text = " ".join(text(one) for one in value)
    else:
        node.text = text(value)
    return node


def text(value: Any) -> str:
    """Write a number, time, flag or word as products have them."""
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[us]"))
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            raise ValueError(f"{value} has no place in an annotation")
        return f"{value:.15e}"
    return str(value)
