"""What is known of GAMMA's commands (`commands.toml`), and whether a call keeps to it.

GAMMA cannot be run where this was written, so that a call is held against what its documents say
before any command sees it.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from geobservatory.errors import InputError

# What stands for a default, or for no file.
NONE = "-"
_FILES = ("in", "out", "both")


@dataclass(frozen=True)
class Argument:
    """A positional argument.

    `kind` is ``in``, ``out`` or ``both`` (files), ``int``, ``float``, ``text``, or
    numbers to choose from, as ``0|1``.
    """

    name: str
    kind: str
    optional: bool

    @property
    def reads(self) -> bool:
        """Whether it is a file that has to be there."""
        return self.kind in ("in", "both")

    @property
    def writes(self) -> bool:
        """Whether it is a file that the command leaves."""
        return self.kind in ("out", "both")

    def problem(self, text: str) -> str | None:
        """Say what is wrong with a value, or None."""
        if text == NONE and self.optional:
            return None
        if self.kind in (*_FILES, "text"):
            return None if text and text != NONE else f"{self.name} has to be given"
        pattern = {"int": r"[+-]?\d+", "float": r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"}
        if re.fullmatch(pattern.get(self.kind, re.escape(self.kind).replace(r"\|", "|")), text):
            return None
        return f"invalid {self.name}: {text} (it is {self.kind})"


@dataclass(frozen=True)
class Command:
    """A command: its positional arguments, its module, its former name."""

    name: str
    module: str
    document: str
    arguments: tuple[Argument, ...]
    options: Mapping[str, int]
    formerly: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)

    def bind(self, given: Sequence[str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """Give positional arguments by name, and options, of a call.

        Raises
        ------
        InputError
            If there are too many or an option is unknown.
        """
        first = next((n for n, one in enumerate(given) if one.startswith("--")), len(given))
        named = dict(zip((one.name for one in self.arguments), given[:first], strict=False))
        if first > len(self.arguments):
            raise InputError(f"{self.name}: takes {len(self.arguments)} arguments, not {first}")
        options: dict[str, str] = {}
        rest = list(given[first:])
        while rest:
            option = rest.pop(0)
            if option not in self.options or len(rest) < self.options[option]:
                raise InputError(f"{self.name}: unrecognized arguments: {option}")
            options[option] = rest.pop(0) if self.options[option] else ""
        return named, options


@cache
def commands() -> Mapping[str, Command]:
    """Read the catalogue; commands stand under their former names as well."""
    text = files(__package__).joinpath("commands.toml").read_text("utf-8")
    found: dict[str, Command] = {}
    for name, about in tomllib.loads(text).items():
        found[name] = Command(
            name,
            about["module"],
            about["document"],
            tuple(_argument(one) for one in about["arguments"]),
            about.get("options", {}),
            about.get("formerly"),
            about.get("errors", {}),
        )
    for one in list(found.values()):
        if one.formerly is not None and one.formerly not in found:
            found[one.formerly] = one
    return found


def problems(call: Sequence[str]) -> Iterator[str]:
    """Say what is wrong with a call; nothing where all is well."""
    name, *given = call
    command = commands().get(name)
    if command is None:
        yield f"{name}: is no command of the catalogue"
        return
    try:
        named, _ = command.bind(given)
    except InputError as error:
        yield str(error)
        return
    for one in command.arguments:
        if one.name not in named:
            if not one.optional:
                yield f"{name}: {one.name} is missing"
        elif problem := one.problem(named[one.name]):
            yield f"{name}: {problem}"


def files_of(call: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the files that a call reads and writes."""
    name, *given = call
    command = commands()[name]
    named, _ = command.bind(given)
    read = [named[a.name] for a in command.arguments if a.reads and a.name in named]
    written = [named[a.name] for a in command.arguments if a.writes and a.name in named]
    return tuple(one for one in read if one != NONE), tuple(one for one in written if one != NONE)


def _argument(text: str) -> Argument:
    name, kind = text.split(" ")
    return Argument(name, kind.removesuffix("?"), kind.endswith("?"))
