"""Settings of the engine `gamma`: GAMMA's commands."""

from pathlib import Path

from pydantic import Field

from geobservatory.settings.section import Section


class Gamma(Section):
    """Where GAMMA is, and how long it may work."""

    home: Path | None = Field(
        default=None, description="GAMMA's folder; that of the variable GAMMA_HOME if none"
    )
    time_limit_h: float = Field(
        default=12, gt=0, description="A command is killed when it takes longer"
    )
