"""What can go wrong at a hub, and the rules that say when.

A rule strikes the requests it matches: every one, some of them by count, or some by chance. Chance
is a function of the rule's seed and of the request (hub, method, path, how many times it came), so
that a run repeats however its requests interleave.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Annotated, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from geobservatory.errors import ConfigurationError, InputError, NotFoundError
from geobservatory.sandbox.servers.clock import SandboxClock


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Latency(_Fault):
    """The answer begins late."""

    kind: Literal["latency"] = "latency"
    seconds: float = Field(gt=0)


class Bandwidth(_Fault):
    """The body comes slowly."""

    kind: Literal["bandwidth"] = "bandwidth"
    bytes_per_s: float = Field(gt=0)


class Status(_Fault):
    """The hub answers with an error: 429 and 503 with Retry-After, or any other."""

    kind: Literal["status"] = "status"
    code: int = Field(ge=400, le=599)
    retry_after_s: int | None = Field(default=None, ge=0)


class Reset(_Fault):
    """The connection is reset when so much of the body has gone out; at any byte where None."""

    kind: Literal["reset"] = "reset"
    after_bytes: int | None = Field(default=None, ge=0)


class Truncate(_Fault):
    """The body ends early, the connection in good order; at any byte where None."""

    kind: Literal["truncate"] = "truncate"
    after_bytes: int | None = Field(default=None, ge=0)


class Flip(_Fault):
    """Bytes of the body are other than they were."""

    kind: Literal["flip"] = "flip"
    count: int = Field(default=1, ge=1)


class WrongChecksum(_Fault):
    """The catalogue tells a checksum that is not the file's."""

    kind: Literal["wrong_checksum"] = "wrong_checksum"


class WrongLength(_Fault):
    """The length told of a product is off: in the catalogue, or at the head of its download."""

    kind: Literal["wrong_length"] = "wrong_length"
    by: int = Field(description="bytes more (or less) than there are")


class ExpiredToken(_Fault):
    """Credentials are refused as if they had run out."""

    kind: Literal["expired_token"] = "expired_token"


class StaleListing(_Fault):
    """The catalogue is as it was so long ago (sandbox time)."""

    kind: Literal["stale_listing"] = "stale_listing"
    age_s: float = Field(gt=0)


class Offline(_Fault):
    """Products are in the long-term archive, and stay there."""

    kind: Literal["offline"] = "offline"


class Maintenance(_Fault):
    """A web page in place of the answer, with status 200."""

    kind: Literal["maintenance"] = "maintenance"


class Refuse(_Fault):
    """The hub's port is closed, as if its name did not resolve or its machine were down."""

    kind: Literal["refuse"] = "refuse"


class Skew(_Fault):
    """The hub's clock is ahead by so much (behind if negative)."""

    kind: Literal["skew"] = "skew"
    seconds: float


Fault = Annotated[
    Latency
    | Bandwidth
    | Status
    | Reset
    | Truncate
    | Flip
    | WrongChecksum
    | WrongLength
    | ExpiredToken
    | StaleListing
    | Offline
    | Maintenance
    | Refuse
    | Skew,
    Field(discriminator="kind"),
]


