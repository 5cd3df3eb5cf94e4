"""What is known of SNAP's operators (`operators.toml`), and whether a graph keeps to it.

SNAP cannot be run where this was written, so that a graph is held against what its documents say
before `gpt` ever sees it. Problems are worded as `gpt` words them, as far as that is known.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from geobservatory.engines.snap.graph import Graph, Node
from geobservatory.errors import InputError

_INTERVAL = re.compile(r"(?P<open>[\[(])(?P<least>[^,]+),\s*(?P<most>[^\])]+)(?P<close>[\])])")


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operator.

    Attributes
    ----------
    type
        ``string``, ``int``, ``double``, ``boolean``, ``file`` or ``list`` (values with commas).
    values, interval
        What is allowed; everything of the type where empty. The interval as SNAP writes it.
    not_in
        Versions known not to have it.
    """

    name: str
    type: str
    default: str | None = None
    values: tuple[str, ...] = ()
    interval: str = ""
    required: bool = False
    not_in: tuple[str, ...] = ()

    def problem(self, text: str) -> str | None:
        """Say what is wrong with a value, or None."""
        if text == "" and not self.required:
            return None
        if self.type == "boolean" and text not in ("true", "false"):
            return f"Value for '{self.name}' is invalid: '{text}'"
        if self.type in ("int", "double") and not self._number(text):
            return f"Value for '{self.name}' is invalid: '{text}'"
        for one in text.split(",") if self.type == "list" else [text]:
            if self.values and one not in self.values:
                return f"Value for '{self.name}' is invalid: '{text}'"
        if self.interval and not _within(float(text), self.interval):
            return f"Value for '{self.name}' is out of range {self.interval}"
        return None

    def _number(self, text: str) -> bool:
        try:
            int(text) if self.type == "int" else float(text)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class Operator:
    """An operator: what goes in, after which others, what it is told.

    Attributes
    ----------
    sources
        How many products go in, least and most.
    after
        Operators whose output it takes; ``*`` for any.
    bands
        Names of those it leaves.
    errors
        What it says when its input is not what it needs.
    document
        Where this is from.
    """

    name: str
    document: str
    sources: tuple[int, int]
    after: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    bands: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    least_bursts: int = 1


@cache
def operators() -> Mapping[str, Operator]:
    """Read the catalogue."""
    return {
        name: _operator(name, about)
        for name, about in _catalogue().items()
        if isinstance(about, dict)
    }


def versions() -> tuple[str, ...]:
    """Versions of SNAP the catalogue speaks of, the oldest first."""
    return tuple(_catalogue()["versions"])


def problems(graph: Graph, version: str | None = None) -> Iterator[str]:
    """Say what `gpt` would object to in a graph, in its words; nothing where all is well.

    Parameters
    ----------
    version
        Of SNAP, ``9`` to ``13`` (a longer one is cut); parameters it is known to lack are
        objected to. None for any.
    """
    known = operators()
    major = None if version is None else version.split(".")[0]
    seen: set[str] = set()
    for node in graph:
        operator = known.get(node.operator)
        where = f"[NodeId: {node.id}]"
        if operator is None:
            yield f"{where} SPI not found for operator '{node.operator}'"
            continue
        for one in node.sources:
            if one not in seen:
                yield f"{where} Missing source. Node Id: {one} Name: sourceProduct"
            elif not _follows(operator, graph[one].operator):
                yield f"{where} {operator.name} does not take what {graph[one].operator} leaves"
        least, most = operator.sources
        if not least <= len(node.sources) <= most:
            said = operator.errors.get("sources")
            yield f"{where} {said or 'Mandatory source product (field sourceProduct) not set.'}"
        for problem in _of_parameters(node, operator, major):
            yield f"{where} Operator '{node.operator}': {problem}"
        seen.add(node.id)


def require_valid(graph: Graph, version: str | None = None) -> None:
    """Refuse a graph that does not keep to the catalogue.

    Raises
    ------
    InputError
        With everything that is wrong.
    """
    found = list(problems(graph, version))
    if found:
        raise InputError(f"SNAP would refuse the graph: {'; '.join(found)}")


def _follows(operator: Operator, before: str) -> bool:
    return "*" in operator.after or before in operator.after


def _of_parameters(node: Node, operator: Operator, major: str | None) -> Iterator[str]:
    for name, text in node.parameters.items():
        known = operator.parameters.get(name)
        if known is None or major in known.not_in:
            yield f"Unknown element '{name}'"
        elif problem := known.problem(text):
            yield problem
    for known in operator.parameters.values():
        if known.required and not node.parameters.get(known.name):
            yield f"Value for '{known.name}' must not be empty"


@cache
def _catalogue() -> Mapping[str, Any]:
    return tomllib.loads(files(__package__).joinpath("operators.toml").read_text("utf-8"))


def _operator(name: str, about: Mapping[str, Any]) -> Operator:
    return Operator(
        name,
        about["document"],
        (about["sources"][0], about["sources"][1]),
        tuple(about["after"]),
        {
            key: Parameter(
                key,
                one["type"],
                one.get("default"),
                tuple(one.get("values", ())),
                one.get("interval", ""),
                one.get("required", False),
                tuple(one.get("not_in", ())),
            )
            for key, one in about["parameters"].items()
        },
        tuple(about.get("bands", ())),
        about.get("errors", {}),
        about.get("least_bursts", 1),
    )


def _within(value: float, interval: str) -> bool:
    match = _INTERVAL.fullmatch(interval)
    if match is None:
        raise ValueError(f"{interval} is no interval")
    least, most = match["least"].strip(), match["most"].strip()
    above = least == "*" or value > float(least) or (match["open"] == "[" and value == float(least))
    below = most == "*" or value < float(most) or (match["close"] == "]" and value == float(most))
    return above and below
