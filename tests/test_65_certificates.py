"""Certificates over real TLS, and the token services of hubs, through the prober to incidents."""

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
import requests
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hub_world import USUAL, fault, make_products, settings_of, world
from pydantic import SecretStr

from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.catalog.incidents import Turn
from geobservatory.catalog.measurements import Kind, Measured
from geobservatory.errors import ConfigurationError
from geobservatory.hubs.connectors import connect
from geobservatory.probing.check import Checked, check
from geobservatory.probing.clock import RealClock
from geobservatory.probing.prober import Prober
from geobservatory.sandbox.hub_behaviour import TurnedClock
from geobservatory.sandbox.servers.world import Addresses
from geobservatory.settings.model import Hub, HubKind, Probing, Settings

pytestmark = pytest.mark.one_database

DAY = timedelta(days=1)


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        yield opened


# Certificates


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Sign for everybody here: the one whom this process trusts."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    return made


@contextmanager
def tls(context: ssl.SSLContext | None) -> Iterator[str]:
    """Serve TLS on loopback, and nothing in it; without a context say nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    plain, _ = server.accept()
                    kept.append(plain)
                    if context is not None:
                        # A client that does not trust us ends it here.
                        with suppress(OSError), context.wrap_socket(plain, server_side=True) as one:
                            one.recv(1)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"https://localhost:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for one in kept:
                one.close()


def issued(authority: trustme.CA, *names: str, left: timedelta = 90 * DAY) -> ssl.SSLContext:
    """Make a server's side with a certificate that has so much time left."""
    now = datetime.now(UTC)
    made = authority.issue_cert(*names, not_before=now - 400 * DAY, not_after=now + left)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.configure_cert(context)
    return context


def signed_by_itself(folder: Path) -> ssl.SSLContext:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 90 * DAY)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    kept = folder / "own.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    kept.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kept)
    return context


def looked_at(
    catalog: Catalog, folder: Path, address: str, clock: TurnedClock | RealClock
) -> Checked:
    """Look at the certificate of a hub, as the schedule does once a day."""
    hub = Hub(name="tls", kind=HubKind.DHUS, address=address)
    settings = Settings(data_dir=folder, hubs=(hub,), probing=Probing(limit_s=5))
    return check(
        settings, catalog, Prober(settings, catalog, clock=clock), "tls", clock, [Kind.CERTIFICATE]
    )


def one_of(checked: Checked) -> Measured:
    assert checked.measured is not None
    (measured,) = checked.measured
    return measured


def test_a_good_certificate_is_measured(
    catalog: Catalog, tmp_path: Path, authority: trustme.CA
) -> None:
    with tls(issued(authority, "localhost", left=90 * DAY)) as address:
        measured = one_of(looked_at(catalog, tmp_path, address, RealClock()))
    assert measured.ok and measured.value == pytest.approx(90 * 86_400, abs=120)
    last = catalog.last_value("tls", Kind.CERTIFICATE, datetime.now(UTC))
    assert last == pytest.approx(measured.value)


def test_one_that_runs_out_soon_is_an_incident_until_it_is_renewed(
    catalog: Catalog, tmp_path: Path, authority: trustme.CA
) -> None:
    """Looked at once a day: twice below 14 days is trouble, twice above 15 is its end."""
    clock, turns = TurnedClock(datetime.now(UTC)), list[Turn]()
    began = clock.now()
    with tls(issued(authority, "localhost", left=16.5 * DAY)) as address:
        for day in range(5):
            clock.turn_to(began + day * DAY)
            turns += looked_at(catalog, tmp_path, address, clock).turns
    (trouble,) = turns
    assert trouble.began and trouble.incident.aspect == "certificate"
    assert trouble.incident.noticed_at == began + 4 * DAY
    assert trouble.incident.cause == "its certificate runs out in 12 days"
    with tls(issued(authority, "localhost", left=90 * DAY)) as address:
        for day in range(5, 8):
            clock.turn_to(began + day * DAY)
            turns += looked_at(catalog, tmp_path, address, clock).turns
    assert [one.began for one in turns] == [True, False]
    assert catalog.open_incidents() == []


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("run out", "certificate has expired"),
        ("of another", "Hostname mismatch"),
        ("of itself", "self-signed certificate"),
        ("of a stranger", "unable to get local issuer certificate"),
    ],
)
def test_one_that_cannot_be_trusted_is_an_incident(
    what: str, said: str, catalog: Catalog, tmp_path: Path, authority: trustme.CA
) -> None:
    contexts = {
        "run out": lambda: issued(authority, "localhost", left=-DAY),
        "of another": lambda: issued(authority, "elsewhere.example"),
        "of itself": lambda: signed_by_itself(tmp_path),
        "of a stranger": lambda: issued(trustme.CA(), "localhost"),
    }
    with tls(contexts[what]()) as address:
        checks = [looked_at(catalog, tmp_path, address, RealClock()) for _ in range(2)]
    for one in checks:
        measured = one_of(one)
        assert not measured.ok and measured.value is None
        assert said in measured.detail["failure"]
    (turn,) = [turn for one in checks for turn in one.turns]
    assert turn.began and turn.incident.aspect == "certificate"
    assert said in turn.incident.cause


