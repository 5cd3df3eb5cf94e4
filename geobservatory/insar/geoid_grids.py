"""Where grids of the geoid are found: PROJ's folders, dem-stitcher, the cache, PROJ's network.

The grids are those PROJ distributes (public domain, from NGA's models): EGM96 at 15', EGM2008 at
2.5'. Neither is part of this program. Nothing takes the place of a grid that cannot be had: EGM96
for EGM2008 would be off by about 0.5 m rms and by up to some 10 m.
"""

import importlib.util
import json
import os
from pathlib import Path

from pyproj.datadir import get_data_dir, get_user_data_dir

from geobservatory.errors import InputError, NotFoundError, TransientError
from geobservatory.fetch import Wait, fetch, folder_name, intact
from geobservatory.insar.geoid import Geoid, read_geoid

GRIDS_ADDRESS = "https://cdn.proj.org"
_NAMES = {
    "EGM96": ("us_nga_egm96_15.tif", "egm96_15.gtx"),
    "EGM2008": ("us_nga_egm08_25.tif", "egm08_25.gtx"),
}


def load_geoid(model: str, cache: Path, address: str, wait: Wait) -> Geoid:
    """Find the grid of a model, fetching it once where it is not on this machine.

    Parameters
    ----------
    model
        EGM96 or EGM2008.
    cache
        Folder for what is fetched.
    address
        Base address of the grids and of their list, `files.geojson`; where it is not PROJ's own,
        grids of this machine are not looked at.
    wait
        Waits so many seconds between attempts.

    Raises
    ------
    InputError
        If the model is not known, a grid is damaged, or the server has none.
    TransientError
        If it is not on this machine and the server cannot be reached.
    """
    if model not in _NAMES:
        raise InputError(f"{model} is no known geoid; there are {' and '.join(_NAMES)}")
    # Who names a server of their own means its grids, not those of this machine.
    for folder in _folders() if address == GRIDS_ADDRESS else []:
        for name in _NAMES[model]:
            if (folder / name).is_file():
                return read_geoid(folder / name, model)
    name = _NAMES[model][0]
    remedy = f"`pyproj sync --file {name}` fetches it; or put {name} into {get_user_data_dir()}"
    try:
        return read_geoid(_fetched(name, cache, address, wait), model)
    except TransientError as error:
        raise TransientError(f"the grid of {model} is not to be had: {error}; {remedy}") from error
    except NotFoundError as error:
        raise InputError(f"the grid of {model} is not to be had: {error}; {remedy}") from error


def _folders() -> list[Path]:
    proj = [Path(get_user_data_dir()), *map(Path, get_data_dir().split(os.pathsep))]
    # Found without importing it: only its file is wanted.
    stitcher = importlib.util.find_spec("dem_stitcher")
    if stitcher is not None and stitcher.origin is not None:
        proj.append(Path(stitcher.origin).parent / "data")
    return proj


def _fetched(name: str, cache: Path, address: str, wait: Wait) -> Path:
    address = address.rstrip("/")
    path = cache / "grids" / folder_name(address) / name
    if intact(path):
        return path
    # The list as it is now: the sum of an older one would refuse a newer grid for good.
    known = path.with_name("files.geojson")
    fetch(f"{address}/files.geojson", known, _check_list, wait)
    sums = _sums(known)
    if name not in sums:
        raise NotFoundError(f"{address}/files.geojson does not list {name}")
    fetch(f"{address}/{name}", path, _check_grid, wait, sums[name])
    return path


def _sums(path: Path) -> dict[str, str]:
    listed = [feature["properties"] for feature in json.loads(path.read_bytes())["features"]]
    return {one["name"]: one["sha256sum"] for one in listed if "sha256sum" in one}


def _check_list(path: Path) -> None:
    try:
        _sums(path)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"no list of PROJ's grids: {error}") from None


def _check_grid(path: Path) -> None:
    read_geoid(path, "")
