"""The engine `command`: a program of the centre's own, run by a template (docs/engines.md)."""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geobservatory.engines.engine import Availability, Missing
from geobservatory.engines.foreign import Done, Job, make_by
from geobservatory.engines.hand_over import REQUEST, hand_over
from geobservatory.engines.left import Kind, Left, Raster, read_raster, scale_of
from geobservatory.engines.registry import require
from geobservatory.engines.request import Progress, Request, Result
from geobservatory.errors import ConfigurationError, InputError
from geobservatory.files import written_whole
from geobservatory.program import ProgramError, plain_environment, run
from geobservatory.settings.command import SECRET_VARIABLE, Command, Output

_SECTION = "engine.command"
_PLACE = re.compile(r"\{([a-z_]+)\}")
_PLACES = ("inputs", "outputs", "work", "request")
# A line by which the program tells how far it is.
_PROGRESS = re.compile(r"geobs:\s*(\d{1,3})\s*%\s*(.*)")
_VERSION_S = 60.0
# What the result does not depend on.
_LIMITS = {"time_limit_h", "memory_gb", "resumes"}
# The settings' names of outputs, what kind each is, and what it is called in `Left`.
_OUTPUTS: dict[str, tuple[Kind, str]] = {
    "wrapped_phase": ("phase", "wrapped"),
    "unwrapped_phase": ("phase", "unwrapped"),
    "los_displacement": ("motion", "displacement"),
    "coherence": ("number", "coherence"),
    "amplitude": ("number", "amplitude"),
    "connected_components": ("number", "components"),
    "incidence_angle": ("angle", "incidence"),
    "height": ("number", "height"),
}
_PHASES = "wrapped_phase", "unwrapped_phase", "los_displacement"
_HANDED, _LAID, _WORK, _LOG = "inputs", "outputs", "work", "command.log"
_FINISHED = "finished.json"


