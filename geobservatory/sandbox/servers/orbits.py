"""Orbit files, in a bucket as the ASF keeps them: ``AUX_POEORB/…EOF`` and ``AUX_RESORB/…EOF``.

A file is there from the time of making that its name tells, so that a restituted orbit comes hours
after the pass and the precise one weeks after it.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from geobservatory.errors import InputError
from geobservatory.sandbox.servers.bucket import BucketHub, Stored
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.faults import Faults
from geobservatory.sandbox.servers.hub import HubConfig
from geobservatory.sandbox.servers.view import View

_NAME = re.compile(
    r"S1[A-D]_OPER_(AUX_(?:POE|RES)ORB)_\w{4}_(\d{8}T\d{6})_V\d{8}T\d{6}_\d{8}T\d{6}"
)


class OrbitsConfig(HubConfig):
    """A bucket of orbit files."""

    kind: Literal["orbits"] = "orbits"
    folder: Path = Field(description="holds the EOF files, at any depth")


class OrbitsHub(BucketHub[OrbitsConfig]):
    """One such bucket.

    Raises
    ------
    InputError
        If the folder holds an EOF file that is not named as orbit files are.
    """

    kind: ClassVar[str] = "orbits"
    bucket = "s1-orbits"

    def __init__(self, config: OrbitsConfig, clock: SandboxClock, faults: Faults) -> None:
        super().__init__(config, clock, faults)
        self._files = {}
        for path in sorted(config.folder.rglob("*.EOF")):
            match = _NAME.fullmatch(path.stem)
            if match is None:
                raise InputError(f"{path}: not the name of an orbit file")
            made = datetime.strptime(match[2], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            self._files[f"{match[1]}/{path.name}"] = path, made

    def objects(self, view: View) -> dict[str, Stored]:
        """List the files that have been made."""
        return {
            key: Stored(path, made)
            for key, (path, made) in self._files.items()
            if made <= view.listed
        }
