"""Results as STAC items: found in the catalogue; what lies beside the files is read of a page."""

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

from fastapi import HTTPException

from geobservatory.catalog.results import Made, WantedResults
from geobservatory.engines.publish import products_folder
from geobservatory.products.activation import METADATA
from portal.programs.service import Results
from portal.programs.stac_items import result_item
from portal.programs.stac_query import StacQuery
from portal.results import file_name, whole_file
from portal.shared import Places, Shared

_MOST = 2000


class StacResults:
    """The interferograms that count.

    Parameters
    ----------
    shared
        What the parts of the portal share.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._products = products_folder(shared.settings.data_dir)
        self._reading = Places(2, 30.0)
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def found(self, query: StacQuery) -> Results:
        """List the names of the results that are looked for."""
        wanted = WantedResults(query.area, query.since, query.until, query.ids, query.order)
        return Results(tuple(await self._shared.ask(lambda catalog: catalog.result_names(wanted))))

    async def items(self, base: str, names: list[str]) -> list[dict[str, Any]]:
        """Write results as items, in that order."""
        if not names:
            return []
        made = await self._shared.ask(lambda catalog: catalog.results(names))
        return await self._reading.do(
            lambda: [result_item(base, one, self._written(one)) for one in made]
        )

    def _written(self, made: Made) -> dict[str, Any] | None:
        """Read what lies beside the files; None where it is not there, or is none."""
        file = next((one for one in made.files.values() if file_name(one) == METADATA), None)
        if file is None:
            return None
        if file.sha256 not in self._kept:
            try:
                item = _read(whole_file(self._products, file.path, file.size))
            except (HTTPException, OSError, ValueError):
                return None
            self._kept[file.sha256] = item
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return self._kept[file.sha256]


def _read(path: Path) -> dict[str, Any]:
    item: Any = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(item, dict) or "geometry" not in item:
        raise ValueError(f"{path.name}: no STAC item")
    if not all(isinstance(item.get(name), dict) for name in ("properties", "assets")):
        raise ValueError(f"{path.name}: no STAC item")
    return item
