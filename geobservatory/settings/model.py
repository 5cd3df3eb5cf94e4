"""What can be set: every setting with its default, its bounds and what it means."""

import re
from email.utils import parseaddr
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from platformdirs import user_data_path
from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from geobservatory.settings.engine import Engine
from geobservatory.settings.mirror import Mirror
from geobservatory.settings.portal import Portal
from geobservatory.settings.programs import Programs
from geobservatory.settings.section import Name, Section, Url

# RFC 5321, section 4.1.2, without quoted names; not every mail server takes more than ASCII.
_ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f.:]+\])"


def _email_address(text: str) -> str:
    if not re.fullmatch(_ADDRESS, text):
        raise ValueError(f"{text!r} is no e-mail address (plain ASCII, as name@host)")
    return text


def _sender(text: str) -> str:
    if not text.isprintable() or not re.fullmatch(_ADDRESS, parseaddr(text)[1]):
        raise ValueError(f"{text!r} is neither an e-mail address nor `Name <address>`")
    return text


EmailAddress = Annotated[str, AfterValidator(_email_address)]
Sender = Annotated[str, AfterValidator(_sender)]


# The archive as a hub, where there is a mirror.
MIRROR_HUB = "mirror"


class HubKind(StrEnum):
    """The protocol a hub speaks."""

    DHUS = "dhus"
    CDSE = "cdse"
    ASF = "asf"
    FOLDER = "folder"
    GEOBSERVATORY = "geobservatory"
    MIRROR = "mirror"


class Hub(Section):
    """One hub: where it is, whose account is used, how much may be asked of it."""

    name: Name = Field(description="Short name: lower case letters, digits, hyphens")
    kind: HubKind
    address: str = Field(min_length=1, description="Base address, or a folder")
    user: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = Field(default=None, description="Where the hub takes a token")
    missions: tuple[str, ...] = Field(default=("SENTINEL-1",), description="Missions offered")
    area: dict[str, Any] | None = Field(default=None, description="GeoJSON area offered; all")
    rolling_days: int | None = Field(default=None, ge=1, description="Days the hub keeps products")
    max_concurrent_downloads: int = Field(default=2, ge=1, le=64)
    daily_quota_gb: float | None = Field(default=None, gt=0)
    monthly_quota_gb: float | None = Field(default=None, gt=0)


class Rule(StrEnum):
    """Named rules by which an earthquake activates."""

    DEFAULT = "default"
    COMET = "comet"
    JPL = "jpl"


class ActivationCriteria(Section):
    """When an earthquake starts an activation without anybody asking."""

    rule: Rule = Rule.DEFAULT
    shallow_magnitude: float = Field(default=5.5, description="Enough down to shallow_depth_km")
    shallow_depth_km: float = Field(default=15, gt=0)
    deep_magnitude: float = Field(default=6.0, description="Enough down to deep_depth_km")
    deep_depth_km: float = Field(default=40, gt=0)
    coast_distance_km: float = Field(default=50, ge=0, description="How far from land still counts")
    expected_los_m: float = Field(default=0.01, ge=0, description="Least expected LOS displacement")
    days_before: int = Field(default=60, ge=1, description="How far back images are looked for")
    days_after: int = Field(default=60, ge=1, description="How long images are waited for")


class Dem(Section):
    """Heights."""

    source: str = Field(default="glo30", description="glo30, a GeoTIFF, or a folder of tiles")
    datum: Literal["ellipsoid", "EGM96", "EGM2008"] | None = Field(
        default=None, description="What local heights refer to, where the files do not say"
    )
    address: Url = Field(
        default="https://copernicus-dem-30m.s3.amazonaws.com", description="Tiles of glo30"
    )
    grids_address: Url = Field(default="https://cdn.proj.org", description="Grids of geoids")


class Orbits(Section):
    """Orbit files."""

    folder: Path | None = Field(default=None, description="Where they are; <data_dir>/orbits")
    fetch: bool = Field(default=True, description="Fetch what the folder lacks")
    address: Url = Field(
        default="https://s1-orbits.s3.amazonaws.com", description="Archive they are fetched from"
    )


class Feeds(Section):
    """Where earthquakes are heard of."""

    watch: bool = Field(default=False, description="Whether `geobs up` keeps the watcher running")
    emsc_websocket: Url = "wss://www.seismicportal.eu/standing_order/websocket"
    emsc_fdsn: Url = "https://www.seismicportal.eu/fdsnws/event/1/query"
    usgs: Url = Field(
        default="https://earthquake.usgs.gov/earthquakes/feed/v1.0/summary/4.5_day.geojson",
        description="Summary feed (GeoJSON) of the second witness",
    )
    usgs_fdsn: Url = "https://earthquake.usgs.gov/fdsnws/event/1/query"
    least_magnitude: float = Field(
        default=4.0, ge=0, le=10, description="Smaller earthquakes are not recorded"
    )
    catch_up_s: float = Field(
        default=120, ge=1, description="Seconds between two looks at EMSC's FDSN service"
    )
    poll_s: float = Field(default=60, ge=1, description="Seconds between two looks at USGS's feed")
    look_back_hours: float = Field(
        default=48, gt=0, le=8760, description="How far back the very first start looks"
    )


