"""One question to all hubs at once: answers stream in, and are merged into scenes.

Each hub is asked in a thread of its own and given up at the deadline; what it had answered by then
counts. So the whole takes as long as the slowest hub, or the deadline.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from geobservatory.errors import GeobservatoryError
from geobservatory.hubs.connector import Connector
from geobservatory.hubs.model import Offer, Product, Query, Scene

DEADLINE_S = 60.0


@dataclass(frozen=True)
class Answer:
    """What became of one hub's part of a search.

    Attributes
    ----------
    found
        How many products it offered.
    seconds
        How long it took.
    failure
        Why its answer is not whole; None where it is. What came before the failure counts.
    first_s
        How long the first page took; None where none came.
    """

    hub: str
    found: int
    seconds: float
    failure: GeobservatoryError | None = None
    first_s: float | None = None


@dataclass(frozen=True)
class Found:
    """What all hubs together know.

    Attributes
    ----------
    scenes
        In the order of sensing.
    answers
        One a hub, in the order of the hubs.
    """

    scenes: tuple[Scene, ...]
    answers: tuple[Answer, ...]

    @property
    def complete(self) -> bool:
        """Whether every hub answered to the end."""
        return all(answer.failure is None for answer in self.answers)


@dataclass(frozen=True)
class _Page:
    hub: int
    offers: tuple[Offer, ...]


@dataclass(frozen=True)
class _End:
    hub: int
    failure: GeobservatoryError | None


class _TooLateError(GeobservatoryError):
    """A hub had not answered at the deadline."""


def search(
    connectors: Sequence[Connector],
    query: Query,
    *,
    deadline_s: float = DEADLINE_S,
    told: Callable[[tuple[Offer, ...]], None] | None = None,
    answered: Callable[[Answer], None] | None = None,
) -> Found:
    """Ask all hubs at once.

    Parameters
    ----------
    connectors
        The hubs, in the order in which their offers are listed.
    query
        What is looked for.
    deadline_s
        When hubs that have not ended are given up, seconds.
    told
        Called, in this thread, with each page of offers as it comes.
    answered
        Called, in this thread, when a hub has ended or was given up.
    """

    def asked(connector: Connector) -> Iterator[Sequence[Offer]]:
        return connector.search(query)

    return _gathered(connectors, asked, deadline_s, told, answered)


def find(connectors: Sequence[Connector], name: str, *, deadline_s: float = DEADLINE_S) -> Found:
    """Ask all hubs for a product by its name, with all they tell of it; see `search`."""

    def asked(connector: Connector) -> Iterator[Sequence[Offer]]:
        offer = connector.find(name)
        yield [] if offer is None else [offer]

    return _gathered(connectors, asked, deadline_s, None, None)


def merge(offers: Sequence[Offer]) -> tuple[Scene, ...]:
    """Merge offers into scenes, by product name; of one acquisition the newest product counts.

    The same acquisition can have been processed more than once; names then differ in their last
    four digits alone. Which is newest is told by the first publication at any hub, since names
    do not tell. Where no hub tells a time all of them stay.
    """
    by_name: dict[str, list[Offer]] = {}
    for offer in offers:
        by_name.setdefault(offer.product.name, []).append(offer)
    by_acquisition: dict[str, list[Scene]] = {}
    for same in by_name.values():
        scene = Scene(_fullest(same), tuple(same))
        by_acquisition.setdefault(scene.product.acquisition, []).append(scene)
    scenes = [scene for ones in by_acquisition.values() for scene in _newest(ones)]
    return tuple(sorted(scenes, key=lambda one: (one.product.start, one.product.name)))


def _fullest(offers: Sequence[Offer]) -> Product:
    """Take what a product is from the hub that tells most of it."""
    return max(
        (offer.product for offer in offers),
        key=lambda one: (one.relative_orbit is not None) + (one.direction is not None),
    )


def _newest(scenes: list[Scene]) -> list[Scene]:
    dated = [(_first_published(scene), scene) for scene in scenes]
    if len(scenes) == 1 or any(time is None for time, _ in dated):
        return scenes
    ordered = [scene for _, scene in sorted(dated, key=lambda one: (one[0], one[1].product.name))]
    older = tuple(scene.product.name for scene in ordered[:-1])
    return [replace(ordered[-1], supersedes=older)]


def _first_published(scene: Scene) -> datetime | None:
    return min((one.published for one in scene.offers if one.published is not None), default=None)


def _gathered(
    connectors: Sequence[Connector],
    asked: Callable[[Connector], Iterator[Sequence[Offer]]],
    deadline_s: float,
    told: Callable[[tuple[Offer, ...]], None] | None,
    answered: Callable[[Answer], None] | None,
) -> Found:
    began = time.monotonic()
    heard: queue.SimpleQueue[_Page | _End] = queue.SimpleQueue()
    stop = threading.Event()
    for number, connector in enumerate(connectors):
        # A daemon: a hub that hangs for ever keeps no process from ending.
        threading.Thread(
            target=_ask, args=(number, connector, asked, heard, stop), daemon=True
        ).start()
    offers: list[list[Offer]] = [[] for _ in connectors]
    answers: dict[int, Answer] = {}
    first_s: dict[int, float] = {}

    def end(number: int, failure: GeobservatoryError | None) -> None:
        name, seconds = connectors[number].name, time.monotonic() - began
        answers[number] = Answer(name, len(offers[number]), seconds, failure, first_s.get(number))
        if answered is not None:
            answered(answers[number])

    while len(answers) < len(connectors):
        try:
            one = heard.get(timeout=max(0.0, began + deadline_s - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(one, _End):
            end(one.hub, one.failure)
            continue
        first_s.setdefault(one.hub, time.monotonic() - began)
        offers[one.hub].extend(one.offers)
        if told is not None and one.offers:
            told(one.offers)
    stop.set()
    for number, connector in enumerate(connectors):
        if number not in answers:
            failure = _TooLateError(f"{connector.name}: no end after {deadline_s:g} s; given up")
            end(number, failure)
    return Found(
        merge([offer for ones in offers for offer in ones]),
        tuple(answers[number] for number in range(len(connectors))),
    )


def _ask(
    number: int,
    connector: Connector,
    asked: Callable[[Connector], Iterator[Sequence[Offer]]],
    heard: "queue.SimpleQueue[_Page | _End]",
    stop: threading.Event,
) -> None:
    failure: GeobservatoryError | None = None
    try:
        for page in asked(connector):
            heard.put(_Page(number, tuple(page)))
            if stop.is_set():
                return
    except GeobservatoryError as error:
        failure = error
    except Exception as error:  # noqa: BLE001  (a fault of one connector silences no other)
        failure = GeobservatoryError(f"{connector.name}: {type(error).__name__}: {error}")
    heard.put(_End(number, failure))
