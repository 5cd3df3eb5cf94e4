"""Which hub offers which product, from when, until when, and whether at once or from tape.

A hub holds a share of the products, chosen by a hash of its name and theirs: shares of different
hubs overlap, and are the same in every run.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from geobservatory.sandbox.servers.stock import StockItem


class OfferPolicy(BaseModel):
    """What a hub offers of the products there are; times are sandbox time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(
        default=1.0, ge=0, le=1, description="part of all products that it ever gets"
    )
    delay_s: float = Field(
        default=0.0, ge=0, description="from publication until its listing has it"
    )
    spread_s: float = Field(
        default=0.0, ge=0, description="more delay, between 0 and this, by product"
    )
    window_days: float | None = Field(
        default=None, gt=0, description="days after sensing until it goes"
    )
    offline_after_days: float | None = Field(
        default=None, ge=0, description="days after sensing until it is in the long-term archive"
    )
    retrieval_s: float = Field(
        default=3600.0, ge=0, description="from a request until it is back online"
    )
    kept_s: float = Field(default=259_200.0, ge=0, description="how long it then stays online")


@dataclass(frozen=True)
class Offered:
    """A product in a hub's listing."""

    item: StockItem
    published: datetime
    online: bool


class Shelf:
    """What one hub has.

    Parameters
    ----------
    hub
        Its name; another name gets another share.
    policy
        Its habits.
    stock
        All products there are.
    """

    def __init__(self, hub: str, policy: OfferPolicy, stock: Iterable[StockItem]) -> None:
        self._policy = policy
        self._retrieved: dict[UUID, datetime] = {}
        self._held = {
            item.uuid: (item, item.published + self._delay(hub, item))
            for item in stock
            if _fraction(f"share/{hub}/{item.name}") < policy.share
        }

    def at(self, time: datetime) -> list[Offered]:
        """List what is offered at a sandbox time, oldest publication first."""
        offered = (self.find(uuid, time) for uuid in self._held)
        return sorted(
            (one for one in offered if one is not None),
            key=lambda one: (one.published, str(one.item.name)),
        )

    def find(self, uuid: UUID, time: datetime) -> Offered | None:
        """Find a product as it is offered at a sandbox time, or None."""
        if uuid not in self._held:
            return None
        item, published = self._held[uuid]
        days = self._policy.window_days
        if published > time or (days is not None and item.stop + timedelta(days=days) <= time):
            return None
        return Offered(item, published, self._online(item, time))

    def retrieve(self, uuid: UUID, time: datetime) -> None:
        """Order a product from the long-term archive; an order under way is not made twice."""
        if uuid not in self._retrieved or self._gone(uuid, time):
            self._retrieved[uuid] = time + timedelta(seconds=self._policy.retrieval_s)

    def retrieving(self, time: datetime) -> int:
        """Count the orders under way."""
        return sum(ready > time for ready in self._retrieved.values())

    def _online(self, item: StockItem, time: datetime) -> bool:
        days = self._policy.offline_after_days
        if days is None or time < item.stop + timedelta(days=days):
            return True
        ready = self._retrieved.get(item.uuid)
        return ready is not None and ready <= time and not self._gone(item.uuid, time)

    def _gone(self, uuid: UUID, time: datetime) -> bool:
        return time >= self._retrieved[uuid] + timedelta(seconds=self._policy.kept_s)

    def _delay(self, hub: str, item: StockItem) -> timedelta:
        spread = self._policy.spread_s * _fraction(f"delay/{hub}/{item.name}")
        return timedelta(seconds=self._policy.delay_s + spread)


def _fraction(text: str) -> float:
    """Turn a text into a number in [0, 1) that looks random and is always the same."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
