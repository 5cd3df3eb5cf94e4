"""Settings of the engine `command`: a program of the centre's own, run by a template."""

import re
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from geobservatory.settings.section import Section

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


# What the value of a variable with such a name is, nobody is shown.
SECRET_VARIABLE = re.compile(r"KEY|TOKEN|PASS|SECRET|CREDENTIAL", re.IGNORECASE)


class Output(Section):
    """A raster that the program leaves, and what its values mean."""

    file: str = Field(min_length=1, description="Its name in the folder of outputs")
    band: int = Field(default=1, ge=1)
    unit: str | None = Field(
        default=None,
        description="Phase: radian, degree, cycle; motion: m, cm, mm; angle: degree, radian",
    )
    positive: Literal["away", "toward"] | None = Field(
        default=None, description="Phase, motion: what motion makes it larger, from the satellite"
    )
    nothing: float | None = Field(
        default=None, description="Value of cells without data, beside NaN and the file's own"
    )


class Outputs(Section):
    """What the program leaves: a phase or a motion, and the coherence, at the least."""

    wrapped_phase: Output | None = None
    unwrapped_phase: Output | None = None
    los_displacement: Output | None = None
    coherence: Output | None = None
    amplitude: Output | None = None
    connected_components: Output | None = None
    incidence_angle: Output | None = None
    height: Output | None = None


class Command(Section):
    """A program of the centre's own (docs/engines.md)."""

    program: str = Field(default="", max_length=100, description="Its name, for the metadata")
    run: tuple[str, ...] = Field(
        default=(),
        description="Program and arguments; {inputs}, {outputs}, {work}, {request} are filled in",
    )
    version: tuple[str, ...] = Field(
        default=(), description="Program and arguments that print its version"
    )
    environment: dict[Variable, str] = Field(default={}, description="Variables it is given")
    inherit: tuple[Variable, ...] = Field(
        default=(), description="Variables it takes over from the worker"
    )
    # The flow gives up an interferogram after a day.
    time_limit_h: float = Field(default=20, gt=0, le=23, description="Killed when it takes longer")
    memory_gb: float | None = Field(default=None, gt=0, description="Killed when it holds more")
    resumes: bool = Field(
        default=False, description="Whether it goes on with what a killed run left in {work}"
    )
    outputs: Outputs = Outputs()
