"""How far `geobs mirror` is: a bar on a terminal, lines elsewhere, on standard error."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from console.mirror_tables import size_of


@contextmanager
def shown(*, quiet: bool = False) -> Iterator[Any]:
    """Give the listeners of a run that show how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from geobservatory.mirror.bring import Outcome
    from geobservatory.mirror.sync import Listeners

    console = Console(stderr=True)
    if quiet:
        yield Listeners()
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn())
    bars = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    tasks: dict[str, Any] = {}
    lock = threading.Lock()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    def looked(one: Any) -> None:
        what = "all of the window" if one.full else "what is new"
        failure = f", not to the end: {one.failure}" if one.failure else ""
        say(
            f"{one.stream}: {one.hub} was asked for {what}: {one.found} products,"
            f" {len(one.new)} of them new, in {one.seconds:.1f} s{failure}"
        )

    def planned(stream: str, products: int, size: int) -> None:
        with lock:
            if stream not in tasks:
                tasks[stream] = bars.add_task(stream, total=products)
                say(f"{stream}: {products} products to fetch, {size_of(size)}")

    def brought(one: Any) -> None:
        with lock:
            for task in list(tasks.values())[-1:]:
                bars.advance(task)
        if one.outcome is Outcome.CAME:
            say(f"{one.name} came, {size_of(one.size)} {one.said}".rstrip())
        elif one.outcome not in (Outcome.THERE, Outcome.ELSEWHERE):
            say(f"{one.name}: {one.outcome}: {one.said}")

    def went(one: Any) -> None:
        say(f"{one.entry.name} went: {one.why}{'; its annotation stays' if one.reduced else ''}")

    with bars:
        yield Listeners(looked=looked, planned=planned, brought=brought, went=went)


@contextmanager
def scrubbing(*, quiet: bool = False) -> Iterator[Callable[[Any, int, str], None] | None]:
    """Give what is told after each product that was read."""
    if quiet:
        yield None
        return

    def told(entry: Any, read: int, wrong: str) -> None:
        said = wrong or "right"
        print(f"{entry.name}: {said}; {size_of(read)} read", file=sys.stderr, flush=True)

    yield told
