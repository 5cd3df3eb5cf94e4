"""Run GAMMA's commands: each held against the catalogue, logged, and written into a script.

The script repeats the work by hand: it names all files as they lie in its folder. A command whose
files are there, and that a run before had finished, is not run again.
"""

import os
import re
import shlex
import shutil
from functools import lru_cache
from pathlib import Path

from geobservatory.engines.gamma.catalogue import commands, files_of, problems
from geobservatory.errors import ConfigurationError, GeobservatoryError, InputError
from geobservatory.program import Ended, ProgramError, plain_environment, run
from geobservatory.settings.gamma import Gamma

_MODULES = ("ISP", "DIFF", "DISP", "LAT", "IPTA")
_ERROR = re.compile(r"^\s*(?:ERROR\b.*|.*\bTraceback \(most recent call last\).*)")
_RELEASE = re.compile(r"GAMMA_SOFTWARE[-_/](\d{8})")
_BANNER = re.compile(r"v[\d.]+ .*?(\d{1,2}-[A-Z][a-z]{2}-\d{4})")
_HEAD = """#!/bin/sh
# The commands of GAMMA that made this interferogram, in this order. To repeat them, put the swaths
# of both products under inputs/ and the heights beside this file, under the names used here; {log}
# is what the commands said.
set -e
"""


class Shell:
    """Runs commands in one folder."""

    def __init__(self, settings: Gamma, folder: Path, log: Path, script: Path) -> None:
        self._home = find_home(settings)
        self._limit_s = settings.time_limit_h * 3600
        self._folder, self._log, self._script = folder, log, script
        self._marks = folder / "done"
        self._marks.mkdir(exist_ok=True)
        self._count = 0
        script.write_text(_HEAD.format(log=log.name))

    def __call__(self, name: str, *given: object) -> None:
        """Run a command, by its present name; where only its former one is installed, by that.

        Parameters
        ----------
        given
            Arguments; files by their names in the folder, ``-`` for a default.

        Raises
        ------
        InputError
            If the catalogue does not allow the call, or a file it reads is not there.
        ConfigurationError
            If the command is not installed.
        ProgramError
            If it fails, or does not leave what it was to leave.
        """
        call = [name, *map(str, given)]
        found = list(problems(call))
        if found:
            raise InputError(f"GAMMA would refuse {shlex.join(call)}: {'; '.join(found)}")
        program = find_command(self._home, name)
        reads, writes = files_of(call)
        self._count += 1
        with self._script.open("a") as script:
            script.write(shlex.join([program.name, *call[1:]]) + "\n")
        mark = self._marks / f"{self._count:03d}-{name}"
        text = shlex.join(call)
        if mark.is_file() and mark.read_text() == text and self._all_there(writes):
            return
        lacking = [one for one in reads if not (self._folder / one).exists()]
        # What is read and written (a list of files that the command makes) need not be there.
        lacking = [one for one in lacking if one not in writes]
        if lacking:
            raise GeobservatoryError(f"{name}: {', '.join(lacking)} is not there to be read")
        self._run([str(program), *call[1:]])
        missing = [one for one in writes if not self._is_there(one)]
        if missing:
            raise ProgramError(
                f"{name} ended as if all were well, and left no {', '.join(missing)}; all of its "
                f"output: {self._log}"
            )
        mark.write_text(text)

    def forget(self, name: str) -> None:
        """Have a command run again by the next run, although it had finished."""
        for mark in self._marks.glob(f"*-{name}"):
            mark.unlink()

    def _run(self, call: list[str]) -> Ended:
        errors: list[str] = []

        def heard(line: str) -> None:
            if _ERROR.match(line):
                errors.append(line.strip())

        ended = run(
            call, folder=self._folder, log=self._log, environment=_environment(self._home),
            line=heard, limit_s=self._limit_s,
        )  # fmt: skip
        if errors:
            how = "" if ended.status else ", although it ended with exit status 0"
            raise ended.error(f"failed{how}: {'; '.join(errors[:3])}")
        ended.require_success()
        return ended

    def _all_there(self, names: tuple[str, ...]) -> bool:
        return all(self._is_there(one) for one in names)

    def _is_there(self, name: str) -> bool:
        path = self._folder / name
        return path.is_file() and path.stat().st_size > 0


def find_home(settings: Gamma) -> Path:
    """Find GAMMA's folder.

    Raises
    ------
    ConfigurationError
        If none is named, or it is not there.
    """
    named = settings.home or os.environ.get("GAMMA_HOME")
    if not named:
        raise ConfigurationError("neither engine.gamma.home nor GAMMA_HOME names GAMMA's folder")
    home = Path(named)
    if not home.is_dir():
        raise ConfigurationError(f"{home}: there is no such folder")
    return home.resolve()


def find_command(home: Path, name: str) -> Path:
    """Find a command of GAMMA's, by its present name or its former one.

    Raises
    ------
    ConfigurationError
        If neither is there.
    """
    known = commands()[name]
    for one in (name, known.formerly):
        if one is not None:
            found = shutil.which(one, path=_path(home))
            if found is not None:
                return Path(found)
    former = f" (nor {known.formerly}, as it was called)" if known.formerly else ""
    raise ConfigurationError(
        f"{name}{former}: is not in {home}; it belongs to GAMMA's module {known.module}"
    )


def version_of(home: Path) -> str | None:
    """Tell GAMMA's release by the name of its folder, else the date of one of its commands."""
    match = _RELEASE.search(str(home))
    if match is not None:
        return match[1]
    try:
        return _banner(find_command(home, "par_S1_SLC"))
    except ConfigurationError:
        return None


@lru_cache
def _banner(program: Path) -> str | None:
    """Read the date from the usage text that a command prints when called without arguments."""
    lines: list[str] = []
    log = Path(os.devnull)
    run([program], folder=program.parent, log=log, line=lines.append, limit_s=60)
    match = _BANNER.search("\n".join(lines))
    return None if match is None else match[1]


def _path(home: Path) -> str:
    folders = [str(home / one / part) for one in _MODULES for part in ("bin", "scripts")]
    return os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])


def _environment(home: Path) -> dict[str, str]:
    return plain_environment(
        {
            "GAMMA_HOME": str(home),
            **{f"{one}_HOME": str(home / one) for one in _MODULES},
            "PATH": _path(home),
            "OS": "linux64",
        }
    )
