"""A partial product: a SAFE folder that holds some bursts of its images, and says which.

Its measurements are of their true length, with holes where nothing was fetched; ``partial.json`` at
its top tells what is no hole. See ``docs/partial.md``.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from geobservatory.errors import InputError

PARTIAL = "partial.json"
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(_Strict):
    """Bytes of a file that are there: from `first` up to, not including, `stop`."""

    first: int = Field(ge=0)
    stop: int = Field(ge=0)
    sha256: _Sha256


class HeldBurst(_Strict):
    """A burst that is there: its place in the annotation, and ESA's name of it."""

    index: int = Field(ge=0)
    id: str


class PartialChannel(_Strict):
    """What is there of one swath in one polarisation."""

    swath: str
    polarisation: str
    bursts: tuple[HeldBurst, ...] = Field(min_length=1)
    measurement: str
    spans: tuple[Span, ...]


class Partial(_Strict):
    """What ``partial.json`` says.

    Attributes
    ----------
    product
        Name of the whole product, without ``.SAFE``.
    hubs
        Where the bytes came from.
    areas
        What was asked for: GeoJSON geometries in EPSG:4326; none where the pixels were let go.
    files
        Files that are there whole, to their SHA-256.
    channels
        None where there is no image at all: annotation and quicklook alone. Whatever was asked for
        has some.
    """

    version: Literal[1] = 1
    product: str
    hubs: tuple[str, ...]
    areas: tuple[dict[str, Any], ...]
    files: dict[str, _Sha256]
    channels: tuple[PartialChannel, ...]

    @model_validator(mode="after")
    def _what_was_asked_for_is_told(self) -> Self:
        if self.areas and not self.channels:
            raise ValueError("channels: none, though bursts over an area were fetched")
        return self

    def bursts(self, swath: str, polarisation: str) -> frozenset[int]:
        """Tell which bursts of a channel are there, by their place in the annotation."""
        return frozenset(
            burst.index
            for one in self.channels
            if (one.swath, one.polarisation) == (swath, polarisation)
            for burst in one.bursts
        )


def read_partial(content: bytes, file: str) -> Partial:
    """Read a ``partial.json``.

    Raises
    ------
    InputError
        If it is damaged; the message names the file and what is wrong.
    """
    try:
        return Partial.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(one) for one in first["loc"])
        raise InputError(
            f"{file}: {place}{': ' if place else ''}{first['msg']}; which bursts are there cannot"
            " be told: remove the folder and fetch it again"
        ) from error
