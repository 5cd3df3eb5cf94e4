"""What a question says, whichever language it was written in: terms over the fields of a product.

A term is called with the fields of a product and tells whether it is one of those looked for. What
reads terms otherwise (as SQL, as a question to hubs) may be content with less; the call decides.
"""

import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from shapely.geometry.base import BaseGeometry

Fields = Mapping[str, Any]
ATTRIBUTES = "Attributes"
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "contains": lambda value, part: part in value,
    "startswith": str.startswith,
    "endswith": str.endswith,
}

How = Literal["contains", "startswith", "endswith"]
Relation = Literal["intersects", "contains", "iswithin"]


class Term(ABC):
    """One of the terms below."""

    @abstractmethod
    def __call__(self, item: Fields) -> bool:
        """Tell whether a product is meant."""


@dataclass(frozen=True)
class Everything(Term):
    """Any product."""

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        return True


@dataclass(frozen=True)
class AllOf(Term):
    """What all terms mean."""

    terms: tuple[Term, ...]

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        return all(term(item) for term in self.terms)


@dataclass(frozen=True)
class AnyOf(Term):
    """What one of the terms means."""

    terms: tuple[Term, ...]

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        return any(term(item) for term in self.terms)


@dataclass(frozen=True)
class Not(Term):
    """What a term does not mean."""

    term: Term

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        return not self.term(item)


@dataclass(frozen=True)
class Compare(Term):
    """A field against a value; text as it is, or (`fold`) without regard to case.

    Attributes
    ----------
    field
        Its name; of an attribute ``Attributes/NAME``.
    how
        ``eq ne gt ge lt le``.
    """

    field: str
    how: str
    value: Any
    fold: bool = False

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        value, compare = value_of(item, self.field), COMPARE[self.how]
        if value is None or self.value is None:
            return self.how in ("eq", "ne") and compare(value, self.value)
        if self.fold and isinstance(value, str):
            value = value.lower()
        try:
            return bool(compare(value, self.value))
        except TypeError:
            return False


@dataclass(frozen=True)
class Among(Term):
    """A field that is one of some values."""

    field: str
    values: tuple[Any, ...]

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        return value_of(item, self.field) in self.values


@dataclass(frozen=True)
class Words(Term):
    """A text, or a word of it, of a pattern in small letters (``*`` and ``?``)."""

    field: str
    pattern: str

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        value = value_of(item, self.field)
        if not isinstance(value, str):
            return False
        folded = value.lower()
        pattern = self.pattern.replace("[", "[[]")
        return any(fnmatchcase(word, pattern) for word in (folded, *folded.split()))


@dataclass(frozen=True)
class Text(Term):
    """A text that begins with, ends with or has another in it."""

    field: str
    how: How
    part: str

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        value = value_of(item, self.field)
        return isinstance(value, str) and _TEXT[self.how](value, self.part)


@dataclass(frozen=True)
class Known(Term):
    """A field that has a value."""

    field: str

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        return value_of(item, self.field) is not None


@dataclass(frozen=True)
class Meets(Term):
    """A footprint that meets, contains, or is within an area (EPSG:4326)."""

    field: str
    relation: Relation
    area: BaseGeometry

    def __call__(self, item: Fields) -> bool:
        """See `Term`."""
        footprint = item[self.field]
        match self.relation:
            case "contains":
                return bool(footprint.contains(self.area))
            case "iswithin":
                return bool(footprint.within(self.area))
        return bool(footprint.intersects(self.area))


def value_of(item: Fields, field: str) -> Any:
    """Give the value of a field, or of an attribute; None where there is none."""
    group, _, name = field.partition("/")
    if group == ATTRIBUTES:
        return item[ATTRIBUTES].get(name)
    return item.get(field)


def together(terms: list[Term]) -> Term:
    """Join terms that all hold."""
    return terms[0] if len(terms) == 1 else AllOf(tuple(terms))


def either(terms: list[Term]) -> Term:
    """Join terms of which one holds."""
    return terms[0] if len(terms) == 1 else AnyOf(tuple(terms))


def certain(term: Term) -> Iterator[Term]:
    """List the terms that hold of every product that is meant."""
    if isinstance(term, AllOf):
        for one in term.terms:
            yield from certain(one)
    else:
        yield term


def size_of(term: Term) -> int:
    """Count the terms in a term."""
    match term:
        case AllOf(terms) | AnyOf(terms):
            return sum(map(size_of, terms))
        case Not(inner):
            return size_of(inner)
    return 1


def wildcards(pattern: str) -> str:
    """Write a pattern with as few wildcards as do: many in a row cost as many tries."""
    return re.sub(r"\*+", "*", pattern)
