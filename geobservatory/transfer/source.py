"""Where one file can be had, and what can go wrong when it is asked for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from geobservatory.errors import ConfigurationError, NotFoundError, TransientError


@dataclass(frozen=True)
class Reply:
    """An opened answer of a hub to "give me these bytes".

    Attributes
    ----------
    first_byte
        Position in the file of the first byte that comes: 0 when the hub ignored the range.
    total
        Bytes of the whole file, when told.
    chunks
        The bytes, in order. Raises `HubUnreachableError` when the connection breaks, stalls, or
        closes before all that was announced has come.
    close
        Gives the connection back; harmless twice.
    """

    first_byte: int
    total: int | None
    chunks: Iterator[bytes]
    close: Callable[[], None]


class Source(Protocol):
    """Where one file can be had.

    Attributes
    ----------
    hub
        The hub's name in the settings: for limits, measurements and messages.
    name
        The file's name.
    size
        Bytes, when the catalogue tells.
    checksums
        Algorithm (``md5``, ``blake3``, ``sha256``) to lower-case hexadecimal digits.
    """

    @property
    def hub(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def size(self) -> int | None: ...  # noqa: D102
    @property
    def checksums(self) -> Mapping[str, str]: ...  # noqa: D102

    def open(self, first_byte: int = 0, stop: int | None = None) -> Reply:
        """Ask for the bytes from `first_byte` up to, not including, `stop` (or the end).

        Raises
        ------
        HubBusyError
            If the hub says to come back later.
        HubRefusedError
            If it does not take the credentials.
        ProductOfflineError
            If the file is in a long-term archive; it has been ordered by asking.
        ProductGoneError
            If the hub does not have it.
        HubUnreachableError
            If anything failed that may pass.
        """


class HubUnreachableError(TransientError):
    """The hub does not answer, or not as it should: a connection, a 5xx, a maintenance page."""


class HubBusyError(TransientError):
    """The hub says to come back later.

    Attributes
    ----------
    retry_after_s
        When it says so; None where it does not.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProductOfflineError(TransientError):
    """The product is in a long-term archive; it has been ordered and comes later.

    Attributes
    ----------
    retry_after_s
        When to ask again; None where the hub does not say.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class HubRefusedError(ConfigurationError):
    """The hub does not take the credentials."""


class ProductGoneError(NotFoundError):
    """The hub does not have the product (any more)."""
