"""What all sections of the settings are, and the kinds of text that several of them use."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Url = Annotated[str, StringConstraints(pattern=r"^(https?|wss?|ftp)://[^\s/]+\S*$")]


class Section(BaseModel):
    """A part of the settings: what is not known is refused, what is set stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")
