"""How a DHuS writes OpenSearch results, in JSON; every number in it is a string.

The form is that of recorded conversations.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from geobservatory.hubs.queries.lucene import Kind
from geobservatory.hubs.queries.terms import Fields
from geobservatory.sandbox.servers.dhus_odata import SATELLITE, product_uri
from geobservatory.sandbox.servers.offers import Offered
from geobservatory.sandbox.servers.stock import StockItem
from geobservatory.sandbox.servers.view import View
from geobservatory.sandbox.servers.writing import gml, iso_ms, size_text

# What can be asked for in a query; what only other missions have never matches.
KINDS: Mapping[str, Kind] = {
    **dict.fromkeys(("beginposition", "endposition", "ingestiondate"), "date"),
    **dict.fromkeys(
        (
            "missiondatatakeid",
            "slicenumber",
            "orbitnumber",
            "lastorbitnumber",
            "relativeorbitnumber",
            "lastrelativeorbitnumber",
            "cloudcoverpercentage",
        ),
        "number",
    ),
    **dict.fromkeys(
        (
            "acquisitiontype",
            "filename",
            "format",
            "identifier",
            "instrumentname",
            "instrumentshortname",
            "orbitdirection",
            "platformidentifier",
            "platformname",
            "platformserialidentifier",
            "polarisationmode",
            "processinglevel",
            "productclass",
            "producttype",
            "sensoroperationalmode",
            "size",
            "status",
            "swathidentifier",
            "timeliness",
            "uuid",
        ),
        "text",
    ),
    "footprint": "area",
}


def searchable(offered: Offered) -> Fields:
    """List the fields of a product that a query can ask for."""
    groups = _groups(offered.item)
    return {
        **groups["int"],
        **groups["str"],
        **_dates(offered),
        "footprint": offered.item.footprint,
    }


def feed(
    base: str, query: str, page: list[Offered], total: int, start: int, rows: int, view: View
) -> dict[str, Any]:
    """Write a page of results.

    Parameters
    ----------
    base
        Address of the hub.
    query
        What was asked.
    page
        The results from `start` on, `rows` at most.
    total
        How many there are in all.
    """
    title = "Sentinels Scientific Data Hub"
    shown = (
        f"{total} results"
        if total <= rows
        else (f"{start} to {min(start + rows, total) - 1} of {total} total results")
    )
    links = {"self": start, "first": 0}
    if start > 0:
        links["previous"] = max(start - rows, 0)
    if start + rows < total:
        links["next"] = start + rows
    links["last"] = max(total - 1, 0) if rows else total
    answer: dict[str, Any] = {
        "xmlns:opensearch": "http://a9.com/-/spec/opensearch/1.1/",
        "xmlns": "http://www.w3.org/2005/Atom",
        "title": f"{title} search results for: {query}",
        "subtitle": f"Displaying {shown}. Request done in 0 seconds.",
        "updated": iso_ms(view.now),
        "author": {"name": title},
        "id": f"{base}/search?q={query}",
        "opensearch:totalResults": str(total),
        "opensearch:startIndex": str(start),
        "opensearch:itemsPerPage": str(rows),
        "opensearch:Query": {"role": "request", "searchTerms": query, "startPage": "1"},
        "link": [
            {
                "rel": rel,
                "type": "application/json",
                "href": f"{base}/search?q={query}&start={at}&rows={rows}&format=json",
            }
            for rel, at in links.items()
        ]
        + [
            {
                "rel": "search",
                "type": "application/opensearchdescription+xml",
                "href": "opensearch_description.xml",
            }
        ],
    }
    entries = [_entry(base, one) for one in page]
    if entries:
        # A single result is not put into a list, here as there.
        answer["entry"] = entries if len(entries) > 1 else entries[0]
    return {"feed": answer}


def feed_error(code: int, message: str) -> dict[str, Any]:
    """Write what a DHuS answers, with status 200, to a query it does not understand."""
    return {
        "feed": {
            "xmlns:opensearch": "http://a9.com/-/spec/opensearch/1.1/",
            "xmlns": "http://www.w3.org/2005/Atom",
            "error": {"code": str(code), "message": message},
        }
    }


def _entry(base: str, offered: Offered) -> dict[str, Any]:
    item = offered.item
    uri = product_uri(base, item)
    groups = _groups(item)
    polarisation = groups["str"]["polarisationmode"]
    dates = {name: iso_ms(time) for name, time in _dates(offered).items()}
    return {
        "title": str(item.name),
        "link": [
            {"href": f"{uri}/$value"},
            {"rel": "alternative", "href": f"{uri}/"},
            {"rel": "icon", "href": f"{uri}/Products('Quicklook')/$value"},
        ],
        "id": str(item.uuid),
        "summary": f"Date: {iso_ms(item.start)}, Instrument: SAR-C SAR, Mode: {polarisation}, "
        f"Satellite: {SATELLITE}, Size: {size_text(item)}",
        "ondemand": "false",
        "date": _listed(dates),
        "int": _listed({name: str(value) for name, value in groups["int"].items()}),
        "str": _listed(
            {
                **groups["str"],
                "gmlfootprint": gml(item),
                "footprint": item.footprint.wkt,
                "identifier": str(item.name),
                "uuid": str(item.uuid),
            }
        ),
    }


def _groups(item: StockItem) -> dict[str, dict[str, Any]]:
    name = item.name
    numbers = {
        "missiondatatakeid": int(name.data_take, 16),
        "slicenumber": int(item.facts.get("sliceNumber", 0)),
        "orbitnumber": name.absolute_orbit,
        "lastorbitnumber": name.absolute_orbit,
        "relativeorbitnumber": item.relative_orbit,
        "lastrelativeorbitnumber": item.relative_orbit,
    }
    texts = {
        "sensoroperationalmode": name.mode,
        "swathidentifier": "IW1 IW2 IW3" if name.mode == "IW" else name.mode,
        "orbitdirection": item.direction,
        "producttype": name.kind,
        "platformname": SATELLITE,
        "platformidentifier": item.facts.get("nssdcIdentifier", "0000-000A"),
        "instrumentname": "Synthetic Aperture Radar (C-band)",
        "instrumentshortname": "SAR-C SAR",
        "filename": item.safe,
        "format": "SAFE",
        "productclass": name.product_class,
        "polarisationmode": " ".join(name.polarisations),
        "acquisitiontype": "NOMINAL",
        "status": "ARCHIVED",
        "size": size_text(item),
        "identifier": str(name),
        "uuid": str(item.uuid),
    }
    return {"int": numbers, "str": texts}


def _dates(offered: Offered) -> dict[str, datetime]:
    return {
        "beginposition": offered.item.start,
        "endposition": offered.item.stop,
        "ingestiondate": offered.published,
    }


def _listed(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "content": value} for name, value in values.items()]
