"""What a connector is: one kind of hub, spoken to. Adding a kind is one file and a line below it.

A connector is used by several threads. It raises the errors of `transfer.source`, and says nothing
of credentials in any message.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from geobservatory.hubs.model import Offer, Query
from geobservatory.transfer.asf_bursts import BurstService
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.source import Source


class Connector(Protocol):
    """One hub, spoken to in its protocol."""

    @property
    def name(self) -> str:
        """Of the hub, in the settings."""

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        """Ask for products, page by page to the end, each offer once.

        In the order of publication as far as the hub can; what is not an answer of the protocol is
        an error, and no end. What a hub says of the number of results is not relied on.

        Raises
        ------
        HubUnreachableError, HubBusyError, HubRefusedError
            As they come; what was given before stands.
        InputError
            If the hub cannot be asked this.
        """

    def find(self, name: str) -> Offer | None:
        """Find a product by its name, with all the hub tells of it; None where it has it not."""

    def source(self, offer: Offer) -> Source:
        """Give the product for download."""

    def inside(self, offer: Offer) -> Inside:
        """Give the files inside a product, one at a time."""


@runtime_checkable
class HasTokenService(Protocol):
    """A hub whose credentials are tokens of a service beside it."""

    @property
    def renewable(self) -> bool:
        """Whether there is an account to get tokens for."""

    def renew_token(self) -> None:
        """Get a new token, though the one at hand may still be good.

        Raises
        ------
        HubUnreachableError, HubBusyError, HubRefusedError
            As they come.
        ConfigurationError
            If there is no account to get one for.
        """


@runtime_checkable
class HasBurstService(Protocol):
    """A hub that cuts single bursts out of its products."""

    def bursts(self, offer: Offer) -> BurstService:
        """Give a product as the burst service has it."""
