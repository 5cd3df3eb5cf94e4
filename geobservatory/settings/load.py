"""Find the settings file, lay `GEOBS_*` variables over it, and say where each value came from."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path
from pydantic import ValidationError
from pydantic_settings import EnvSettingsSource, SettingsError

from geobservatory.errors import ConfigurationError
from geobservatory.settings.model import Settings

Key = tuple[str, ...]
_FILE_NAME = "geobs.toml"


@dataclass(frozen=True)
class Origin:
    """Where a value came from: a variable, a line of the file, or (neither) the default."""

    variable: str | None = None
    file: Path | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Say it as `geobs config show` does."""
        if self.variable:
            return self.variable
        if self.file:
            return f"{self.file}:{self.line}" if self.line else str(self.file)
        return "default"


class SettingsFaultError(ConfigurationError):
    """One thing wrong with the settings: what, where, and with which key."""

    def __init__(self, key: Key, origin: Origin, reason: str) -> None:
        self.key, self.origin, self.reason = key, origin, reason
        place = f"{origin}: " if origin != Origin() else ""
        super().__init__(f"{place}{dotted(key)}: {reason}" if key else f"{place}{reason}")


def dotted(key: Key) -> str:
    """Write a key as in ``hubs[0].name``."""
    text = ""
    for part in key:
        text += f"[{part}]" if part.isdigit() else f".{part}" if text else part
    return text


def find_file() -> Path | None:
    """Find the settings file: `GEOBS_CONFIG`, the working directory, the user's configuration.

    Raises
    ------
    ConfigurationError
        If `GEOBS_CONFIG` names a file that is not there.
    """
    named = os.environ.get("GEOBS_CONFIG")
    if named:
        if not Path(named).is_file():
            raise ConfigurationError(f"GEOBS_CONFIG names {named}, which is not a file")
        return Path(named)
    for folder in (Path.cwd(), user_config_path("geobservatory")):
        if (folder / _FILE_NAME).is_file():
            return folder / _FILE_NAME
    return None


def load_settings() -> Settings:
    """Read the settings in force.

    Raises
    ------
    ConfigurationError
        With the file and line, or the variable, and what is wrong: the first fault found.
    """
    settings, _ = load_with_origins()
    return settings


def load_with_origins(file: Path | None = None) -> tuple[Settings, dict[Key, Origin]]:
    """Read the settings and where each given value came from (defaults are not listed).

    Parameters
    ----------
    file
        Settings file; the one `find_file` finds when absent.

    Raises
    ------
    ConfigurationError
        At the first fault.
    """
    settings, origins, faults = examine(file)
    if settings is None:
        raise faults[0]
    return settings, origins


def examine(
    file: Path | None = None,
) -> tuple[Settings | None, dict[Key, Origin], list[SettingsFaultError]]:
    """Read the settings and collect every fault, rather than stop at the first."""
    file = file or find_file()
    try:
        from_file, lines = read_toml(file) if file else ({}, {})
    except SettingsFaultError as fault:
        return None, {}, [fault]
    try:
        from_variables = EnvSettingsSource(Settings)()
    except SettingsError as error:
        name = _variable_of(str(error).split('"')[1:2])
        return None, {}, [SettingsFaultError((), Origin(variable=name), "not valid JSON")]
    origins = {key: Origin(file=file, line=_line_of(key, lines)) for key in _keys(from_file)}
    for key in _keys(from_variables):
        # A variable that gives a whole section or list takes the place of all below it.
        origins[key] = Origin(variable=_variable(key))
    try:
        return Settings.model_validate(_merged(from_file, from_variables)), origins, []
    except ValidationError as error:
        faults = []
        for one in error.errors(include_url=False):
            key = tuple(str(part) for part in one["loc"])
            reason = one["msg"].removeprefix("Value error, ")
            if one["type"] == "extra_forbidden":
                reason = "no such setting"
            faults.append(SettingsFaultError(key, _nearest(key, origins, file, lines), reason))
        return None, origins, faults


def read_toml(file: Path) -> tuple[dict[str, Any], dict[Key, int]]:
    """Read a TOML file and the line each of its keys stands on.

    Raises
    ------
    SettingsFaultError
        If it cannot be read or is not TOML, with the line.
    """
    try:
        text = file.read_text(encoding="utf-8")
        return tomllib.loads(text), _lines(text)
    except OSError as error:
        raise SettingsFaultError(
            (), Origin(file=file), f"cannot be read: {error.strerror}"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsFaultError((), Origin(file=file), "not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        line = int(at[1]) if at else len(text.splitlines())
        raise SettingsFaultError((), Origin(file=file, line=line), f"not TOML: {error}") from error


def _lines(text: str) -> dict[Key, int]:
    """Find the line of each key; keys inside inline tables stand on their table's line."""
    lines: dict[Key, int] = {}
    section: Key = ()
    counts: dict[Key, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[\[?)\s*([\w.\-]+)\s*\]", line):
            section = tuple(header[2].split("."))
            if header[1] == "[[":
                index = counts.get(section, 0)
                counts[section] = index + 1
                section = (*section, str(index))
            lines.setdefault(section, number)
        elif pair := re.match(r"\s*([\w.\-]+)\s*=", line):
            lines.setdefault((*section, *pair[1].split(".")), number)
    return lines


def _line_of(key: Key, lines: Mapping[Key, int]) -> int | None:
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return lines[key[:length]]
    return None


def _nearest(
    key: Key, origins: Mapping[Key, Origin], file: Path | None, lines: Mapping[Key, int]
) -> Origin:
    """Say where a faulty key came from; what is missing is missing where its section stands."""
    for length in range(len(key), 0, -1):
        if key[:length] in origins:
            return origins[key[:length]]
    line = _line_of(key, lines)
    return Origin(file=file, line=line) if line else Origin()


def _keys(tree: Any, above: Key = ()) -> list[Key]:
    """List the keys of all leaves."""
    if isinstance(tree, Mapping) and tree:
        return [key for name, below in tree.items() for key in _keys(below, (*above, str(name)))]
    if isinstance(tree, list) and any(isinstance(item, Mapping) for item in tree):
        return [key for i, below in enumerate(tree) for key in _keys(below, (*above, str(i)))]
    return [above] if above else []


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    both = dict(low)
    for name, value in high.items():
        below = both.get(name)
        nested = isinstance(below, Mapping) and isinstance(value, Mapping)
        both[name] = _merged(below, value) if nested else value  # type: ignore[arg-type]
    return both


def _variable(key: Key) -> str:
    """Name the variable that gave `key`; a JSON variable gives all that stands below it."""
    for length in range(len(key), 0, -1):
        name = "GEOBS_" + "__".join(key[:length]).upper()
        if name in {variable.upper() for variable in os.environ}:
            return name
    return "GEOBS_" + key[0].upper()


def _variable_of(fields: list[str]) -> str:
    return "GEOBS_" + (fields[0].upper() if fields else "*")
