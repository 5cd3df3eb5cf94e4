"""For the tests of heights: rasters of planes, geoid grids, and a server that fails as told."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from geobservatory.insar.glo30 import tile_name

Surface = Callable[[Any, Any], Any]
Fault = Callable[[bytes], Iterable[bytes]]
# Cells a degree of a practice tile; its longitudes thin out as GLO-30's do.
CELLS = 60


def plane(longitude: Any, latitude: Any) -> Any:
    """Metres; small, so that float32 holds it to 1e-4."""
    return 300.0 + 4.0 * longitude - 7.0 * latitude


def geoid(longitude: Any, latitude: Any) -> Any:
    """Undulations of a shifted sphere, which any smooth interpolation gets right."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    return 12 + 30 * np.sin(lat) + 20 * np.cos(lat) * np.cos(lon) - 8 * np.cos(lat) * np.sin(lon)


def raster(
    west: float,
    north: float,
    steps: tuple[float, float],
    shape: tuple[int, int],
    surface: Surface = plane,
    crs: str | None = "EPSG:4326",
    **profile: Any,
) -> bytes:
    """Write a GeoTIFF whose first cell is centred on a place; returns the file's bytes."""
    rows, cols = shape
    x = west + steps[0] * np.arange(cols)
    y = north - steps[1] * np.arange(rows)
    values = np.broadcast_to(np.asarray(surface(x[None, :], y[:, None])), shape)
    to_ground = Affine(steps[0], 0, west - steps[0] / 2, 0, -steps[1], north + steps[1] / 2)
    return geotiff(values, to_ground, crs, **profile)


def geotiff(values: NDArray[Any], to_ground: Affine, crs: str | None, **profile: Any) -> bytes:
    """Write an array as a GeoTIFF."""
    tags, unit = profile.pop("tags", {}), profile.pop("unit", None)
    scale = profile.pop("scale", None)
    profile = {"dtype": "float32", "count": 1, "GEOTIFF_VERSION": "1.1", **profile}
    rows, cols = values.shape
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", height=rows, width=cols, crs=crs, transform=to_ground, **profile
        ) as file:
            for band in range(1, profile["count"] + 1):
                file.write(values.astype(profile["dtype"]), band)
            file.update_tags(**tags)
            if unit:
                file.units = [unit]
            if scale:
                file.scales = [scale]
        return bytes(memory.read())


def tile(west: int, south: int, surface: Surface = plane) -> bytes:
    """Make a practice tile named after its south-western corner."""
    nearest = south if south >= 0 else -south - 1
    cols = int(CELLS / (1 if nearest < 50 else 1.5 if nearest < 60 else 2))
    # A tile past 180 is stored on the other side.
    lon = (west + 180) % 360 - 180
    return raster(
        lon,
        south + 1,
        (1 / cols, 1 / CELLS),
        (CELLS, cols),
        lambda x, y: surface(x + (west - lon), y),
        compress="deflate",
        tiled=True,
        blockxsize=16,
        blockysize=16,
    )


def geoid_grid(step: float = 2.0, first: float = -180.0, surface: Surface = geoid) -> bytes:
    """Make a worldwide grid, its nodes on whole steps."""
    shape = (int(180 / step) + 1, int(360 / step))
    return raster(first, 90, (step, step), shape, surface)


class Bucket:
    """What a server holds, how it fails, and what it was asked.

    `faults` maps a path to the answers it gives first: a status, or a function that gives the
    pieces sent in place of the body, whose length and ETag are announced all the same.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[int | Fault]] = {}
        self.headers: dict[str, str] = {}
        self.asked: list[str] = []
        self.address = ""

    def put_tile(self, west: int, south: int, surface: Surface = plane, listed: bool = True) -> str:
        name = tile_name(west, south)
        self.files[f"/{name}/{name}.tif"] = tile(west, south, surface)
        if listed:
            self.list_tile(west, south)
        return f"/{name}/{name}.tif"

    def list_tile(self, west: int, south: int) -> None:
        before = self.files.get("/tileList.txt", b"")
        self.files["/tileList.txt"] = before + f"{tile_name(west, south)}\r\n".encode()

    def put_grid(self, content: bytes, name: str = "us_nga_egm08_25.tif") -> None:
        self.files[f"/{name}"] = content
        properties = {"name": name, "sha256sum": hashlib.sha256(content).hexdigest()}
        listing = {"type": "FeatureCollection", "features": [{"properties": properties}]}
        self.files["/files.geojson"] = json.dumps(listing).encode()


@contextmanager
def serving(bucket: Bucket) -> Iterator[Bucket]:
    """Serve a bucket on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            bucket.asked.append(self.path)
            faults = bucket.faults.get(self.path, [])
            fault = faults.pop(0) if faults else None
            body = bucket.files.get(self.path)
            if isinstance(fault, int) or body is None:
                self.send_response(fault if isinstance(fault, int) else 404)
                for name, value in bucket.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
            self.send_header("ETag", f'"{md5}"')
            self.end_headers()
            for piece in fault(body) if fault else [body]:
                self.wfile.write(piece)
                self.wfile.flush()
            self.close_connection = True

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    bucket.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def written(path: Path, content: bytes) -> Path:
    """Put bytes into a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def truth_error(dem: Any, surface: Surface, bounds: tuple[float, float, float, float]) -> float:
    """Largest error of a DEM on a dense net over a box, metres; NaN counts as infinite."""
    west, south, east, north = bounds
    lon = np.linspace(west, east, 401)[None, :]
    lat = np.linspace(south, north, 403)[:, None]
    off = np.abs(dem.sample(lat, lon) - surface(lon, lat))
    return float(np.where(np.isnan(off), np.inf, off).max())
