"""From a scenario to products, orbit files, DEM and truth in a folder."""

from dataclasses import dataclass
from pathlib import Path

from geobservatory.errors import InputError
from geobservatory.files import written_whole
from geobservatory.sandbox.alerts import write_conversations
from geobservatory.sandbox.plan import Plan
from geobservatory.sandbox.product import Progress, channels, write_product
from geobservatory.sandbox.scenario import Scenario
from geobservatory.sandbox.truth import write_dem, write_orbit, write_truth


@dataclass(frozen=True)
class Simulated:
    """What was written for a pass.

    Attributes
    ----------
    products
        A zip for each date, in order of time.
    orbits
        Precise orbit files of the same dates.
    dem
        Heights above the ellipsoid under the pass, a GeoTIFF.
    truth
        Folder of what is true of the pass: see `docs/sandbox.md`.
    """

    products: list[Path]
    orbits: list[Path]
    dem: Path
    truth: Path


def simulate(plan: Plan, folder: Path, progress: Progress) -> Simulated:
    """Simulate all dates of a pass, as `make_plan` planned it.

    What is there already, of the same scenario and size, stays: an interrupted simulation goes on
    with the date it was at. The same scenario gives the same files, byte for byte.

    Parameters
    ----------
    progress
        Called with numbers of lines, in all those of `total_lines`.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claim(plan.scenario, folder)
    write_conversations(plan.scenario, folder)
    dem = write_dem(plan, folder)
    orbits = [write_orbit(plan, shot, folder) for shot in plan.shots]
    products = [write_product(plan, shot, folder, progress) for shot in plan.shots]
    return Simulated(products, orbits, dem, write_truth(plan, folder))


def claim(scenario: Scenario, folder: Path) -> None:
    """Mark a folder as that of a scenario.

    Raises
    ------
    InputError
        If it is another one's: products, heights and truth of two worlds would lie side by side.
    """
    path, text = folder / "scenario.json", scenario.model_dump_json(indent=2)
    if path.exists() and path.read_text() != text:
        raise InputError(
            f"{folder}: holds a scenario that differs from {scenario.name} as it is now; "
            "name another folder, or empty this one"
        )
    with written_whole(path) as beside:
        beside.write_text(text)


def total_lines(plan: Plan) -> int:
    """Count the lines of all dates of a pass, for a progress bar."""
    return sum(one.lines for shot in plan.shots for one in channels(plan, shot))
