"""Run snaphu on what SNAP exported, by the command that SNAP itself wrote down."""

import importlib.util
import os
import re
import shlex
import shutil
from pathlib import Path

from geobservatory.errors import ConfigurationError, GeobservatoryError
from geobservatory.program import run
from geobservatory.settings.snap import Snap

_COMMAND = re.compile(r"^\s*#?\s*(snaphu\s+-f\s+.+)$", re.MULTILINE)
_VERSION = re.compile(r"^snaphu v([\d.]+)", re.MULTILINE)
_OUT = re.compile(r"^\s*OUTFILE\s+(\S+)", re.MULTILINE)


def find_snaphu(settings: Snap) -> Path:
    """Find the program: the one set, in the PATH, or in the wheel `snaphu`.

    Raises
    ------
    ConfigurationError
        If it is not there.
    """
    named = shutil.which(str(settings.snaphu or "snaphu"))
    if named is not None:
        return Path(named).absolute()
    if settings.snaphu is None:
        # Found without importing it: only its program is wanted.
        wheel = importlib.util.find_spec("snaphu")
        if wheel is not None and wheel.origin is not None:
            program = Path(wheel.origin).parent / "snaphu"
            if program.is_file():
                return program
    raise ConfigurationError(f"{settings.snaphu or 'snaphu'}: there is no such program")


def version_of(program: Path) -> str:
    """Read the version off the usage text; ``unknown`` if it is not there."""
    lines: list[str] = []
    # It ends with status 1 after its usage text.
    run([program, "-h"], folder=program.parent, log=Path(os.devnull), line=lines.append, limit_s=60)
    match = _VERSION.search("\n".join(lines))
    return "unknown" if match is None else match[1]


def unwrap_export(program: Path, folder: Path, log: Path, limit_s: float) -> Path:
    """Unwrap what SnaphuExport left in a folder, and give the header of the result.

    Raises
    ------
    ProgramError
        If snaphu fails, or leaves a result of another size than it was given.
    GeobservatoryError
        If the folder does not hold what SnaphuExport leaves.
    """
    found = sorted(folder.rglob("snaphu.conf"))
    text = found[0].read_text(encoding="utf-8", errors="replace") if found else ""
    command, out = _COMMAND.search(text), _OUT.search(text)
    if command is None or out is None:
        raise GeobservatoryError(
            f"{folder}: SnaphuExport left no snaphu.conf with a command and an OUTFILE in it"
        )
    here = found[0].parent
    arguments = shlex.split(command[1])
    wrapped, unwrapped = here / arguments[-2], here / Path(out[1]).name
    ended = run([program, *arguments[1:]], folder=here, log=log, limit_s=limit_s)
    ended.require_success()
    if not unwrapped.is_file() or unwrapped.stat().st_size != wrapped.stat().st_size:
        raise ended.error(f"left no {unwrapped.name} of the size of {wrapped.name}")
    header = unwrapped.with_suffix(".hdr")
    if not header.is_file():
        raise GeobservatoryError(f"{header}: SnaphuExport did not leave it")
    return header
