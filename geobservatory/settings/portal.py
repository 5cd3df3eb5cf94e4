"""Settings of the portal: who may read, where it is reached, whom it believes."""

import ipaddress
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, model_validator

from geobservatory.settings.base_map import BaseMap
from geobservatory.settings.section import Section


class Role(StrEnum):
    """What somebody may do; each may do what those before may."""

    READER = "reader"  # see events, maps, results, hubs
    DOWNLOADER = "downloader"  # fetch products through the hubs
    OPERATOR = "operator"  # start activations, see who did what

    def covers(self, other: "Role") -> bool:
        """Say whether who has this role may do what `other` may."""
        return _rank(self) >= _rank(other)

    # As text, "downloader" < "reader": to compare them so would be to let anybody in.
    def __lt__(self, other: object) -> bool:
        return _rank(self) < _rank(other)

    def __le__(self, other: object) -> bool:
        return _rank(self) <= _rank(other)

    def __gt__(self, other: object) -> bool:
        return _rank(self) > _rank(other)

    def __ge__(self, other: object) -> bool:
        return _rank(self) >= _rank(other)


def _rank(role: object) -> int:
    if not isinstance(role, Role):
        raise TypeError(f"{role!r} is no role")
    return list(Role).index(role)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError(f"{text!r} is no IP address or network (as 10.0.0.0/8)") from None


# An address, or a network of addresses.
Network = Annotated[str, AfterValidator(_network)]
WebUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
# As HTTP has it (RFC 9110, 5.6.2).
Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class RoleRule(Section):
    """Who of those that another vouches for has which role."""

    value: str = Field(min_length=1, description="A value of the claim or header")
    role: Role


class OpenIdConnect(Section):
    """A provider of identities that people log in with (OpenID Connect)."""

    name: str = Field(default="institution", min_length=1, description="What the button says")
    issuer: WebUrl = Field(description="As its discovery document names it")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = Field(default=None, description="Of a confidential client")
    scope: str = "openid profile email"
    name_claim: str = Field(default="preferred_username", description="What people are called by")
    role_claim: str | None = Field(default=None, description="Claim that the roles are read from")
    roles: tuple[RoleRule, ...] = Field(default=(), description="Which value gives which role")
    default_role: Role | None = Field(
        default=None, description="Of who has none of them; refused if absent"
    )


class ProxyLogin(Section):
    """Headers by which a reverse proxy tells who somebody is (Shibboleth)."""

    proxies: tuple[Network, ...] = Field(
        min_length=1, description="Only from these addresses are the headers believed"
    )
    user_header: Header = "X-Remote-User"
    role_header: Header | None = Field(
        default=None, description="Values divided by semicolons, as Shibboleth writes them"
    )
    roles: tuple[RoleRule, ...] = ()
    default_role: Role | None = Field(
        default=None, description="Of who has none of them; refused if absent"
    )


class PortalLimits(Section):
    """How much is answered, and for how long somebody is known."""

    requests_per_minute: int = Field(default=3000, ge=1, description="Of a user, or of an address")
    logins_per_minute: int = Field(
        default=10, ge=1, description="Wrong passwords of a name, or from an address"
    )
    downloads_at_once: int = Field(default=4, ge=1, description="Of a user")
    body_kb: int = Field(default=2048, ge=1, le=65_536, description="Largest request")
    session_hours: float = Field(default=12, gt=0, le=24 * 90, description="Until the next login")
    token_days: int = Field(default=365, ge=1, le=3650, description="Longest life of a token")


class Portal(Section):
    """What is served to people and programs, and to whom."""

    public_reading: bool = Field(
        default=True, description="Whether results can be read without an account"
    )
    public_address: WebUrl | None = Field(
        default=None, description="Where people reach the portal, as https://maps.example.org"
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Whose X-Forwarded-For and X-Forwarded-Proto are believed"
    )
    base_map: BaseMap = BaseMap()
    oidc: OpenIdConnect | None = None
    proxy_login: ProxyLogin | None = None
    limits: PortalLimits = PortalLimits()

    @model_validator(mode="after")
    def _login_comes_back(self) -> Self:
        if self.oidc is not None and self.public_address is None:
            # Whom the provider sends back, and where to, is never read from a request.
            raise ValueError("oidc needs public_address")
        return self
