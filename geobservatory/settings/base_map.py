"""Settings of what lies under the maps of the portal."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from geobservatory.settings.section import Section


def _tiles(text: str) -> str:
    missing = [one for one in ("{z}", "{x}", "{y}") if one not in text]
    if missing:
        raise ValueError(f"{text!r} lacks {', '.join(missing)}")
    return text


# {s} stands for one of a, b and c.
TileUrl = Annotated[
    str,
    StringConstraints(pattern=r"^https?://(\{s\}\.)?[A-Za-z0-9.:-]+/[^\s<>\"';,]+$"),
    AfterValidator(_tiles),
]


class BaseMap(Section):
    """Tiles of somebody's map; without them outlines of the land that we serve ourselves."""

    tiles: TileUrl | None = Field(
        default=None, description="Address of tiles, as https://maps.example.org/{z}/{x}/{y}.png"
    )
    attribution: str = Field(default="", description="Whom the map is owed to")

    @model_validator(mode="after")
    def _is_owed(self) -> Self:
        if self.tiles is not None and not self.attribution:
            raise ValueError("tiles need an attribution: whoever makes maps asks to be named")
        return self
