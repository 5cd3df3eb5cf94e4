"""The page of an activation: one HTML file that needs no network but for the base map.

Layers are in it as numbers, not as pictures: the page colours them, and says the value under the
cursor. Displacement is kept to half a millimetre (more where it is metres), phase to a 64th of a
turn, coherence to 0.01, each on a grid of at most 512 cells a side.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from numpy.typing import NDArray

from geobservatory.products.overlays import (
    COHERENCE,
    FRINGES,
    MOTION,
    Overlay,
    read_overlay,
    table_of,
)

if TYPE_CHECKING:
    from geobservatory.products.activation import ActivationPage, ShownMap

_MOST_CELLS = 512
_NOTHING = -32768
_STEP_M = 0.0005
_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Map:
    """A map as the page has it; both None where it cannot be shown."""

    shown: "ShownMap"
    item: Mapping[str, Any] | None
    overlay: Overlay | None
    problem: str = ""

    @classmethod
    def read(cls, shown: "ShownMap", item: Mapping[str, Any], folder: Path) -> "Map":
        """Read the layers of a finished interferogram."""
        return cls(shown, item, read_overlay(folder, "EPSG:3857", _MOST_CELLS))


def render(about: "ActivationPage", maps: Sequence[Map]) -> str:
    """Write the page."""
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["utc"] = lambda time: f"{time:%Y-%m-%d %H:%M} UTC"
    environment.filters["day"] = lambda time: f"{time:%Y-%m-%d}"
    environment.filters["megabytes"] = lambda size: f"{size / 1e6:.1f} MB"
    return environment.get_template("activation.html").render(
        about=about,
        maps=maps,
        data=_script_safe(_data(about, maps)),
        leaflet=_leaflet("leaflet.js"),
        leaflet_style=_leaflet("leaflet.css"),
        script=(_TEMPLATES / "page.js").read_text(encoding="utf-8"),
        style=(_TEMPLATES / "page.css").read_text(encoding="utf-8"),
    )


def _data(about: "ActivationPage", maps: Sequence[Map]) -> dict[str, Any]:
    """Give what the page's script works on."""
    return {
        "area": about.area,
        "events": [
            {"title": one.title, "lat": one.latitude, "lon": one.longitude} for one in about.events
        ],
        "passes": [
            {
                "label": f"{one.time:%Y-%m-%d %H:%M} UTC, track {one.relative_orbit}",
                "footprint": one.footprint,
            }
            for one in about.passes
        ],
        "colours": {
            "displacement": table_of(MOTION),
            "phase": table_of(FRINGES),
            "coherence": table_of(COHERENCE),
        },
        "maps": [
            _layers(one.shown.folder, one.overlay, one.item)
            for one in maps
            if one.overlay is not None and one.item is not None
        ],
    }


def _layers(folder: str, overlay: Overlay, item: Mapping[str, Any]) -> dict[str, Any]:
    west, south, east, north = overlay.bounds
    rows, cols = overlay.phase.shape
    moved = overlay.displacement_m
    step = _STEP_M
    if moved is not None and np.isfinite(moved).any():
        step = max(_STEP_M, float(np.nanmax(np.abs(moved))) / 32000)
    about = item["properties"]
    return {
        "folder": folder,
        "bounds": [[south, west], [north, east]],
        "rows": rows,
        "cols": cols,
        "step_m": step,
        "limit_m": overlay.limit_m,
        "displacement": None if moved is None else _packed(moved / step),
        "phase": _packed(np.rint(overlay.phase / (2 * np.pi) * 64)),
        "coherence": _packed(overlay.coherence * 100),
        "toward": overlay.toward_satellite,
        "incidence": overlay.incidence_deg,
        "direction": about["sat:orbit_state"],
        "footprint": item["geometry"],
    }


def _packed(values: NDArray[Any]) -> str:
    """Pack whole numbers: 16 bits, little-endian, deflated, base64."""
    whole = np.where(np.isfinite(values), np.rint(np.nan_to_num(values)), _NOTHING)
    return base64.b64encode(zlib.compress(whole.astype("<i2").tobytes(), 9)).decode()


def _script_safe(content: Mapping[str, Any]) -> str:
    """Write JSON that no text in it can break out of, wherever in a script it stands."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _leaflet(name: str) -> str:
    """Read a file of the Leaflet that a package of the Python index brings along."""
    found = next(file for file in metadata.files("XStatic-Leaflet") or [] if file.name == name)
    text = found.read_text(encoding="utf-8")
    # Nothing beside the page: no pictures of markers, no map of the source.
    lines = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL")]
    return "\n".join(lines).replace("</script", "<\\/script")
