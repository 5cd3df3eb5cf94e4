"""Blocks an operator fills in in the Prefect UI; each gives a section of the settings.

A block gives what the settings leave at their default: a line of `geobs.toml` or a `GEOBS_*`
variable wins over it (docs/configuration.md says why).
"""

from pathlib import Path

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from geobservatory.settings.engine import Engine
from geobservatory.settings.model import Hub, HubKind, Notification


class HubAccount(Block):
    """A hub and the account used there; the name of the block is the name of the hub."""

    _block_type_name = "geObservatory hub account"
    _block_type_slug = "geobs-hub-account"
    _description = "A hub of Sentinel data, and the account used there."

    kind: HubKind = Field(description="The protocol the hub speaks")
    address: str = Field(description="Base address, or a folder")
    user: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = Field(default=None, description="Where the hub takes a token")
    max_concurrent_downloads: int = Field(default=2, ge=1, le=64)

    def to_settings(self, name: str) -> Hub:
        """Give the settings' section."""
        return Hub(
            name=name,
            kind=self.kind,
            address=self.address,
            user=self.user,
            password=self.password,
            token=self.token,
            max_concurrent_downloads=self.max_concurrent_downloads,
        )


class ArchiveStorage(Block):
    """Where downloads and products are kept."""

    _block_type_name = "geObservatory archive storage"
    _block_type_slug = "geobs-archive-storage"
    _description = "The folder downloads and products are kept in, as the workers see it."

    data_dir: Path = Field(description="Folder; every worker must see the same")


class Catalogue(Block):
    """The catalogue's database."""

    _block_type_name = "geObservatory catalogue"
    _block_type_slug = "geobs-catalogue"
    _description = "The PostgreSQL database that remembers everything."

    database_url: SecretStr = Field(description="postgresql://user:password@host/database")


class EngineChoice(Block):
    """Who makes interferograms."""

    _block_type_name = "geObservatory engine"
    _block_type_slug = "geobs-engine"
    _description = "Who makes interferograms, and how many at once."

    settings: Engine = Field(default=Engine(), description="As the section [engine] of geobs.toml")


class NotificationAccount(Block):
    """Who is told, and how."""

    _block_type_name = "geObservatory notification"
    _block_type_slug = "geobs-notification"
    _description = "Who is told of activations and maps, and the account the mail goes out by."

    smtp_host: str | None = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    sender: str | None = None
    recipients: list[str] = Field(default_factory=list)
    webhook: SecretStr | None = Field(default=None, description="Address; often itself a secret")
    webhook_secret: SecretStr | None = Field(default=None, description="Signs what is posted")
    pages: str | None = Field(
        default=None, description="Where people reach the folder `products`; no links if not set"
    )

    def to_settings(self) -> Notification:
        """Give the settings' section."""
        given = {name: getattr(self, name) for name in Notification.model_fields}
        return Notification(**{**given, "recipients": tuple(self.recipients)})


ALL = (HubAccount, ArchiveStorage, Catalogue, EngineChoice, NotificationAccount)


def register_blocks() -> None:
    """Make the kinds of block known to the server; safe to repeat."""
    for kind in ALL:
        kind.register_type_and_schema()
