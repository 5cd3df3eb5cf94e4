"""The filter language of OData v4, as far as clients of the Copernicus Data Space use it.

What clients of a DHuS write (OData v2) is understood as well: ``substringof``, ``datetime'…'``.

Comparisons (``eq ne gt ge lt le in``), ``and or not``, ``contains startswith endswith``,
``OData.CSC.Intersects(area=geography'SRID=4326;…')`` and attributes through
``Attributes/OData.CSC.StringAttribute/any(att:att/Name eq '…' and att/…/Value eq …)``.

Source: OData 4.01, part 2 (URL conventions), sections 5.1.1 and 5.1.1.13.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast, get_args

from geobservatory.errors import InputError
from geobservatory.hubs.queries.areas import read_area
from geobservatory.hubs.queries.terms import (
    ATTRIBUTES,
    COMPARE,
    Among,
    Compare,
    How,
    Meets,
    Not,
    Term,
    Text,
    either,
    together,
)

_TOKEN = re.compile(
    r"""\s*(?:(?P<area>geography'(?:[^']|'')*')
    |datetime(?:offset)?'(?P<stamp>[^']*)'
    |(?P<text>'(?:[^']|'')*')
    |(?P<guid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})
    |(?P<date>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?)
    |(?P<number>[+-]?\d{1,18}(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<word>[A-Za-z_][\w.]*(?:/[A-Za-z_][\w.]*)*)
    |(?P<sign>[(),:=]))""",
    re.VERBOSE,
)
_ATTRIBUTES = re.compile(r"Attributes/OData\.CSC\.\w+Attribute/any")
_VALUE = re.compile(r"(?:OData\.CSC\.(?P<type>\w+)Attribute/)?Value")
_TYPES: dict[str, type] = {
    "String": str,
    "Integer": int,
    "Double": float,
    "Boolean": bool,
    "DateTimeOffset": datetime,
}
_MAX_DEPTH = 50


def parse_filter(text: str, fields: Mapping[str, type]) -> Term:
    """Read a filter.

    Parameters
    ----------
    text
        The filter.
    fields
        What products can be asked for, by path (``ContentDate/Start``), and its type. What the
        term is called with has the same keys, and ``Footprint`` (a geometry) and ``Attributes``
        (name to value).

    Raises
    ------
    InputError
        If it is not of the language, names a field there is not, or compares unlike things.
    """
    return _Parser(text, fields).parse()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, type]) -> None:
        self._fields = fields
        self._tokens = _tokens(text)
        self._at = self._depth = 0

    def parse(self) -> Term:
        term = self._either()
        if self._at < len(self._tokens):
            raise InputError(f"Invalid filter: unexpected '{self._peek().text}'")
        return term

    def _peek(self) -> _Token:
        end = _Token("end", "end of filter")
        return self._tokens[self._at] if self._at < len(self._tokens) else end

    def _take(self, kind: str, text: str | None = None) -> str:
        token = self._peek()
        if token.kind != kind or text not in (None, token.text):
            raise InputError(f"Invalid filter: '{text or kind}' expected, not '{token.text}'")
        self._at += 1
        return token.text

    def _is(self, text: str) -> bool:
        token = self._peek()
        if token.kind not in ("word", "sign") or token.text.lower() != text:
            return False
        self._at += 1
        return True

    def _either(self) -> Term:
        options = [self._all()]
        while self._is("or"):
            options.append(self._all())
        return either(options)

    def _all(self) -> Term:
        terms = [self._one()]
        while self._is("and"):
            terms.append(self._one())
        return together(terms)

    def _one(self) -> Term:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise InputError("Invalid filter: nested too deeply")
        term = self._plain()
        self._depth -= 1
        return term

    def _plain(self) -> Term:
        if self._is("not"):
            return Not(self._one())
        if self._is("("):
            term = self._either()
            self._take("sign", ")")
            return term
        word = self._take("word")
        if word in get_args(How):
            return self._text(cast(How, word))
        if word == "substringof":
            return self._substring()
        if word == "OData.CSC.Intersects":
            return self._intersects()
        if _ATTRIBUTES.fullmatch(word):
            return self._attribute()
        return self._comparison(word)

    def _text(self, how: How) -> Term:
        self._take("sign", "(")
        field = self._take("word")
        if self._fields.get(field) is not str:
            raise InputError(f"Invalid field: {field} is no text")
        self._take("sign", ",")
        part = _unquoted(self._take("text"))
        self._take("sign", ")")
        return Text(field, how, part)

    def _substring(self) -> Term:
        """Read ``substringof('part', Field)`` of OData v2 (section 4.5)."""
        self._take("sign", "(")
        part = _unquoted(self._take("text"))
        self._take("sign", ",")
        field = self._take("word")
        self._take("sign", ")")
        if self._fields.get(field) is not str:
            raise InputError(f"Invalid field: {field} is no text")
        return Text(field, "contains", part)

    def _intersects(self) -> Term:
        self._take("sign", "(")
        self._take("word")
        self._take("sign", "=")
        text = _unquoted(self._take("area").removeprefix("geography"))
        self._take("sign", ")")
        srid, _, shape = text.partition(";")
        if srid.replace(" ", "").upper() != "SRID=4326":
            raise InputError(f"Invalid geography '{text[:60]}': SRID=4326 is needed")
        return Meets("Footprint", "intersects", read_area(shape))

    def _comparison(self, field: str) -> Term:
        if field not in self._fields:
            raise InputError(f"Invalid field: {field}")
        holds = self._fields[field]
        if self._is("in"):
            return Among(field, tuple(self._list(field, holds)))
        return Compare(field, *self._right_side(field, holds))

    def _attribute(self) -> Term:
        """Read ``(att:att/Name eq 'x' and att/OData.CSC.StringAttribute/Value eq 'y')``."""
        self._take("sign", "(")
        variable = self._take("word")
        self._take("sign", ":")
        self._take("word", f"{variable}/Name")
        self._take("word", "eq")
        name = _unquoted(self._take("text"))
        self._take("word", "and")
        path = self._take("word")
        match = _VALUE.fullmatch(path.removeprefix(f"{variable}/"))
        if match is None or match["type"] not in (None, *_TYPES):
            raise InputError(f"Invalid field: {path}")
        holds = _TYPES[match["type"]] if match["type"] else None
        how, value = self._right_side(name, holds)
        self._take("sign", ")")
        return Compare(f"{ATTRIBUTES}/{name}", how, value)

    def _right_side(self, field: str, holds: type | None) -> tuple[str, Any]:
        word = self._take("word")
        if word not in COMPARE:
            raise InputError(f"Invalid filter: '{word}' is no comparison")
        return word, self._literal(field, holds)

    def _list(self, field: str, holds: type) -> list[Any]:
        self._take("sign", "(")
        values = [self._literal(field, holds)]
        while self._is(","):
            values.append(self._literal(field, holds))
        self._take("sign", ")")
        return values

    def _literal(self, field: str, holds: type | None) -> Any:
        token = self._peek()
        self._at += 1
        value = _value(token)
        if holds is datetime and isinstance(value, str):
            # Some clients quote their times, and the real service takes them so.
            value = _time(value)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if holds in (int, float) and number:
            return value
        if holds is None or value is None or type(value) is holds:
            return value
        raise InputError(f"Invalid filter: {field} cannot be compared with {token.text}")


def _value(token: _Token) -> Any:
    match token.kind:
        case "text":
            return _unquoted(token.text)
        case "guid":
            return token.text.lower()
        case "date" | "stamp":
            return _time(token.text)
        case "number":
            number = float(token.text) if re.search(r"[.eE]", token.text) else int(token.text)
            if math.isfinite(number):
                return number
        case "word" if token.text in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token.text]
    raise InputError(f"Invalid filter: a value is expected, not '{token.text}'")


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"Invalid filter: '{text}' is no time") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _unquoted(text: str) -> str:
    return text[1:-1].replace("''", "'")


def _tokens(text: str) -> list[_Token]:
    tokens, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise InputError(f"Invalid filter at '{text[at : at + 20]}'")
        tokens.append(_Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens
