"""What `gpt` says while it runs: how far it is, and, whatever its exit status, what went wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from geobservatory.errors import ConfigurationError, GeobservatoryError, InputError, TransientError
from geobservatory.program import Ended, ProgramError

_SHARE = re.compile(r"(\d{1,3})%")
_FAILED = re.compile(
    r"^\s*(?:Error: |\S*GraphException: |\S*OperatorException: |WARNING: .*No intersection)"
)
_UNKNOWN = re.compile(
    r"\[NodeId: (?P<node>[^\]]+)\] Operator '[^']+': Unknown element '(?P<parameter>\w+)'"
)
_HEAP = re.compile(r"OutOfMemoryError|Java heap space|GC overhead limit")
_LOCKED = re.compile(r"lock acquisition failure|is locked|already (?:in use|locked)", re.IGNORECASE)
_UNREACHED = re.compile(
    r"UnknownHostException|Unable to connect to|ConnectException|Unable to (?:retrieve|download)"
)
_ORBIT = "No valid orbit file found"


@dataclass
class Heard:
    """What a run said that matters."""

    progress: Callable[[float], None]
    errors: list[str] = field(default_factory=list)
    _seen: set[re.Pattern[str]] = field(default_factory=set)
    _share: float = 0.0

    def line(self, text: str) -> None:
        """Take a line."""
        self.unfinished(text)
        for pattern in (_HEAP, _LOCKED, _UNREACHED):
            if pattern.search(text):
                self._seen.add(pattern)
        if (_FAILED.match(text) or _HEAP.search(text)) and text.strip() not in self.errors:
            self.errors.append(text.strip())

    def unfinished(self, text: str) -> None:
        """Take a line that is being written: shares of the whole come in one."""
        shares = [int(one) / 100 for one in _SHARE.findall(text)]
        share = max((one for one in shares if one <= 1), default=0.0)
        if share > self._share:
            self._share = share
            self.progress(share)

    def _has(self, pattern: re.Pattern[str]) -> bool:
        return pattern in self._seen

    def unknown(self) -> tuple[str, str] | None:
        """Give node and parameter of what this version does not know, if that was the error."""
        for text in self.errors:
            if match := _UNKNOWN.search(text):
                return match["node"], match["parameter"]
        return None

    def error(self, ended: Ended, heap_gb: float) -> GeobservatoryError:
        """Say what went wrong, and what to do.

        Parameters
        ----------
        heap_gb
            Memory that Java was allowed.
        """
        said = "; ".join(self.errors[:3])
        how = f"(exit status {ended.status}) {said}; all of its output: {ended.log}"
        if self._has(_HEAP):
            return ConfigurationError(
                f"gpt: Java ran out of the {heap_gb:.1f} GB it was given; raise "
                f"engine.snap.memory_gb, or ask for a smaller area {how}"
            )
        if ended.status in (-9, 137):
            machine = psutil.virtual_memory().total / 2**30
            return ProgramError(
                f"gpt was killed, as the machine does that runs out of memory: Java was allowed "
                f"{heap_gb:.1f} of {machine:.1f} GB; lower engine.snap.memory_gb, or let "
                f"fewer interferograms be made at once {how}"
            )
        if self._has(_LOCKED):
            return TransientError(f"gpt: its user directory is held by another process {how}")
        if _ORBIT in said:
            return InputError(
                f"gpt: SNAP does not take the orbit file that was laid out for it {how}"
            )
        if self._has(_UNREACHED):
            return TransientError(
                "gpt: SNAP wanted auxiliary data that could not be fetched; put them into the "
                f"folder of engine.snap.auxdata {how}"
            )
        if ended.status == 0:
            return ended.error(f"ended as if all were well, but said: {said}")
        try:
            ended.require_success()
        except ProgramError as error:
            return ProgramError(f"{said}: {error}") if said else error
        return ended.error("failed")