def test_who_speaks_no_tls_has_hung(
    catalog: Catalog, tmp_path: Path, authority: trustme.CA
) -> None:
    with tls(None) as address:
        measured = one_of(looked_at(catalog, tmp_path, address, RealClock()))
    assert (measured.ok, measured.cause) == (False, "hung")


def test_who_has_no_certificate_is_not_asked(catalog: Catalog, tmp_path: Path) -> None:
    assert looked_at(catalog, tmp_path, "http://127.0.0.1:9", RealClock()).measured == ()


# Token services


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    products = tmp_path_factory.mktemp("tokens")
    make_products(products)
    with world(products, USUAL) as served:
        yield served


def asked_for_tokens(addresses: Addresses, hub: str) -> int:
    """Count the requests for tokens that a hub has had."""
    told = requests.get(f"{addresses['control']}/requests", timeout=10).json()[hub]
    return sum("token" in str(one) for one in told)


def of(settings: Settings, name: str, **changes: object) -> Settings:
    hub = next(one for one in settings.hubs if one.name == name)
    return settings.model_copy(update={"hubs": (hub.model_copy(update=changes),)})


@pytest.mark.parametrize("name", ["cdse", "asf"])
def test_a_token_service_is_measured(
    name: str, addresses: Addresses, catalog: Catalog, tmp_path: Path
) -> None:
    settings = of(settings_of(addresses, tmp_path), name)
    prober, before = Prober(settings, catalog), asked_for_tokens(addresses, name)
    for _ in range(2):
        measured = prober.probe(name, [Kind.TOKEN])
        assert measured is not None
        assert [(one.kind, one.ok) for one in measured] == [(Kind.TOKEN, True)]
        assert measured[0].value is not None and measured[0].value > 0
    # Though the first one was still good.
    assert asked_for_tokens(addresses, name) >= before + 2


@pytest.mark.parametrize(
    "changes",
    [
        {"user": None, "password": None},
        {"user": None, "password": None, "token": SecretStr("a-fixed-token")},
        {"token": SecretStr("a-fixed-token")},
    ],
)
def test_without_an_account_to_renew_nobody_is_asked(
    changes: dict[str, object], addresses: Addresses, catalog: Catalog, tmp_path: Path
) -> None:
    """No account, or a token of the settings, which is the only one: that is no failure."""
    settings = of(settings_of(addresses, tmp_path), "asf", **changes)
    before = asked_for_tokens(addresses, "asf")
    assert Prober(settings, catalog).probe("asf", [Kind.TOKEN]) == []
    assert asked_for_tokens(addresses, "asf") == before
    connector = connect(settings.hubs[0], tmp_path)
    with pytest.raises(ConfigurationError, match="no account to get tokens for"):
        connector.renew_token()  # type: ignore[attr-defined]


def test_a_wrong_password_is_refused_and_not_told(
    addresses: Addresses, catalog: Catalog, tmp_path: Path
) -> None:
    wrong = {"password": SecretStr("geheimnis")}
    settings = of(settings_of(addresses, tmp_path), "asf", **wrong)
    measured = Prober(settings, catalog).probe("asf", [Kind.TOKEN])
    assert measured and not any(one.ok for one in measured)
    assert {one.cause for one in measured} == {"refused"}
    assert "geheimnis" not in str(measured)


@pytest.mark.parametrize(("name", "path"), [("cdse", "*/token"), ("asf", "*/find_or_create_token")])
def test_a_token_service_that_fails_is_an_incident(
    name: str, path: str, addresses: Addresses, catalog: Catalog, tmp_path: Path
) -> None:
    settings = of(settings_of(addresses, tmp_path), name)
    clock = TurnedClock(datetime.now(UTC))
    prober, turns = Prober(settings, catalog, clock=clock), list[Turn]()

    def asked() -> None:
        clock.wait(1800)
        turns.extend(check(settings, catalog, prober, name, clock, [Kind.TOKEN]).turns)

    asked()
    with fault(addresses, "down", {"kind": "status", "code": 503}, hub=name, path=path):
        for _ in range(3):
            asked()
        (began,) = turns
        assert began.began and began.incident.aspect == "token"
        assert "its token service does not answer" in began.incident.cause
    for _ in range(4):
        asked()
    assert [one.began for one in turns] == [True, False]
