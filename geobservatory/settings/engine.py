"""Settings of who makes interferograms: `[engine]`, and a section for each program."""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from geobservatory.settings.command import Command
from geobservatory.settings.gamma import Gamma
from geobservatory.settings.section import Section
from geobservatory.settings.snap import Snap


class EngineName(StrEnum):
    """Who makes interferograms."""

    NATIVE = "native"
    SNAP = "snap"
    GAMMA = "gamma"
    COMMAND = "command"


class Engine(Section):
    """Who makes interferograms, and how."""

    name: EngineName = EngineName.NATIVE
    concurrency: int = Field(default=1, ge=1, description="Interferograms made at once")
    threads: int | None = Field(default=None, ge=1, description="Threads of one; all cores if none")
    unwrapper: Literal["whirlwind", "snaphu"] = "whirlwind"
    spacing_m: float = Field(default=40, gt=0, description="Pixel spacing of the products")
    command: Command = Field(default=Command(), description="Of the engine `command`")
    snap: Snap = Field(default=Snap(), description="Of the engine `snap`")
    gamma: Gamma = Field(default=Gamma(), description="Of the engine `gamma`")
