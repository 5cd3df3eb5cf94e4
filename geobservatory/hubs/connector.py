"""What a connector is: one kind of hub, spoken to. Adding a kind is one file and a line below it.

A connector is used by several threads. It raises the errors of `transfer.source`, and says nothing
of credentials in any message.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from geobservatory.hubs.model import Offer, Query
from geobservatory.transfer.inside import Inside
from geobservatory.transfer.source import Source


class Connector(Protocol):
    """One hub, spoken to in its protocol."""

    @property
    def name(self) -> str:
        """Of the hub, in the settings."""

    def search(self, query: Query) -> Iterator[Sequence[Offer]]:
        """Ask for products, page by page to the end, each offer once.

        With `Query.published_since`, in the order of publication. An answer that is no more than
        half of what was announced, or not of the protocol, is an error and not an end.

        Raises
        ------
        HubUnreachableError, HubBusyError, HubRefusedError
            As they come; what was given before stands.
        InputError
            If the hub cannot be asked this.
        """

    def find(self, name: str) -> Offer | None:
        """Find a product by its name; None where the hub has it not."""

    def source(self, offer: Offer) -> Source:
        """Give the product for download."""

    def inside(self, offer: Offer) -> Inside | None:
        """Give the files inside a product, one at a time; None where the hub cannot."""
