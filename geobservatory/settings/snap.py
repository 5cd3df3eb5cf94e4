"""Settings of the engine `snap`: ESA SNAP, run by its `gpt`."""

from pathlib import Path

from pydantic import Field

from geobservatory.settings.section import Section


class Snap(Section):
    """Where SNAP is, and how much of the machine it may have."""

    gpt: Path | None = Field(default=None, description="SNAP's gpt; the one in the PATH if none")
    snaphu: Path | None = Field(
        default=None, description="The program snaphu; the one in the PATH or of the wheel if none"
    )
    auxdata: Path | None = Field(
        default=None,
        description="SNAP's auxiliary data; those of its user, ~/.snap/auxdata, if none",
    )
    memory_gb: float | None = Field(
        default=None, ge=1, description="Heap of its Java; seven tenths of the machine's if none"
    )
    cache_gb: float | None = Field(
        default=None, gt=0, description="Cache of tiles, within the heap; six tenths of it if none"
    )
    time_limit_h: float = Field(
        default=12, gt=0, description="A run of gpt or snaphu is killed when it takes longer"
    )
