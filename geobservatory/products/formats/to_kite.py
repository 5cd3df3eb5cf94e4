"""A map as a scene of Kite: ``.npz`` with three arrays, and ``.yml`` that says what and where.

The container is that of `kite.Scene.save` (Kite 1.5): ``arr_0`` displacement, ``arr_1`` theta,
``arr_2`` phi, rows from the south up, NaN for nothing.

Signs
-----
Displacement in metres, positive toward the satellite (`SceneIO.container`), as ours is; theta and
phi point to the satellite: see `angles`.

The frame counts from the centre of the lower left cell: `Frame.coordinates`, which models are held
against, puts the first cell at ``llLat, llLon``. It is of degrees, because a frame of metres would
be laid along the local east and north, where UTM is turned by up to a few degrees.
"""

from datetime import datetime
from pathlib import Path

import numpy as np

from geobservatory.files import written_whole
from geobservatory.products.formats.angles import elevation_and_orientation
from geobservatory.products.formats.degrees import degrees_grid, phase_to_degrees, to_degrees
from geobservatory.products.formats.georeference import Georeference
from geobservatory.products.formats.made_map import MadeMap


def write(made: MadeMap, folder: Path) -> list[Path]:
    """Write a map into a folder; `kite.Scene.load`, or ``spool``, opens its ``.yml``.

    Raises
    ------
    InputError
        If it was not unwrapped, or a layer is damaged.
    OSError
        If the folder cannot be written.
    """
    target = degrees_grid([made.grid])
    phase = phase_to_degrees(made.layer("unwrapped_phase"), made.grid, target)
    displacement = phase * np.float32(-made.wavelength_m / (4 * np.pi))
    sight = (
        to_degrees(made.layer(f"los_{one}"), made.grid, target) for one in ("east", "north", "up")
    )
    theta, phi = elevation_and_orientation(*sight)
    arrays, described = folder / f"{made.name}.npz", folder / f"{made.name}.yml"
    with written_whole(arrays) as beside, beside.open("wb") as file:
        np.savez(file, *(one[::-1] for one in (displacement, theta, phi)))
    with written_whole(described) as beside:
        beside.write_text(_describe(made, target), encoding="utf-8")
    return [arrays, described]


def _describe(made: MadeMap, target: Georeference) -> str:
    across, down = target.transform.a, -target.transform.e
    longitude, latitude = target.transform @ (0.5, target.rows - 0.5)
    return (
        "# kite.Scene YAML Config\n"
        "--- !kite.scene.SceneConfig\n"
        "meta: !kite.scene.Meta\n"
        f"  scene_title: '{_quoted(made.about['title'])}'\n"
        f"  scene_id: '{_quoted(made.name)}'\n"
        f"  satellite_name: Sentinel-1{made.about['geobs:reference']['mission'][-1]}\n"
        f"  wavelength: {made.wavelength_m!r}\n"
        f"  orbital_node: {made.about['sat:orbit_state'].capitalize()}\n"
        f"  time_master: {_time(made.times[0])}\n"
        f"  time_slave: {_time(made.times[1])}\n"
        "frame: !kite.scene.FrameConfig\n"
        f"  llLat: {latitude!r}\n"
        f"  llLon: {(longitude + 180) % 360 - 180!r}\n"
        f"  dN: {down!r}\n"
        f"  dE: {across!r}\n"
        "  spacing: degree\n"
    )


def _quoted(text: str) -> str:
    """Keep what YAML would take for its own; titles come from strangers."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    return plain.replace("'", "''")


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S.%f}"
