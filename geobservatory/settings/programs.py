"""Settings of what the portal is for client programs: one catalogue over all hubs."""

from pydantic import Field

from geobservatory.settings.section import Section


class Programs(Section):
    """How hubs are asked on behalf of others, and what is handed on."""

    live_s: float = Field(
        default=10, ge=0, le=300, description="Longest a search waits for hubs; 0: asks none"
    )
    fresh_s: float = Field(
        default=60, ge=0, le=86_400, description="What hubs were just asked is not asked again"
    )
    patience_s: float = Field(
        default=120, gt=0, le=3600, description="Longest a download waits for a hub that is busy"
    )
    daily_gb: float | None = Field(default=None, gt=0, description="Of a user, in 24 hours")
    keep_days: int = Field(
        default=90,
        ge=2,
        description="How long it is known who was sent what; sums by the day stay",
    )
    keep: bool = Field(
        default=False, description="Whether what is handed on is kept in the archive as well"
    )
