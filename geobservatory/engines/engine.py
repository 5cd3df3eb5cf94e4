"""What whoever makes interferograms has to offer: the flow behind it knows no more than this."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from geobservatory.engines.request import Progress, Request, Result


@dataclass(frozen=True)
class Missing:
    """Something that an engine needs and this machine has not, and the way to get it."""

    what: str
    remedy: str


@dataclass(frozen=True)
class Availability:
    """Whether an engine can work on this machine.

    Attributes
    ----------
    version
        Of the program behind it; None where that cannot be told.
    missing
        What is not there; the engine can work where nothing is missing.
    notes
        What a person may want to know beside: where a program was found, what goes slower without
        what.
    """

    version: str | None
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the engine can work."""
        return not self.missing


class Engine(Protocol):
    """A program that makes interferograms, with the settings it runs by."""

    @property
    def name(self) -> str:
        """As the setting `engine.name` has it."""

    def availability(self) -> Availability:
        """Look what is installed; takes seconds where a program has to be asked."""

    def fingerprint(self) -> Mapping[str, Any]:
        """All of the engine that a result depends on, as JSON has it: name, version, settings.

        Another fingerprint, another digest: what was made before is made again.

        Raises
        ------
        ConfigurationError
            If something is missing.
        """

    def make(self, request: Request, progress: Progress) -> Result:
        """Make an interferogram; what an unfinished run left is taken up.

        Parameters
        ----------
        progress
            Told what is being done and how much of the whole is finished.

        Raises
        ------
        InputError
            If the request cannot be met; before work starts wherever that can be known.
        ConfigurationError
            If something is missing on this machine.
        GeobservatoryError
            If the program fails, or another process works in the folder.
        TransientError
            If heights or orbits could not be fetched.
        """