class Rule(BaseModel):
    """A fault, and the requests it strikes; patterns are of the shell (``*``, ``?``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="unique; part of the seed")
    fault: Fault
    hub: str = Field(default="*", description="pattern of the hub's name")
    method: str = Field(default="*", description="pattern of the method")
    path: str = Field(default="*", description="pattern of the path, without the query")
    skip: int = Field(default=0, ge=0, description="matching requests let through first")
    times: int | None = Field(default=None, ge=1, description="how many are struck; None for all")
    probability: float = Field(
        default=1.0, ge=0, le=1, description="of a matching request to be struck"
    )
    seed: int = 0
    since: AwareDatetime | None = Field(default=None, description="sandbox time it begins")
    until: AwareDatetime | None = Field(default=None, description="sandbox time it ends")

    @model_validator(mode="after")
    def _a_closed_port_sees_no_request(self) -> Self:
        picky = self.method != "*" or self.path != "*" or self.skip or self.times
        if isinstance(self.fault, Refuse) and (picky or self.probability < 1):
            raise ValueError("a refusal closes the port: it can be limited by hub and time only")
        return self


@dataclass(frozen=True)
class Strike:
    """A fault that strikes a request, and the chance it draws from."""

    rule: str
    fault: Fault
    chance: Random


class Faults:
    """The rules in force, and how often each has matched and struck."""

    def __init__(self, rules: Iterable[Rule], clock: SandboxClock) -> None:
        self._clock = clock
        self._rules: dict[str, Rule] = {}
        self._matched: Counter[str] = Counter()
        self._struck: Counter[str] = Counter()
        self._came: Counter[tuple[str, str, str, str]] = Counter()
        for rule in rules:
            self.add(rule)

    def add(self, rule: Rule) -> None:
        """Put a rule in force; `InputError` where one of its name is."""
        if rule.name in self._rules:
            raise InputError(f"a fault named {rule.name!r} is in force; remove it first")
        self._rules[rule.name] = rule

    def remove(self, name: str) -> None:
        """Lift a rule and forget its counts; `NotFoundError` where there is none of that name."""
        if self._rules.pop(name, None) is None:
            raise NotFoundError(f"no fault named {name!r} is in force")
        self._matched.pop(name, None)
        self._struck.pop(name, None)
        self._came = Counter({key: n for key, n in self._came.items() if key[0] != name})

    def clear(self) -> None:
        """Lift all rules."""
        for name in list(self._rules):
            self.remove(name)

    def listed(self) -> list[tuple[Rule, int]]:
        """List the rules with how many requests each has struck."""
        return [(rule, self._struck[name]) for name, rule in self._rules.items()]

    def strike(self, hub: str, method: str, path: str) -> tuple[Strike, ...]:
        """Count a request, and find what strikes it."""
        now = self._clock.now()
        strikes = (
            self._try(rule, hub, method, path)
            for rule in self._rules.values()
            if not isinstance(rule.fault, Refuse)
            and _in_force(rule, now)
            and fnmatchcase(hub, rule.hub)
            and fnmatchcase(method, rule.method)
            and fnmatchcase(path, rule.path)
        )
        return tuple(strike for strike in strikes if strike is not None)

    def refuses(self, hub: str) -> bool:
        """Tell whether a hub's port is to be closed now."""
        now = self._clock.now()
        return any(
            isinstance(rule.fault, Refuse) and _in_force(rule, now) and fnmatchcase(hub, rule.hub)
            for rule in self._rules.values()
        )

    def _try(self, rule: Rule, hub: str, method: str, path: str) -> Strike | None:
        self._matched[rule.name] += 1
        request = (rule.name, hub, method, path)
        self._came[request] += 1
        # A seed of the request, and no generator in common: the order of arrival changes nothing.
        chance = Random("/".join((str(rule.seed), *request, str(self._came[request]))))  # noqa: S311
        if self._matched[rule.name] <= rule.skip:
            return None
        if rule.times is not None and self._struck[rule.name] >= rule.times:
            return None
        if chance.random() >= rule.probability:
            return None
        self._struck[rule.name] += 1
        return Strike(rule.name, rule.fault, chance)


def read_rules(path: Path) -> list[Rule]:
    """Read a JSON file that lists rules.

    Raises
    ------
    ConfigurationError
        If it cannot be read, or a rule is wrong; the message names the rule's place.
    """
    try:
        return TypeAdapter(list[Rule]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigurationError(f"{path}: not a list of faults: {error}") from error


def _in_force(rule: Rule, now: datetime) -> bool:
    return (rule.since is None or rule.since <= now) and (rule.until is None or now < rule.until)
