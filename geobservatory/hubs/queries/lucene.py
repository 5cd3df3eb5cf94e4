"""The query language of a DHuS, as far as its clients use it: fields, ranges, AND, OR, NOT.

Text is compared without regard to case, word by word, with ``*`` and ``?``; neighbours without a
word between them are joined by AND.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from geobservatory.errors import InputError
from geobservatory.hubs.queries.areas import read_area
from geobservatory.hubs.queries.terms import (
    Compare,
    Everything,
    Known,
    Meets,
    Not,
    Relation,
    Term,
    Words,
    either,
    together,
    wildcards,
)

Kind = Literal["text", "number", "date", "area"]

_TOKEN = re.compile(
    r"""\s*(?:(?P<range>[\[{][^\]}]*[\]}])
    |(?P<quoted>"(?:[^"\\]|\\.)*")
    |(?P<sign>[():])
    |(?P<word>(?:[^\s():"\[\]{}\\]|\\.)+))""",
    re.VERBOSE,
)
_RANGE = re.compile(r'[\[{]\s*("[^"]*"|\S+)\s+TO\s+("[^"]*"|\S+)\s*[\]}]')
_DATE = re.compile(r"(NOW|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)((?:[+-]\d+\w+|/\w+)*)")
_STEP = re.compile(r"(?:(?P<count>[+-]\d+)|/)(?P<unit>[A-Z]+?)S?(?=[-+/]|$)")
_UNITS = {
    "SECOND": 1,
    "MINUTE": 60,
    "HOUR": 3600,
    "DAY": 86_400,
    "WEEK": 604_800,
    "MONTH": 2_592_000,
    "YEAR": 31_536_000,
}
_AREA = re.compile(r"\s*(Intersects|Contains|IsWithin)\s*\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_MAX_DEPTH = 50


def parse_query(text: str, kinds: Mapping[str, Kind], now: datetime) -> Term:
    """Read a query.

    Parameters
    ----------
    text
        The query, such as ``platformname:Sentinel-1 AND relativeorbitnumber:[50 TO 60]``.
    kinds
        The fields there are, in small letters, and what they hold.
    now
        What NOW means.

    Raises
    ------
    InputError
        If it is not of the language, or names a field there is not.
    """
    return _Parser(text, kinds, now).parse()


class _Parser:
    def __init__(self, text: str, kinds: Mapping[str, Kind], now: datetime) -> None:
        self._kinds, self._now = kinds, now
        self._tokens = _tokens(text)
        self._at = self._depth = 0

    def parse(self) -> Term:
        if not self._tokens:
            raise InputError("the query is empty")
        term = self._either(None)
        if self._at < len(self._tokens):
            raise InputError(f"Cannot parse '{self._tokens[self._at][1]}'")
        return term

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "<EOF>")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _either(self, field: str | None) -> Term:
        options = [self._all(field)]
        while self._peek() in (("word", "OR"), ("word", "||")):
            self._take()
            options.append(self._all(field))
        return either(options)

    def _all(self, field: str | None) -> Term:
        terms = [self._one(field)]
        while self._peek() not in (("end", "<EOF>"), ("sign", ")"), ("word", "OR"), ("word", "||")):
            if self._peek() in (("word", "AND"), ("word", "&&")):
                self._take()
            terms.append(self._one(field))
        return together(terms)

    def _one(self, field: str | None) -> Term:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise InputError("the query is nested too deeply")
        term = self._plain(field)
        self._depth -= 1
        return term

    def _plain(self, field: str | None) -> Term:
        kind, text = self._take()
        if (kind, text) in (("word", "NOT"), ("word", "!")):
            return Not(self._one(field))
        if (kind, text) == ("sign", "("):
            term = self._either(field)
            if self._take() != ("sign", ")"):
                raise InputError("Cannot parse the query: a parenthesis is not closed")
            return term
        if kind == "word" and self._peek() == ("sign", ":"):
            self._take()
            name = text.lstrip("-!")
            term = self._field(name.removeprefix("+"))
            return Not(term) if (len(text) - len(name)) % 2 else term
        if kind in ("end", "sign"):
            raise InputError(f"Cannot parse the query: encountered '{text}'")
        return self._term(field or "identifier", kind, text)

    def _field(self, name: str) -> Term:
        field = name.lower()
        if field == "*" and self._peek() == ("word", "*"):
            self._take()
            return Everything()
        if field not in self._kinds:
            raise InputError(f"undefined field {name}")
        if self._peek() == ("sign", "("):
            return self._one(field)
        kind, text = self._take()
        if kind in ("end", "sign"):
            raise InputError(f"Cannot parse the query: {name} has no value")
        return self._term(field, kind, text)

    def _term(self, field: str, kind: str, text: str) -> Term:
        holds = self._kinds[field]
        value = re.sub(r"\\(.)", r"\1", text.strip('"'))
        if text == "*":
            return Known(field)
        if kind == "range":
            return self._range(field, holds, text)
        if holds == "area":
            return _related(field, value)
        if holds == "text":
            return Words(field, wildcards(value.lower()))
        return Compare(field, "eq", self._value(holds, value))

    def _range(self, field: str, holds: Kind, text: str) -> Term:
        match = _RANGE.fullmatch(text)
        if match is None or holds == "area":
            raise InputError(f"Cannot parse '{text}' as a range of {field}")
        low, high = (
            None if end.strip('"') == "*" else self._value(holds, end.strip('"'))
            for end in match.groups()
        )
        fold, terms = holds == "text", [cast(Term, Known(field))]
        if low is not None:
            terms.append(Compare(field, "ge" if text[0] == "[" else "gt", low, fold))
        if high is not None:
            terms.append(Compare(field, "le" if text[-1] == "]" else "lt", high, fold))
        return together(terms)

    def _value(self, holds: Kind, text: str) -> Any:
        try:
            if holds == "number":
                number = float(text)
                if not math.isfinite(number):
                    raise ValueError(text)
                return number
            return solr_date(text, self._now) if holds == "date" else text.lower()
        except (ValueError, OverflowError) as error:
            raise InputError(f"Invalid {holds} String:'{text}'") from error


def solr_date(text: str, now: datetime) -> datetime:
    """Read a date with its arithmetic, such as ``NOW/DAY-2DAYS``.

    Parameters
    ----------
    text
        An ISO 8601 time that ends with Z, or NOW; then steps (``+1HOUR``) and roundings (``/DAY``).
        A month counts 30 days, a year 365.
    now
        What NOW means.

    Raises
    ------
    ValueError
        If it is none.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a date")
    time = now if match[1] == "NOW" else datetime.fromisoformat(match[1]).astimezone(UTC)
    for step in _STEP.finditer(match[2]):
        seconds = _UNITS.get(step["unit"])
        if seconds is None:
            raise ValueError(f"{step['unit']!r} is no unit of time")
        if step["count"] is None:
            time -= timedelta(seconds=time.timestamp() % seconds)
        else:
            time += timedelta(seconds=int(step["count"]) * seconds)
    return time


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise InputError(f"Cannot parse the query at '{text[at : at + 20]}'")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


def _related(field: str, text: str) -> Term:
    match = _AREA.fullmatch(text)
    if match is None:
        raise InputError(f"Invalid footprint '{text[:60]}': Intersects, Contains or IsWithin")
    return Meets(field, cast(Relation, match[1].lower()), read_area(match[2]))
