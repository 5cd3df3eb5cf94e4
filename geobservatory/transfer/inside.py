"""The files inside a product at a hub, to be had one at a time and in ranges."""

from collections.abc import Mapping
from typing import Protocol

from geobservatory.transfer.source import Source


class Inside(Protocol):
    """The files inside one product at one hub.

    Attributes
    ----------
    name
        The product's name, without ``.SAFE``.
    hub
        The hub's name in the settings.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def hub(self) -> str: ...  # noqa: D102

    def members(self) -> Mapping[str, int]:
        """List the files: name inside the product (``annotation/…``) to size in bytes.

        Raises
        ------
        HubUnreachableError, HubBusyError, HubRefusedError, ProductOfflineError, ProductGoneError
            As `Source.open` does.
        """

    def source(self, member: str) -> Source:
        """Give a file for download, whole or in ranges; `ProductGoneError` where it is not there.

        A hub that cannot send ranges of a file sends it from its beginning.
        """
