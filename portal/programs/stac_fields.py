"""Which fields of items are shown: the fields extension of STAC API, by address and by body.

Source: https://github.com/stac-api-extensions/fields, version 1.0.0. What it leaves to servers:
what is included is shown and no more, but for what says which item it is; without anything included
all but what is excluded; of two names the more exact one counts, and inclusion if they are alike.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from geobservatory.errors import InputError

_MOST, _LONGEST = 100, 200
_ALWAYS = ("type", "stac_version", "id", "collection")


@dataclass(frozen=True)
class ShownFields:
    """Names of fields, with points between those of objects and of what is in them."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def of(self, item: dict[str, Any]) -> dict[str, Any]:
        """Give what is shown of an item; names that it does not have mean nothing."""
        if not self.include and not self.exclude:
            return item
        shown: dict[str, Any] = {} if self.include else deepcopy(item)
        named = [(path, False) for one in self.exclude if (path := _path(item, one))]
        named += [(path, True) for one in self.include if (path := _path(item, one))]
        for path, taken in sorted(named, key=lambda one: len(one[0])):
            if taken:
                _take(shown, item, path)
            else:
                _leave(shown, path)
        return {**{name: item[name] for name in _ALWAYS if name in item}, **shown}


def read_fields(given: Any) -> ShownFields:
    """Read which fields are asked for: a text with commas and signs, or two lists.

    Raises
    ------
    InputError
        If it is neither.
    """
    if given is None:
        return ShownFields()
    if isinstance(given, str):
        # A plus sign in an address is a space to who has not escaped it.
        names = [one.strip() for one in given.split(",") if one.strip("+ ")]
        left = [one[1:] for one in names if one.startswith("-")]
        return ShownFields(
            _names([one.lstrip("+ ") for one in names if not one.startswith("-")]), _names(left)
        )
    if not isinstance(given, Mapping):
        raise InputError("fields: it is neither a text nor an object with include and exclude")
    return ShownFields(_names(given.get("include") or []), _names(given.get("exclude") or []))


def _names(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or len(given) > _MOST:
        raise InputError(f"fields: a list of {_MOST} names at most")
    if not all(isinstance(one, str) and 0 < len(one) <= _LONGEST for one in given):
        raise InputError(f"fields: a name of {_LONGEST} signs at most")
    return tuple(given)


def _path(item: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """Find what a name means; names of files have points, too."""
    if name in item:
        return (name,)
    for place, sign in enumerate(name):
        inside = item.get(name[:place]) if sign == "." else None
        if isinstance(inside, Mapping):
            rest = _path(inside, name[place + 1 :])
            if rest is not None:
                return (name[:place], *rest)
    return None


def _take(shown: dict[str, Any], item: Mapping[str, Any], path: tuple[str, ...]) -> None:
    *way, last = path
    source: Any = item
    for key in way:
        shown, source = shown.setdefault(key, {}), source[key]
    shown[last] = deepcopy(source[last])


def _leave(shown: Any, path: tuple[str, ...]) -> None:
    *way, last = path
    for key in way:
        shown = shown.get(key, {})
    shown.pop(last, None)
