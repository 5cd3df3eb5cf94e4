"""How a DHuS writes OpenSearch results, in JSON and as Atom.

The form of the JSON is that of recorded conversations: every number in it is a text, and a single
result is not put into a list.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from fastapi import Response
from fastapi.responses import JSONResponse

from geobservatory.catalog.listing import Listed
from portal.programs import dhus_fields
from portal.programs.dhus_entities import product_uri

_TITLE = "geObservatory"
_ATOM, _SEARCH = "http://www.w3.org/2005/Atom", "http://a9.com/-/spec/opensearch/1.1/"
_NAMES = {"xmlns:opensearch": _SEARCH, "xmlns": _ATOM}


def feed(
    base: str, query: str, page: Sequence[Listed], total: int, start: int, rows: int
) -> dict[str, Any]:
    """Write a page of results.

    Parameters
    ----------
    base
        Address of this door.
    query
        What was asked.
    page
        The results from `start` on, `rows` at most.
    total
        How many there are in all.
    """
    shown = (
        f"{total} results"
        if total <= rows
        else f"{start} to {min(start + rows, total) - 1} of {total} total results"
    )
    links = {"self": start, "first": 0}
    if start > 0:
        links["previous"] = max(start - rows, 0)
    if start + rows < total:
        links["next"] = start + rows
    links["last"] = max(total - 1, 0) // max(rows, 1) * rows
    answer: dict[str, Any] = {
        **_NAMES,
        "title": f"{_TITLE} search results for: {query}",
        "subtitle": f"Displaying {shown}.",
        "updated": dhus_fields.iso_ms(datetime.now(UTC)),
        "author": {"name": _TITLE},
        "id": f"{base}/search?q={quote(query)}",
        "opensearch:totalResults": str(total),
        "opensearch:startIndex": str(start),
        "opensearch:itemsPerPage": str(rows),
        "opensearch:Query": {"role": "request", "searchTerms": query, "startPage": "1"},
        "link": [
            {
                "rel": rel,
                "type": "application/json",
                "href": f"{base}/search?q={quote(query)}&start={at}&rows={rows}&format=json",
            }
            for rel, at in links.items()
        ],
    }
    entries = [_entry(base, one) for one in page]
    if entries:
        answer["entry"] = entries if len(entries) > 1 else entries[0]
    return {"feed": answer}


def feed_error(message: str) -> dict[str, Any]:
    """Write what a DHuS answers, with status 200, to a query it does not understand."""
    return {"feed": {**_NAMES, "error": {"code": "400", "message": message}}}


def feed_reply(
    made: Mapping[str, Any], form: str, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Answer in JSON, or as Atom."""
    if form == "json":
        return JSONResponse(made, status, headers=headers)
    return Response(_atom(made["feed"]), status, headers=headers, media_type="application/atom+xml")


def _entry(base: str, one: Listed) -> dict[str, Any]:
    uri, texts = product_uri(base, one.id), dhus_fields.texts(one)
    size = f", Size: {texts['size']}" if "size" in texts else ""
    dates = {name: dhus_fields.iso_ms(time) for name, time in dhus_fields.dates(one).items()}
    del dates["creationdate"]
    return {
        "title": one.product.name,
        "link": [
            {"href": f"{uri}/$value"},
            {"rel": "alternative", "href": f"{uri}/"},
            {"rel": "icon", "href": f"{uri}/Products('Quicklook')/$value"},
        ],
        "id": str(one.id),
        "summary": f"Date: {dhus_fields.iso_ms(one.product.start)}, Instrument: SAR-C SAR, Mode:"
        f" {texts['polarisationmode']}, Satellite: {dhus_fields.SATELLITE}{size}",
        "ondemand": "false",
        "date": _listed(dates),
        "int": _listed({name: str(value) for name, value in dhus_fields.numbers(one).items()}),
        "str": _listed(
            {
                **texts,
                "gmlfootprint": dhus_fields.gml(one.product.footprint),
                "footprint": one.product.footprint.wkt,
            }
        ),
    }


def _listed(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "content": value} for name, value in values.items()]


def _atom(made: Mapping[str, Any]) -> bytes:
    """Write the same as Atom."""
    ElementTree.register_namespace("", _ATOM)
    ElementTree.register_namespace("opensearch", _SEARCH)
    root = ElementTree.Element(f"{{{_ATOM}}}feed")
    _add(root, made)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _add(parent: ElementTree.Element, content: Mapping[str, Any]) -> None:
    for name, value in content.items():
        if name.startswith("xmlns"):
            continue
        space, _, local = name.rpartition(":")
        tag = f"{{{_SEARCH if space else _ATOM}}}{local}"
        for one in value if isinstance(value, list) else [value]:
            element = ElementTree.SubElement(parent, tag)
            if not isinstance(one, Mapping):
                element.text = str(one)
            elif name in ("author", "entry", "error"):
                _add(element, one)
            else:
                element.attrib.update({key: text for key, text in one.items() if key != "content"})
                element.text = one.get("content")
