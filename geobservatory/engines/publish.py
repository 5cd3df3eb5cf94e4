"""A finished interferogram as the catalogue has it: files with checksums, and its provenance."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geobservatory.catalog.interferograms import File, Interferogram
from geobservatory.engines.request import Result
from geobservatory.engines.work import METADATA
from geobservatory.sentinel1.safe import open_product

_MULTIHASH_SHA256 = "1220"


def products_folder(data_dir: Path) -> Path:
    """Name the folder that holds a folder for each activation."""
    return data_dir / "products"


def files_of(result: Result, products: Path) -> dict[str, File]:
    """List the files of a result by role: the name of a layer, ``quicklook``, ``metadata``."""
    found = {}
    for name, asset in result.item["assets"].items():
        path = result.folder / name
        digest = asset["file:checksum"].removeprefix(_MULTIHASH_SHA256)
        found[path.stem] = File(str(path.relative_to(products)), asset["file:size"], digest)
    metadata = result.folder / METADATA
    place = str(metadata.relative_to(products))
    found["metadata"] = File(place, metadata.stat().st_size, _sha256(metadata))
    return found


def is_whole(made: Interferogram, products: Path) -> bool:
    """Tell whether every file of an interferogram is there, and is what was written."""
    return bool(made.files) and all(
        (products / one.path).is_file()
        and (products / one.path).stat().st_size == one.size
        and _sha256(products / one.path) == one.sha256
        for one in made.files.values()
    )


def provenance(
    result: Result, images: Sequence[Path], flow_run_id: str | None
) -> Mapping[str, Any]:
    """Say where all came from: inputs with checksums, orbits, heights, software, flow run."""
    about = result.item["properties"]
    return {
        "software": about["processing:software"],
        "engine": about["geobs:engine"],
        "reference": about["geobs:reference"],
        "secondary": about["geobs:secondary"],
        "images": {path.name: _manifest(path) for path in images},
        "orbit_files": about["geobs:orbit_files"],
        "dem": about["geobs:dem"],
        "flow_run_id": flow_run_id,
    }


def _manifest(path: Path) -> str:
    """Checksum of a product's manifest, which holds those of all its files."""
    return hashlib.sha256(open_product(path).read("manifest.safe")).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
