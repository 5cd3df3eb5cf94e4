"""`geobs config`: what is in force, where it came from, and what is wrong with it."""

import difflib
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from console.output import print_json, print_table
from geobservatory.errors import ConfigurationError


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    config = typer.Typer(help="What is in force, and what is wrong with it.", no_args_is_help=True)
    config.command()(show)
    config.command()(check)
    app.add_typer(config, name="config")


def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print every setting in force and where it came from; secrets are masked.

    Example: geobs config show
    """
    from geobservatory.settings.load import dotted, load_with_origins

    settings, origins = load_with_origins()
    rows = []
    for key, value in _leaves(settings):
        origin = next(
            (str(origins[key[:n]]) for n in range(len(key), 0, -1) if key[:n] in origins), "default"
        )
        rows.append((dotted(key), value, origin))
    if as_json:
        print_json([{"key": key, "value": value, "origin": origin} for key, value, origin in rows])
    else:
        print_table("", ("setting", "value", "from"), rows)


def check(
    file: Annotated[Path | None, typer.Argument(help="Settings file; the one in force.")] = None,
) -> None:
    """Find what is wrong with the settings, each with its line and a suggestion.

    Example: geobs config check geobs.toml
    """
    from geobservatory.settings.load import examine, find_file

    settings, _, faults = examine(file)
    lines = [f"{fault}{_suggestion(fault.key, fault.reason)}" for fault in faults]
    lines += _unknown_variables()
    if settings is not None:
        lines += _unusable_folders(settings)
    for line in lines:
        print(line)
    if lines:
        raise ConfigurationError(f"{len(lines)} error{'s' if len(lines) > 1 else ''}")
    print(f"no errors in {file or find_file() or 'the defaults and GEOBS_* variables'}")


def _leaves(model: Any, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    from pydantic import BaseModel, SecretStr

    from geobservatory.settings.command import SECRET_VARIABLE

    if isinstance(model, BaseModel):
        names = type(model).model_fields
        return [leaf for n in names for leaf in _leaves(getattr(model, n), (*above, n))]
    if isinstance(model, tuple) and any(isinstance(item, BaseModel) for item in model):
        return [leaf for i, one in enumerate(model) for leaf in _leaves(one, (*above, str(i)))]
    if isinstance(model, dict) and model and all(isinstance(one, str) for one in model.values()):
        # Variables that a program is given.
        return [
            ((*above, name), "********" if SECRET_VARIABLE.search(name) else one)
            for name, one in model.items()
        ]
    if isinstance(model, SecretStr):
        return [(above, _masked(model.get_secret_value()))]
    if isinstance(model, str):
        return [(above, _masked(model) if "@" in model and "://" in model else model)]
    return [(above, list(model) if isinstance(model, tuple) else model)]


def _masked(secret: str) -> str:
    """Hide a secret; of an address that holds a password, show all but the password."""
    from urllib.parse import urlsplit

    parts = urlsplit(secret)
    if parts.scheme.startswith("postgresql") and parts.hostname:
        # Queries may hold a password too (?password=…): they are left out.
        user = f"{parts.username}:********@" if parts.username else ""
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{user}{parts.hostname}{port}{parts.path}"
    return "********"


def _suggestion(key: tuple[str, ...], reason: str) -> str:
    if reason != "no such setting":
        return ""
    close = difflib.get_close_matches(key[-1], _known_names(key[:-1]), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _known_names(section: tuple[str, ...]) -> list[str]:
    from typing import get_args

    from pydantic import BaseModel

    from geobservatory.settings import Settings

    model: Any = Settings
    for part in section:
        if part.isdigit():
            continue
        kind = model.model_fields[part].annotation
        inner = [one for one in get_args(kind) if isinstance(one, type)]
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else inner[0]
    return list(model.model_fields)


def _unknown_variables() -> list[str]:
    from geobservatory.settings import Settings

    # These steer the program and its tests; they are not settings.
    known = {"GEOBS_CONFIG", "GEOBS_HOME", "GEOBS_TEST_DATABASE_URL"}
    tops = {f"GEOBS_{name.upper()}" for name in Settings.model_fields}
    lines = []
    for name in sorted(os.environ):
        top = name.upper().split("__")[0]
        if name.upper().startswith("GEOBS_") and name.upper() not in known and top not in tops:
            close = difflib.get_close_matches(top, sorted(tops | known), n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            lines.append(f"{name}: no such setting{hint}")
    return lines


def _unusable_folders(settings: Any) -> list[str]:
    folder = settings.data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if folder.is_dir() and os.access(folder, os.W_OK):
        return []
    return [f"data_dir: {settings.data_dir} cannot be written"]
