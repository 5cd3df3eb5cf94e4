"""What hubs are to be asked so that all that terms mean is among what they answer."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from geobservatory.errors import InputError
from geobservatory.hubs.model import Query
from geobservatory.hubs.queries.terms import Compare, Meets, Term, Text, Words, certain

_PRODUCT = re.compile(r"([A-Z0-9]{2})_([A-Z]{3})[A-Z_]_\d[A-Z]")
_WORD = re.compile(r"[A-Z0-9]{1,20}")


def question(term: Term, meaning: Mapping[str, str]) -> Query | None:
    """Make a question to hubs of terms.

    Parameters
    ----------
    term
        What is looked for.
    meaning
        What a field is: ``name safe mission serial platform mode type product relative direction
        start stop published footprint``; others are left to whoever holds the answers against the
        term.

    Returns
    -------
    Query or None
        None where the terms leave open both when and where, or name what no hub has: too much would
        be asked of hubs, or in vain.
    """
    asked: dict[str, Any] = {"product_type": None, "mode": None}
    for one in certain(term):
        key = meaning.get(getattr(one, "field", ""))
        if key == "platform" and not _is_ours(one):
            return None
        for name, value in _said(key, one):
            known = asked.get(name)
            if name in ("start", "published_since") and known is not None:
                value = max(known, value)
            elif name == "stop" and known is not None:
                value = min(known, value)
            elif known is not None:
                # Either narrows enough.
                continue
            asked[name] = value
    if not any(name in asked for name in ("start", "stop", "name", "published_since", "area")):
        return None
    try:
        return Query(**asked)
    except InputError:
        return None


def _said(key: str | None, term: Term) -> Iterator[tuple[str, Any]]:
    match term, key:
        case Meets(_, "intersects" | "contains" | "iswithin", area), "footprint":
            yield "area", area
        case Compare(_, how, datetime() as time), "start" | "stop" | "published":
            yield from _times(str(key), how, time)
        case Compare(_, "eq", int() | float() as number), "relative":
            if number == int(number):
                yield "relative_orbit", int(number)
        case ((Words() | Compare(_, "eq", str()) | Text()), "name" | "safe"):
            pattern = re.sub(r"\.SAFE$", "", _pattern(term).upper())
            if len(pattern.strip("*?")) > len("S1A_"):
                yield "name", pattern
        case ((Words() | Compare(_, "eq", str())), _):
            yield from _words(key, _pattern(term).upper())


def _times(key: str, how: str, time: datetime) -> Iterator[tuple[str, datetime]]:
    """Tell what a bound on one end of sensing means for when it meets a time."""
    if key == "published":
        if how in ("gt", "ge", "eq"):
            yield "published_since", time
        return
    if how in ("gt", "ge", "eq"):
        yield "start", time
    if how in ("lt", "le"):
        yield "stop", time


def _words(key: str | None, word: str) -> Iterator[tuple[str, Any]]:
    match key:
        case "product" if found := _PRODUCT.fullmatch(word):
            yield "mode", found[1]
            yield "product_type", found[2]
        case "type" if _WORD.fullmatch(word):
            yield "product_type", word
        case "mode" if _WORD.fullmatch(word):
            yield "mode", word
        case "mission" if _WORD.fullmatch(word):
            yield "missions", (word,)
        case "serial" if re.fullmatch("[A-Z]", word):
            yield "missions", (f"S1{word}",)
        case "direction" if word in ("ASCENDING", "DESCENDING"):
            yield "direction", word.lower()


def _pattern(term: Term) -> str:
    match term:
        case Words(_, pattern):
            return pattern
        case Compare(_, _, value):
            return str(value)
        case Text(_, "startswith", part):
            return f"{part}*"
        case Text(_, "endswith", part):
            return f"*{part}"
        case Text(_, _, part):
            return f"*{part}*"
    return "*"


def _is_ours(term: Term) -> bool:
    match term:
        case Words() | Compare(_, "eq", str()):
            return term({term.field: "SENTINEL-1"})
    return True
