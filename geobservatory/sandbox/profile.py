"""A configuration that points every address of the system at the sandbox's servers."""

import json
from collections.abc import Mapping
from pathlib import Path

from geobservatory.files import written_whole

# The one account that every server of the sandbox knows; no secret.
_ACCOUNT = 'user = "sandbox"\npassword = "sandbox"\n'
# Where nobody listens: better no answer than one of the real world.
_NOBODY = "http://127.0.0.1:9"
_HUBS = {"cdse": "cdse", "rolling": "dhus", "archive": "dhus", "asf": "asf"}


def write_profile(addresses: Mapping[str, str], data_dir: Path, path: Path) -> Path:
    """Write a ``geobs.toml``.

    Parameters
    ----------
    addresses
        Of the servers, by name, as `serve` gives them.
    data_dir
        Where a system with this configuration keeps what is its own.
    """
    wanted = ("orbits", "dem", "emsc", "usgs")
    orbits, dem, emsc, usgs = (addresses.get(name, _NOBODY) for name in wanted)
    heard = "true" if "emsc" in addresses else "false"
    lines = [
        "# Every address of the system, pointed at `geobs sandbox serve`.",
        f"data_dir = {json.dumps(str(data_dir))}",
        "",
        "[orbits]",
        f'address = "{orbits}"',
        "",
        "[dem]",
        'source = "glo30"',
        f'address = "{dem}"',
        f'grids_address = "{dem}"',
        "",
        "[feeds]",
        f"watch = {heard}",
        f'emsc_websocket = "{emsc.replace("http", "ws", 1)}/standing_order/websocket"',
        f'emsc_fdsn = "{emsc}/fdsnws/event/1/query"',
        f'usgs = "{usgs}/earthquakes/feed/v1.0/summary/4.5_day.geojson"',
        f'usgs_fdsn = "{usgs}/fdsnws/event/1/query"',
    ]
    for name, kind in _HUBS.items():
        if name in addresses:
            hub = f'name = "{name}"\nkind = "{kind}"\naddress = "{addresses[name]}"\n{_ACCOUNT}'
            lines += ["", "[[hubs]]", hub.rstrip()]
    with written_whole(path) as beside:
        beside.write_text("\n".join(lines) + "\n")
    return path