class Notification(Section):
    """Who is told, and how."""

    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    sender: Sender | None = Field(default=None, description="Address, or Name <address>")
    recipients: tuple[EmailAddress, ...] = ()
    webhook: SecretStr | None = Field(default=None, description="Address; often itself a secret")
    webhook_secret: SecretStr | None = Field(
        default=None, description="Signs what is posted; whsec_ and base64, or any text"
    )
    pages: Url | None = Field(
        default=None, description="Where people reach the folder `products`; no links if not set"
    )


# Seconds between two probes: from a minute to a week.
Every = Annotated[float, Field(ge=60, le=604_800)]


class Objectives(Section):
    """What hubs are held to; the rest is their error budget."""

    days: int = Field(default=30, ge=1, le=366, description="Over so many days")
    availability: float = Field(default=0.95, gt=0, lt=1, description="Share of answers")
    search_s: float = Field(default=10, gt=0, description="A search is to begin to answer in this")
    search_share: float = Field(default=0.95, gt=0, lt=1, description="Share of searches that do")
    downloads: float = Field(default=0.95, gt=0, lt=1, description="Share that end well")
    latency_h: float = Field(default=24, gt=0, description="Hours from sensing to publication")
    latency_share: float = Field(default=0.9, gt=0, lt=1, description="Share that keep that")
    completeness: float = Field(
        default=0.95, gt=0, le=1, description="Share of what all hubs have, after a day"
    )


class Probing(Section):
    """How often hubs are probed, and how much that may cost."""

    search_s: Every = Field(default=300, description="Seconds between two searches")
    metadata_s: Every = Field(default=900, description="… questions for a product")
    token_s: Every = Field(default=1800, description="… new tokens")
    transfer_s: Every = Field(default=3600, description="… samples of a download")
    completeness_s: Every = Field(default=3600, description="… comparisons of hubs")
    integrity_s: Every = Field(default=21_600, description="… files against checksums")
    certificate_s: Every = Field(default=86_400, description="… looks at certificates")
    window_s: Every = Field(default=86_400, description="… looks for the oldest product")
    sample_mb: float = Field(default=8, gt=0, le=1000, description="Size of a sample")
    quota_share: float = Field(
        default=0.01, ge=0, le=1, description="Share of a hub's quotas that samples may take"
    )
    limit_s: float = Field(
        default=60, ge=5, le=600, description="What has not ended by then has hung"
    )
    keep_days: int = Field(
        default=400, ge=40, description="How long measurements are kept; sums by the hour stay"
    )
    objectives: Objectives = Objectives()


class Services(Section):
    """Where `geobs up` listens."""

    host: str = "127.0.0.1"
    prefect_port: int = Field(default=4200, ge=1, le=65535)
    portal_port: int = Field(default=8080, ge=1, le=65535)


class Settings(BaseSettings):
    """Everything an operator can set."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="GEOBS_", env_nested_delimiter="__"
    )

    data_dir: Path = Field(
        default_factory=lambda: user_data_path("geobservatory"),
        description="Database, downloads, products, logs",
    )
    database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL of the catalogue; an embedded one when absent"
    )
    hubs: tuple[Hub, ...] = ()
    mirror: Mirror = Mirror()
    activation: ActivationCriteria = ActivationCriteria()
    engine: Engine = Engine()
    dem: Dem = Dem()
    orbits: Orbits = Orbits()
    feeds: Feeds = Feeds()
    probing: Probing = Probing()
    notification: Notification = Notification()
    services: Services = Services()
    portal: Portal = Portal()
    programs: Programs = Programs()

    @classmethod
    def settings_customise_sources(  # type: ignore[override]
        cls, settings_cls: type[BaseSettings], init_settings: Any, **others: Any
    ) -> tuple[Any, ...]:
        """Take values only from the loader, which knows where each one came from."""
        del settings_cls, others
        return (init_settings,)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for what, names in (
            ("hubs", [hub.name for hub in self.hubs]),
            ("mirror.streams", [stream.name for stream in self.mirror.streams]),
        ):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{what}: two of them are named {name}")
        if any(hub.kind is HubKind.MIRROR for hub in self.hubs):
            raise ValueError("hubs: the archive is a hub where [[mirror.streams]] are configured")
        known = {hub.name for hub in self.hubs}
        for stream in self.mirror.streams:
            for name in stream.hubs:
                if name not in known:
                    raise ValueError(f"mirror.streams: {stream.name} names no known hub: {name}")
        if self.mirror.streams and MIRROR_HUB in known:
            raise ValueError(f"hubs: {MIRROR_HUB} is the name of the mirror itself")
        return self