@dataclass(frozen=True)
class CommandEngine:
    """A program of the centre's own, as the settings describe it."""

    settings: Command

    name = "command"

    def availability(self) -> Availability:
        """Look for the program and ask for its version."""
        faults = _faults(self.settings)
        if faults:
            return Availability(None, faults)
        try:
            return Availability(self._version(), notes=(" ".join(self.settings.run),))
        except (ConfigurationError, ProgramError) as error:
            return Availability(None, (Missing("its version", str(error)),))

    def fingerprint(self) -> Mapping[str, Any]:
        """Name, version, and checksums of the settings and of the script that is run."""
        settings = self.settings
        require(self)
        files = [Path(one) for one in settings.run if _PLACE.search(one) is None]
        return {
            "name": self.name,
            "program": settings.program,
            "version": self._version(),
            # Values of variables may be secrets: a checksum tells no more than that they changed.
            "settings": _digest(settings.model_dump_json(exclude=_LIMITS).encode()),
            "files": {
                one.name: _digest(one.read_bytes())
                for one in files
                if one.is_file() and one.stat().st_size < 1 << 20
            },
        }

    def make(self, request: Request, progress: Progress) -> Result:
        """Make an interferogram by the program."""
        return make_by(self, request, progress, self._work_out)

    def _version(self) -> str | None:
        if not self.settings.version:
            return None
        told: list[str] = []
        ended = run(
            self.settings.version,
            folder=Path("/"),
            log=Path("/dev/null"),
            environment=self._environment(),
            line=told.append,
            limit_s=_VERSION_S,
        )
        ended.require_success()
        return told[0][:200] if told else None

    def _environment(self) -> dict[str, str]:
        return plain_environment(self.settings.environment, self.settings.inherit)

    def _work_out(self, job: Job) -> Done:
        """Lay out the inputs, run the program, take up what it left."""
        folder, settings = job.folder, self.settings
        job.progress("laying out inputs", 0.0)
        hand_over(job.inputs, job.request, folder / _HANDED)
        if not (folder / _FINISHED).exists():
            for name in (_LAID,) if settings.resumes else (_LAID, _WORK):
                shutil.rmtree(folder / name, ignore_errors=True)
            for name in (_LAID, _WORK):
                (folder / name).mkdir(exist_ok=True)
            self._run(job)
        try:
            left = self._left(folder / _LAID)
        except InputError:
            # Whatever is wrong with it, the next try does not begin with it.
            (folder / _FINISHED).unlink(missing_ok=True)
            raise
        with written_whole(folder / _FINISHED) as beside:
            beside.write_text("{}")
        software = {settings.program or "command": self._version() or "unknown"}
        parameters = {"program": settings.program, "run": self._called()}
        return Done(left, software, parameters, self._kept(folder))

    def _run(self, job: Job) -> None:
        settings, folder = self.settings, job.folder
        places = {
            "inputs": folder / _HANDED,
            "outputs": folder / _LAID,
            "work": folder / _WORK,
            "request": folder / _HANDED / REQUEST,
        }
        doing = settings.program or "the program"

        def line(text: str) -> None:
            nonlocal doing
            if (match := _PROGRESS.fullmatch(text.strip())) is not None:
                doing = match[2] or doing
                job.progress(doing, 0.05 + 0.95 * min(int(match[1]), 100) / 100)

        environment = self._environment()
        job.progress(doing, 0.05)
        run(
            [_filled(one, places) for one in settings.run],
            folder=folder / _WORK,
            log=folder / _LOG,
            environment=environment,
            line=line,
            limit_s=settings.time_limit_h * 3600,
            memory_bytes=None if settings.memory_gb is None else int(settings.memory_gb * 1e9),
            secrets=[value for name, value in environment.items() if SECRET_VARIABLE.search(name)],
        ).require_success()

    def _left(self, folder: Path) -> Left:
        """Read what the program left.

        Raises
        ------
        InputError
            If something is missing, or cannot be what it should.
        """
        found: dict[str, Raster] = {}
        for name, (kind, field) in _OUTPUTS.items():
            output: Output | None = getattr(self.settings.outputs, name)
            if output is None:
                continue
            found[field] = read_raster(
                folder / output.file,
                band=output.band,
                scale=scale_of(kind, output.unit, output.positive),
                nothing=output.nothing,
            )
        return Left(**found)

    def _called(self) -> list[str]:
        """Say what is run; where it lies on this machine is nobody's business."""
        return [Path(one).name if one.startswith("/") else one for one in self.settings.run]

    def _kept(self, folder: Path) -> tuple[Path, ...]:
        """Write down what was run on what, and the log, without folders and values of variables."""
        settings, kept = self.settings, folder / "kept"
        kept.mkdir(exist_ok=True)
        shown = {
            "run": self._called(),
            "variables": sorted({*settings.environment, *settings.inherit}),
            "outputs": settings.outputs.model_dump(mode="json", exclude_none=True),
            "request": json.loads((folder / _HANDED / REQUEST).read_text()),
        }
        (kept / "command-request.json").write_text(json.dumps(shown, indent=2))
        text = (folder / _LOG).read_text(errors="replace")
        (kept / _LOG).write_text(text.replace(str(folder), "JOB"))
        return kept / _LOG, kept / "command-request.json"


def _faults(settings: Command) -> tuple[Missing, ...]:
    """List what keeps the engine from working, as far as the settings and the disk tell."""
    if not settings.run:
        return (Missing(f"{_SECTION}.run", "set the program and its arguments (docs/engines.md)"),)
    path = plain_environment(settings.environment, settings.inherit).get("PATH")
    found = [
        Missing(called[0], "install it, name its whole path, or make it executable")
        for called in (settings.run, settings.version)
        if called and shutil.which(called[0], path=path) is None
    ]
    for one in (*settings.run, *settings.version):
        for name in _PLACE.findall(one):
            if name not in _PLACES:
                known = ", ".join(f"{{{place}}}" for place in _PLACES)
                found.append(Missing(f"a meaning of {{{name}}}", f"{_SECTION}.run knows {known}"))
    outputs = settings.outputs
    if outputs.coherence is None:
        found.append(Missing(f"{_SECTION}.outputs.coherence", "nothing can be judged without it"))
    if all(getattr(outputs, name) is None for name in _PHASES):
        found.append(Missing(f"{_SECTION}.outputs", f"name one of {', '.join(_PHASES)}"))
    for name, (kind, _) in _OUTPUTS.items():
        output: Output | None = getattr(outputs, name)
        try:
            if output is not None:
                scale_of(kind, output.unit, output.positive)
        except InputError as error:
            found.append(Missing(f"{_SECTION}.outputs.{name}", str(error)))
    return tuple(found)


def _filled(text: str, places: Mapping[str, Path]) -> str:
    return _PLACE.sub(lambda match: str(places[match[1]]), text)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
