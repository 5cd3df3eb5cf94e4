"""A map as GAMMA's geocoded files: big-endian rasters, ``.dem_par``, and a ``.par`` of each pass.

Signs
-----
GAMMA's interferogram is SLC-1 · conj(SLC-2), so that with the earlier image first phase grows away
from the satellite, as ours does (MintPy's `prep_gamma` takes it so too, and Kite's `Gamma` reader
multiplies by −λ/4π). ``.disp`` is positive toward the satellite. ``lv_theta`` and ``lv_phi`` point
from the ground to the satellite: see `angles`. What is nothing is 0 in all of them.

The ``.par`` of a pass is an ISP image parameter file with what we keep of it; ranges, line times
and state vectors of the radar's own grid are not in it, since nothing here is on that grid.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from geobservatory.products.formats.angles import Floats, elevation_and_orientation
from geobservatory.products.formats.gamma import Parameters, dem_parameters, write_raster
from geobservatory.products.formats.georeference import Georeference
from geobservatory.products.formats.made_map import MadeMap


def write(made: MadeMap, folder: Path) -> list[Path]:
    """Write a map into a folder.

    Raises
    ------
    InputError
        If a layer is missing or damaged, or the map is on no grid that GAMMA's headers know.
    OSError
        If the folder cannot be written.
    """
    stem = folder / "_".join(made.dates)
    described = dem_parameters(Georeference.of(made.grid), f"{made.name}, geObservatory")
    files = [Path(f"{stem}.dem_par")]
    described.write(files[0])
    for ending, values in _rasters(made):
        path = Path(f"{stem}.{ending}")
        write_raster(path, values)
        files.append(path)
    for which, date in zip(("reference", "secondary"), made.dates, strict=True):
        path = folder / f"{date}.par"
        _pass_parameters(made, which).write(path)
        files.append(path)
    return files


def _rasters(made: MadeMap) -> Iterator[tuple[str, np.ndarray]]:
    """Give the rasters by their endings, as GAMMA's users name them."""
    yield "diff", np.exp(1j * made.layer("wrapped_phase")).astype(np.complex64)
    if made.unwrapped:
        yield "unw", made.layer("unwrapped_phase")
        yield "disp", made.layer("los_displacement")
    yield "cc", made.layer("coherence")
    # Intensity, as GAMMA's multi-looked images have it.
    yield "mli", np.square(made.layer("amplitude"))
    yield "hgt", made.layer("height")
    theta, phi = elevation_and_orientation(*_sight(made))
    yield "lv_theta", theta
    yield "lv_phi", phi


def _sight(made: MadeMap) -> tuple[Floats, Floats, Floats]:
    return made.layer("los_east"), made.layer("los_north"), made.layer("los_up")


def _pass_parameters(made: MadeMap, which: str) -> Parameters:
    """Describe one of the passes."""
    scene = made.about[f"geobs:{which}"]
    start, stop = made.span(which)
    swaths = " ".join(made.about["geobs:swaths"])
    incidence = float(np.nanmean(made.layer("incidence_angle")))
    numbers = (
        ("start_time", _seconds(start), "s"),
        ("center_time", _seconds(made.middle_time(which)), "s"),
        ("end_time", _seconds(stop, start), "s"),
    )
    times = "".join(f"{f'{name}:':<22}{value:14.6f}   {unit}\n" for name, value, unit in numbers)
    return Parameters(
        "Gamma Interferometric SAR Processor (ISP) - Image Parameter File\n\n"
        f"title:     {scene['products'][0]}\n"
        f"sensor:    {scene['mission']} IW {swaths} {made.about['sar:polarizations'][0]}\n"
        f"date:      {start:%Y %m %d}\n{times}"
        f"range_looks:          {made.about['sar:looks_range']:14d}\n"
        f"azimuth_looks:        {made.about['sar:looks_azimuth']:14d}\n"
        f"heading:              {made.heading_deg:14.7f}   degrees\n"
        f"incidence_angle:      {incidence:14.4f}   degrees\n"
        f"azimuth_angle:        {90.0:14.4f}   degrees\n"
        f"radar_frequency:      {made.frequency_hz:14.7e}   Hz\n"
        f"earth_semi_major_axis:  {6378137.0:14.4f}   m\n"
        f"earth_semi_minor_axis:  {6356752.3141:14.4f}   m\n"
    )


def _seconds(time: datetime, of_day: datetime | None = None) -> float:
    """Seconds since the midnight of a day, which run on over the next."""
    day = (of_day or time).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (time - day).total_seconds()
