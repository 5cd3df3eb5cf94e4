"""How far a finished interferogram is from what is true of the simulated pass."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from geobservatory.errors import NotFoundError

# Where the ground itself changed more than this between the dates, phase says little.
_COHERENT = 0.6


@dataclass(frozen=True)
class Comparison:
    """Displacement along the line of sight against the truth, millimetres.

    Motion counts from the median, as the product's does.

    Attributes
    ----------
    cells
        How many were compared: unwrapped in one piece with the most, on ground that stayed.
    share
        Of the cells on such ground.
    moved_mm
        Greatest true motion, with its sign.
    error_mm
        Root mean square of what is left when motion and the sky's delays, which no engine can
        tell from motion, are taken away.
    sky_mm
        Root mean square of those delays.
    """

    cells: int
    share: float
    moved_mm: float
    error_mm: float
    sky_mm: float


def compare(made: Path, world: Path) -> Comparison:
    """Compare a finished interferogram with the truth of the pass it was made of.

    Parameters
    ----------
    made
        Folder of the result, of whichever engine.
    world
        Folder of the simulation, which holds a folder of truth for each pass.

    Raises
    ------
    NotFoundError
        If the simulation knows no such pair.
    """
    about = json.loads((made / "metadata.json").read_text())["properties"]
    dates = [about[f"geobs:{which}"]["products"][0] for which in ("reference", "secondary")]
    truth, first, second, spans = _find(world, dates)
    with (
        rasterio.open(made / "los_displacement.tif") as displacement,
        rasterio.open(made / "connected_components.tif") as components,
        rasterio.open(truth / "map.tif") as known,
    ):
        names = list(known.descriptions)

        def band(name: str) -> NDArray[np.float64]:
            asked = {
                "crs": displacement.crs,
                "transform": displacement.transform,
                "height": displacement.height,
                "width": displacement.width,
                "resampling": Resampling.bilinear,
            }
            with WarpedVRT(known, src_crs="EPSG:4326", **asked) as warped:
                values: NDArray[np.float64] = warped.read(names.index(name) + 1).astype(float)
            return values

        moved = band("los_displacement") if spans else np.zeros(displacement.shape)
        # One a date, in the order of the dates; their numbers are those of the scenario's.
        delays = [one for one in names if one.startswith("delay_")]
        sky = band(delays[first]) - band(delays[second])
        ground = np.isfinite(moved) & (band("coherence") > _COHERENT)
        found = displacement.read(1).astype(float)
        seen = ground & (components.read(1) == 1) & np.isfinite(found)
    if not seen.any():
        return Comparison(0, 0.0, 0.0, np.nan, np.nan)
    error = (found - moved - sky)[seen]
    sky_m, true = (one[seen] - np.median(one[seen]) for one in (sky, moved))
    return Comparison(
        cells=int(seen.sum()),
        share=float(seen.sum() / ground.sum()),
        moved_mm=1e3 * float(true[np.abs(true).argmax()]),
        error_mm=1e3 * float(np.sqrt(np.mean((error - np.median(error)) ** 2))),
        sky_mm=1e3 * float(np.sqrt(np.mean(sky_m**2))),
    )


def _find(world: Path, dates: list[str]) -> tuple[Path, int, int, bool]:
    """Find the truth of two dates: its folder, the number of each, whether the event is between."""
    for path in sorted(world.glob("truth-*/truth.json")):
        about = json.loads(path.read_text())
        for pair in about["pairs"]:
            if [pair["reference"], pair["secondary"]] == dates:
                order: list[str] = []
                for one in about["pairs"]:
                    order += [
                        one[key] for key in ("reference", "secondary") if one[key] not in order
                    ]
                return (
                    path.parent,
                    order.index(dates[0]),
                    order.index(dates[1]),
                    pair["spans_event"],
                )
    raise NotFoundError(f"{world}: knows no pair of {' and '.join(dates)}")
