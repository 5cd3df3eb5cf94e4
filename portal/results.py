"""The files of results: only those that the catalogue names, and only as they were written.

Nothing that a user wrote becomes part of a path: it is compared with what the catalogue holds, and
the path is the catalogue's. QGIS, GDAL and maps ask for a file in hundreds of pieces, so what the
catalogue said is known for some seconds; the file itself is looked at each time.
"""

import os
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fastapi import HTTPException

from geobservatory.catalog.database import Catalog
from geobservatory.catalog.interferograms import File
from geobservatory.engines.publish import products_folder
from geobservatory.errors import NotFoundError
from geobservatory.products.activation import KMZ, METADATA, SUMS
from geobservatory.products.tiles import LAYERS
from portal.shared import Places, Shared

_KNOWN_S, _MOST_KNOWN = 10.0, 2000
_TYPES = {
    ".tif": "image/tiff; application=geotiff; profile=cloud-optimized",
    ".kmz": "application/vnd.google-earth.kmz",
    ".json": "application/json",
    ".png": "image/png",
}
_Key = tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """A result, and its files by role."""

    name: str
    activation: str
    folder: str
    files: Mapping[str, File]


class ResultFiles:
    """Finds results, and their files.

    Parameters
    ----------
    shared
        Of the portal.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._products = products_folder(shared.settings.data_dir)
        self._looking = Places(8)
        self._known: dict[_Key, tuple[float, Result]] = {}

    async def product(self, identifier: str) -> Result:
        """Find a result by its identifier, whatever its state.

        Raises
        ------
        NotFoundError
            If there is none.
        """

        def find(catalog: Catalog) -> dict[_Key, Result]:
            found = catalog.browsed_product(identifier)
            made = found.interferogram
            result = Result(made.id, found.activation_id, made.folder, made.files)
            return {("product", made.id): result}

        return await self._find(("product", identifier), find, f"there is no product {identifier}")

    async def map(self, activation: str, name: str) -> Result:
        """Find a map of an activation by the name of its folder, superseded or not.

        Raises
        ------
        NotFoundError
            If there is none of that name.
        """

        def find(catalog: Catalog) -> dict[_Key, Result]:
            made = [
                Result(one.folder.rpartition("/")[2], activation, one.folder, one.files)
                for one in catalog.interferograms(catalog.browsed_activation(activation).id)
                if one.state in ("complete", "superseded")
            ]
            return {("map", activation, one.name): one for one in made}

        missing = f"{activation} has no map {name[:100]!r}"
        return await self._find(("map", activation, name), find, missing)

    async def item(self, name: str) -> Result:
        """Find a complete result by what STAC calls it.

        Raises
        ------
        NotFoundError
            If there is none.
        """

        def find(catalog: Catalog) -> dict[_Key, Result]:
            return {
                ("item", one.name): Result(one.name, one.activation_id, "", one.files)
                for one in catalog.results([name])
            }

        return await self._find(("item", name), find, f"there is no result {name[:120]}")

    async def file(self, result: Result, name: str) -> tuple[File, Path]:
        """Give a file of a result, whole.

        Raises
        ------
        NotFoundError
            If it has none of that name.
        HTTPException
            404 if it lies elsewhere, 503 if it is not as it was written.
        """
        file = next((one for one in result.files.values() if file_name(one) == name), None)
        if file is None and name == KMZ and result.folder:
            file = await self._looking.do(lambda: kmz_of(self._products, result.folder))
        if file is None:
            raise NotFoundError(f"{result.name} has no file {name[:100]!r}")
        return file, await self._looking.do(
            lambda: whole_file(self._products, file.path, file.size)
        )

    async def layer(self, result: Result, layer: str) -> Path:
        """Give the file of a layer, whole.

        Raises
        ------
        NotFoundError, HTTPException
            If the result has no such layer; as `file`.
        """
        file = result.files.get(LAYERS[layer].file) if layer in LAYERS else None
        if file is None:
            raise NotFoundError(f"{result.name} has no layer {layer[:40]!r}")
        return await self._looking.do(lambda: whole_file(self._products, file.path, file.size))

    async def sums(self, activation: str) -> Path:
        """Give the list of checksums of an activation's files.

        Raises
        ------
        NotFoundError, HTTPException
            If there is no such activation; as `file`.
        """
        own = await self._shared.ask(lambda catalog: catalog.browsed_activation(activation))
        if not (self._products / own.id / SUMS).is_file():
            raise NotFoundError("there are no files yet")
        return await self._looking.do(lambda: whole_file(self._products, f"{own.id}/{SUMS}"))

    async def _find(
        self, key: _Key, find: Callable[[Catalog], dict[_Key, Result]], missing: str
    ) -> Result:
        at, known = self._known.get(key, (0.0, None))
        if known is not None and time.monotonic() - at < _KNOWN_S:
            return known
        found = await self._shared.ask(find)
        if len(self._known) + len(found) > _MOST_KNOWN:
            self._known.clear()
        now = time.monotonic()
        self._known.update((one, (now, result)) for one, result in found.items())
        if key not in found:
            raise NotFoundError(missing)
        return found[key]


def whole_file(products: Path, place: str, size: int | None = None) -> Path:
    """Name a file that is there, under the folder of products, and of its size where that is known.

    Raises
    ------
    HTTPException
        404 if it lies elsewhere, as where a link leads; 503 if it is not as it was written.
    """
    path = (products / place).resolve()
    if not path.is_relative_to(products.resolve()):
        raise HTTPException(404, "there is no such file")
    try:
        found = os.lstat(path)
    except OSError:
        found = None
    if found is None or not stat.S_ISREG(found.st_mode) or size not in (None, found.st_size):
        raise HTTPException(503, "the file is not there just now, or damaged; it is made again")
    return path


def file_name(file: File) -> str:
    """Give the name of a file, without its folder."""
    return PurePosixPath(file.path).name


def media_type(name: str) -> str:
    """Tell what a file is by its name."""
    if name == METADATA:
        return "application/geo+json"
    return _TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")


def kmz_of(products: Path, folder: str) -> File | None:
    """Find the KMZ of a map, which is in no catalogue: the list of checksums has it."""
    place = products / folder / KMZ
    try:
        lines = (place.parents[1] / SUMS).read_text(encoding="utf-8").splitlines()
        listed = {line[66:]: line[:64] for line in lines if len(line) > 66}
        digest = listed.get(f"{place.parent.name}/{KMZ}")
        size = place.stat().st_size
    except (OSError, UnicodeDecodeError):
        return None
    return None if digest is None else File(f"{folder}/{KMZ}", size, digest)
