"""Scenarios: what the world is like, what happens in it, and which passes see it.

A scenario is a small TOML file. Those that come with the package are in `scenarios/`; a user writes
their own with the same words.
"""

import math
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from geobservatory.errors import InputError, NotFoundError
from geobservatory.events.okada import Dislocation

_Longitude = Annotated[float, Field(ge=-180, le=180)]
_Latitude = Annotated[float, Field(ge=-80, le=80)]
_Share = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Source(_Part):
    """A rectangle that slips or opens; degrees, kilometres and metres, as reports give them."""

    longitude: _Longitude
    latitude: _Latitude
    depth_km: float = Field(gt=0, description="Of the centroid")
    strike: float
    dip: float = Field(ge=0, le=90)
    rake: float = 0.0
    length_km: float = Field(gt=0)
    width_km: float = Field(gt=0)
    slip_m: float = Field(default=0.0, ge=0)
    opening_m: float = 0.0

    def dislocation(self) -> Dislocation:
        """Give it in SI units."""
        return Dislocation(
            longitude=math.radians(self.longitude),
            latitude=math.radians(self.latitude),
            depth_m=self.depth_km * 1e3,
            strike=math.radians(self.strike),
            dip=math.radians(self.dip),
            rake=math.radians(self.rake),
            length_m=self.length_km * 1e3,
            width_m=self.width_km * 1e3,
            slip_m=self.slip_m,
            opening_m=self.opening_m,
        )


class Event(_Part):
    """What happens."""

    name: str
    kind: Literal["earthquake", "volcano", "landslide", "other"] = "earthquake"
    time: AwareDatetime
    longitude: _Longitude
    latitude: _Latitude
    magnitude: float | None = None
    depth_km: float | None = None
    sources: tuple[Source, ...] = ()


class Ground(_Part):
    """Terrain and what grows on it; invented, the same for one seed."""

    seed: int = 1
    base_m: float = Field(default=500.0, description="Mean height above the ellipsoid")
    relief_m: float = Field(default=400.0, ge=0, description="Standard deviation of heights")
    sea_m: float | None = Field(
        default=None, description="Sea stands at this height above the geoid"
    )
    coherence: _Share = Field(default=0.8, description="Where little grows, over a repeat cycle")
    vegetation: _Share = Field(default=0.2, description="Share of land that hardly stays coherent")
    brightness_db: float = Field(default=2.0, ge=0, description="Standard deviation of brightness")


class Acquisition(_Part):
    """One date of a pass, and what is wrong with it."""

    days: int = Field(ge=0, multiple_of=12, description="After the pass's time; repeat cycles")
    perpendicular_m: float = Field(
        default=0.0, ge=-5000, le=5000, description="Baseline to the nominal path"
    )
    shift_lines: int = Field(
        default=0, ge=-200, le=200, description="Bursts start this many lines later"
    )
    first_burst: int = Field(
        default=0, ge=0, le=8, description="The slice starts this many bursts later"
    )
    missing_burst: int | None = Field(
        default=None, ge=0, le=8, description="A burst that is not there"
    )
    atmosphere_m: float = Field(default=0.0, ge=0, description="Standard deviation of the delay")
    ramp_m: tuple[float, float] = Field(
        default=(0.0, 0.0), description="Range error toward east and north, metres over 100 km"
    )
    azimuth_timing_s: float = Field(default=0.0, ge=-0.005, le=0.005)
    range_timing_s: float = Field(default=0.0, ge=-1e-6, le=1e-6)


class Pass(_Part):
    """A track that sees the event, and its dates."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    direction: Literal["ascending", "descending"]
    relative_orbit: int = Field(ge=1, le=175)
    time: AwareDatetime = Field(description="When the event's place is seen, on the first date")
    mission: Literal["S1A", "S1B"] = "S1A"
    acquisitions: tuple[Acquisition, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _in_order(self) -> "Pass":
        days = [one.days for one in self.acquisitions]
        if sorted(set(days)) != days:
            raise ValueError("acquisitions must be in order of days, each its own")
        return self


class Scenario(_Part):
    """A small world with an event and the passes that see it."""

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    facts: str = Field(default="", description="What is real in it, and from where")
    event: Event
    ground: Ground = Ground()
    passes: tuple[Pass, ...] = Field(min_length=1)
    polarisations: tuple[Literal["VV", "VH"], ...] = Field(default=("VV",), min_length=1)
    noise_db: float = Field(default=-18.0, description="Thermal noise against mean brightness")

    @model_validator(mode="after")
    def _each_once(self) -> "Scenario":
        for what, names in (
            ("polarisations", self.polarisations),
            ("passes", tuple(one.name for one in self.passes)),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{what}: each only once")
        return self

    def pass_named(self, name: str) -> Pass:
        """Find a pass; `NotFoundError` names those there are."""
        for one in self.passes:
            if one.name == name:
                return one
        known = ", ".join(one.name for one in self.passes)
        raise NotFoundError(f"scenario {self.name} has no pass {name!r}; it has {known}")


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file.

    Raises
    ------
    InputError
        If it is no such file; the message names the file and the first thing that is wrong.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        scenario = Scenario.model_validate(document)
        for source in scenario.event.sources:
            source.dislocation()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {place}: {first['msg']}") from error
    except InputError as error:
        raise InputError(f"{path}: event.sources: {error}") from error
    return scenario


def built_in() -> dict[str, Path]:
    """Name the scenarios that come with the package, and where each is."""
    folder = Path(str(resources.files("geobservatory.sandbox") / "scenarios"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_scenario(name: str) -> Scenario:
    """Read a scenario by its name, or by the path of a file.

    Raises
    ------
    NotFoundError
        If there is none; the message names those there are.
    InputError
        If its file is wrong.
    """
    known = built_in()
    if name in known:
        return read_scenario(known[name])
    if Path(name).is_file():
        return read_scenario(Path(name))
    raise NotFoundError(f"no scenario {name!r}; there are {', '.join(known)}, or name a file")
