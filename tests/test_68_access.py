"""Who may: accounts, tokens, sessions, OpenID Connect, proxies, limits, the audit; over HTTP."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import jwt
import pytest
import requests
from argon2 import PasswordHasher
from fastapi import Depends, FastAPI
from mail_servers import free_port
from oidc_provider import CLIENT, SECRET, provider
from portal_server import running
from pydantic import SecretStr, ValidationError
from sqlalchemy import text
from web_forms import SAME, field

from geobservatory.catalog.accounts import account_name
from geobservatory.catalog.database import Catalog, open_catalog
from geobservatory.errors import InputError, TransientError
from geobservatory.globe import circle
from geobservatory.settings.model import Settings
from geobservatory.settings.portal import (
    OpenIdConnect,
    Portal,
    PortalLimits,
    ProxyLogin,
    Role,
    RoleRule,
)
from portal.access.doorkeeper import role_by
from portal.access.forms import key_of
from portal.access.guard import needs
from portal.access.identity import Identity, Scope
from portal.access.login import safe_path
from portal.access.oidc import LoginRefusedError, Provider
from portal.access.origin import neighbourhood
from portal.access.passwords import hashed, matches
from portal.app import create_app

pytestmark = pytest.mark.one_database

PASSWORD = "correct horse battery"
WRONG = "incorrect horse battery"
HOUR = timedelta(hours=1)


@dataclass
class Site:
    """A portal, its catalogue, and an address for each role."""

    address: str
    catalog: Catalog
    settings: Settings

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(f"{self.address}{path}", timeout=20, allow_redirects=False, **more)

    def token(self, name: str, *scopes: str, life: timedelta = HOUR) -> str:
        account = self.catalog.account(name)
        made = self.catalog.new_token(account.id, "a test", scopes, datetime.now(UTC) + life)
        return made[1]


def with_probes(app: FastAPI) -> FastAPI:
    """Add an address for each role; how they are guarded is what is tested."""

    def add(role: Role) -> None:
        @app.api_route(f"/probe/{role}", methods=["GET", "POST"])
        async def probe(who: Annotated[Identity, Depends(needs(role))]) -> dict[str, Any]:
            return {"name": who.name, "shown": who.shown, "scopes": sorted(who.scopes)}

    for one in Role:
        add(one)
    return app


@pytest.fixture
def catalog(database_url: str) -> Iterator[Catalog]:
    with open_catalog(database_url) as opened:
        opened.add_account("rita", Role.READER, hashed(PASSWORD))
        opened.add_account("dora", Role.DOWNLOADER, hashed(PASSWORD))
        opened.add_account("otto", Role.OPERATOR, hashed(PASSWORD))
        yield opened


@pytest.fixture
def site(catalog: Catalog, database_url: str, tmp_path: Path) -> Callable[..., Any]:
    @contextmanager
    def make(port: int | None = None, **portal: Any) -> Iterator[Site]:
        settings = Settings(data_dir=tmp_path / "data", portal=Portal(**portal))
        app = with_probes(create_app(settings, lambda: open_catalog(database_url)))
        with running(app, port) as address:
            yield Site(address, catalog, settings)

    return make


@pytest.fixture
def plain(site: Callable[..., Any]) -> Iterator[Site]:
    with site() as made:
        yield made


def log_in(
    site: Site, name: str, password: str = PASSWORD, **more: Any
) -> tuple[requests.Session, requests.Response]:
    browser = requests.Session()
    page = browser.get(f"{site.address}/login", timeout=20)
    form = {"form_token": field(page.text), "name": name, "password": password, **more}
    answer = browser.post(
        f"{site.address}/login", data=form, headers=SAME, timeout=20, allow_redirects=False
    )
    return browser, answer


def send(browser: requests.Session, site: Site, path: str, **form: Any) -> requests.Response:
    page = browser.get(f"{site.address}/account", timeout=20)
    form["form_token"] = field(page.text)
    return browser.post(
        f"{site.address}{path}", data=form, headers=SAME, timeout=20, allow_redirects=False
    )


# Without a server.


def test_roles_are_in_order_and_never_compared_as_text() -> None:
    assert Role.READER < Role.DOWNLOADER < Role.OPERATOR
    assert Role.OPERATOR > Role.READER and Role.READER <= Role.READER >= Role.READER
    for role in Role:
        assert [role.covers(other) for other in Role] == [role >= other for other in Role]
    assert max(Role, key=list(Role).index) is Role.OPERATOR
    with pytest.raises(TypeError):
        assert Role.READER < "operator"


def test_a_password_is_hashed_with_argon2id_and_nobody_has_none() -> None:
    digest = hashed(PASSWORD)
    assert digest.startswith("$argon2id$") and PASSWORD not in digest
    assert digest != hashed(PASSWORD)
    assert matches(digest, PASSWORD)
    assert not matches(digest, WRONG)
    assert not matches(None, PASSWORD)
    assert not matches("nonsense", PASSWORD)


@pytest.mark.parametrize(
    "name", ["", "Anonymous", "a b", "-a", "a\nb", "ä", "x" * 101, "a/b", "a;b"]
)
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InputError, match="is no name of an account"):
        account_name(name)


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("/account", "/account"),
        ("/a?b=c&d=/e", "/a?b=c&d=/e"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("/\tevil", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_nobody_is_sent_to_another_site(given: str, safe: str) -> None:
    assert safe_path(given) == safe


def test_the_highest_role_of_what_is_said_counts() -> None:
    rules = RoleRule(value="staff", role=Role.OPERATOR), RoleRule(value="*", role=Role.READER)
    assert role_by(rules, None, ["*", "staff"]) is Role.OPERATOR
    assert role_by(rules, None, ["Staff", ""]) is None
    assert role_by(rules, Role.READER, []) is Role.READER
    assert role_by(rules, Role.OPERATOR, ["*"]) is Role.READER


def test_one_host_cannot_roam_in_its_network_to_be_counted_anew() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff") == "2001:db8::/64"
    assert neighbourhood("192.0.2.7") == "192.0.2.7" != neighbourhood("192.0.2.8")


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(key_of, [tmp_path / "data"] * 16))
    assert len(keys) == 1 and len(keys.pop()) == 32
    written = list((tmp_path / "data").iterdir())
    assert [one.name for one in written] == ["portal.key"]
    assert written[0].stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"trusted_proxies": ["10.0.0.0/8", "host"]}, "is no IP address or network"),
        ({"trusted_proxies": ["10.0.0.1/8"]}, "is no IP address or network"),
        ({"public_address": "maps.example.org"}, "match pattern"),
        ({"oidc": {"issuer": "https://id.example", "client_id": "x"}}, "needs public_address"),
        ({"proxy_login": {"proxies": []}}, "at least 1 item"),
        ({"proxy_login": {"proxies": ["::1"], "user_header": "a b"}}, "match pattern"),
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(wrong: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Portal.model_validate(wrong)


# Roles, passwords and tokens.


def test_each_role_may_what_it_may(plain: Site) -> None:
    may = {"rita": 1, "dora": 2, "otto": 3}
    for name, count in may.items():
        for auth in ((name, PASSWORD), (name, plain.token(name, *Scope))):
            codes = [plain.get(f"/probe/{role}", auth=auth).status_code for role in Role]
            assert codes == [200] * count + [403] * (3 - count)
    assert plain.get("/probe/reader").json()["name"] == "anonymous"
    for role in ("downloader", "operator"):
        refused = plain.get(f"/probe/{role}")
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic ")


def test_reading_can_need_an_account_too(site: Callable[..., Any]) -> None:
    with site(public_reading=False) as made:
        for path in ("/probe/reader", "/hubs", "/metrics"):
            assert made.get(path).status_code == 401
            assert made.get(path, auth=("rita", PASSWORD)).status_code == 200
        assert made.get("/healthz").status_code == 200
        sent = made.get("/hubs?x=1", headers={"Sec-Fetch-Mode": "navigate"})
        assert (sent.status_code, sent.headers["Location"]) == (303, "/login?next=%2Fhubs%3Fx%3D1")
        # What asks for itself in a page must not make the browser ask for a password.
        fetched = made.get("/hubs", headers={"Sec-Fetch-Mode": "cors"})
        assert fetched.headers["WWW-Authenticate"].startswith("Bearer ")


def test_a_token_may_what_it_was_made_for_and_no_more(plain: Site) -> None:
    reading = plain.token("otto", "read")
    bearer = {"Authorization": f"Bearer {reading}"}
    assert plain.get("/probe/reader", headers=bearer).json() == {
        "name": "otto",
        "shown": "token",
        "scopes": ["read"],
    }
    assert plain.get("/probe/operator", headers=bearer).status_code == 403
    # The role counts too, and as it is now.
    activating = plain.token("dora", "read", "activate")
    bearer = {"Authorization": f"Bearer {activating}"}
    assert plain.get("/probe/operator", headers=bearer).status_code == 403
    plain.catalog.set_role("dora", Role.OPERATOR)
    assert plain.get("/probe/operator", headers=bearer).status_code == 200
    plain.catalog.set_role("dora", Role.READER)
    assert plain.get("/probe/operator", headers=bearer).status_code == 403


def test_tokens_end(plain: Site) -> None:
    for spoil in ("expire", "revoke", "disable"):
        secret = plain.token("rita", "read", life=-HOUR if spoil == "expire" else HOUR)
        bearer = {"Authorization": f"Bearer {secret}"}
        if spoil != "expire":
            assert plain.get("/probe/reader", headers=bearer).status_code == 200
        if spoil == "revoke":
            plain.catalog.revoke_token(plain.catalog.tokens("rita")[0].id)
        if spoil == "disable":
            plain.catalog.disable("rita", disabled=True)
        refused = plain.get("/probe/reader", headers=bearer)
        assert refused.status_code == 401
        assert secret not in refused.text
    assert plain.catalog.tokens("rita")[0].used_at is not None


def test_what_is_shown_wrongly_is_refused_and_not_taken_for_nothing(
    site: Callable[..., Any],
) -> None:
    with site(limits=PortalLimits(logins_per_minute=100)) as made:
        for header in (
            "Basic",
            "Basic !!!",
            "Basic cml0YQ==",
            "Bearer",
            "Bearer geobs_" + "x" * 43,
            "Bearer ' OR 1=1 --",
            "Digest username=rita",
            "Basic " + "A" * 4000,
        ):
            answer = made.get("/probe/reader", headers={"Authorization": header})
            assert answer.status_code == 401, header


def test_a_token_is_no_password_of_another(plain: Site) -> None:
    secret = plain.token("rita", "read")
    assert plain.get("/probe/reader", auth=("rita", secret)).status_code == 200
    assert plain.get("/probe/reader", auth=("otto", secret)).status_code == 401


def test_a_new_password_ends_the_old_one_at_once(plain: Site) -> None:
    assert plain.get("/probe/reader", auth=("rita", PASSWORD)).status_code == 200
    plain.catalog.set_password("rita", hashed(WRONG))
    assert plain.get("/probe/reader", auth=("rita", PASSWORD)).status_code == 401
    assert plain.get("/probe/reader", auth=("rita", WRONG)).status_code == 200
    plain.catalog.disable("rita", disabled=True)
    assert plain.get("/probe/reader", auth=("rita", WRONG)).status_code == 401
    plain.catalog.disable("rita", disabled=False)
    assert plain.get("/probe/reader", auth=("rita", WRONG)).status_code == 200


def test_no_secret_stands_in_any_table(plain: Site) -> None:
    secret = plain.token("otto", "read")
    browser, _ = log_in(plain, "otto")
    log_in(plain, "otto", WRONG)
    log_in(plain, PASSWORD, "x")
    with plain.catalog.engine.connect() as connection:
        dumped = ""
        for table in ("accounts", "api_tokens", "web_sessions"):
            dumped += str(connection.execute(text(f"SELECT * FROM {table}")).all())  # noqa: S608
    for one in (secret, WRONG, *browser.cookies.values()):
        assert one not in dumped
    assert secret not in str(plain.catalog.audit()) and WRONG not in str(plain.catalog.audit())


# Limits.


def test_passwords_are_not_guessed_for_long(site: Callable[..., Any]) -> None:
    with site(limits=PortalLimits(logins_per_minute=3)) as made:
        with ThreadPoolExecutor(8) as pool:
            tries = list(
                pool.map(lambda _: made.get("/probe/reader", auth=("rita", WRONG)), range(12))
            )
        codes = sorted(one.status_code for one in tries)
        assert codes == [401] * 3 + [429] * 9
        late = next(one for one in tries if one.status_code == 429)
        assert 1 <= int(late.headers["Retry-After"]) <= 60
        # Even who knows it waits now; another name does not.
        assert made.get("/probe/reader", auth=("rita", PASSWORD)).status_code == 429
        assert made.get("/probe/reader", auth=("otto", PASSWORD)).status_code == 200
        _, answer = log_in(made, "rita")
        assert answer.status_code == 429 and "Retry-After" in answer.headers


def test_who_is_known_already_is_not_locked_out_by_others(site: Callable[..., Any]) -> None:
    with site(limits=PortalLimits(logins_per_minute=2)) as made:
        assert made.get("/probe/reader", auth=("rita", PASSWORD)).status_code == 200
        for _ in range(4):
            made.get("/probe/reader", auth=("rita", WRONG))
        assert made.get("/probe/reader", auth=("rita", PASSWORD)).status_code == 200


def test_requests_are_limited_by_user_and_by_address(site: Callable[..., Any]) -> None:
    with site(limits=PortalLimits(requests_per_minute=5)) as made:
        # A minute may begin in between.
        codes = [made.get("/probe/reader").status_code for _ in range(12)]
        assert codes.count(429) >= 2 and codes[0] == 200
        bearer = {"Authorization": f"Bearer {made.token('rita', 'read')}"}
        assert made.get("/probe/reader", headers=bearer).status_code == 200
        codes = [made.get("/probe/reader", headers=bearer).status_code for _ in range(12)]
        assert codes.count(429) >= 2


def test_the_time_a_login_takes_does_not_tell_whether_there_is_an_account(
    site: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With and without an account one password is hashed, at the same cost."""
    costs: list[str] = []
    verify = PasswordHasher.verify

    def counted(self: PasswordHasher, digest: str, password: str) -> bool:
        # Type, version, memory, passes, lanes; not the salt.
        costs.append(digest.rsplit("$", 2)[0])
        return verify(self, digest, password)

    with site() as made:
        made.catalog.vouched_account("proxy sso", "sso", Role.READER)
        made.catalog.disable("dora", disabled=True)
        monkeypatch.setattr(PasswordHasher, "verify", counted)
        for name in ("rita", "nobody", "sso", "dora"):
            assert made.get("/probe/reader", auth=(name, WRONG)).status_code == 401
    assert len(costs) == 4 and len(set(costs)) == 1


# The web.


def test_login_and_logout(plain: Site) -> None:
    browser, answer = log_in(plain, "Rita", next="/probe/reader")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/probe/reader")
    assert browser.get(f"{plain.address}/probe/reader").json()["shown"] == "session"
    cookie = next(one for one in answer.headers["Set-Cookie"].split(",") if "session" in one)
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    kept = browser.cookies["geobs_session"]
    left = send(browser, plain, "/logout")
    assert left.status_code == 303
    assert browser.get(f"{plain.address}/account").status_code == 401
    again = plain.get("/account", cookies={"geobs_session": kept})
    assert again.status_code == 401
    _, refused = log_in(plain, "rita", WRONG)
    assert refused.status_code == 401 and "wrong" in refused.text
    assert WRONG not in refused.text
    noted = [(one.who, one.action, one.outcome) for one in plain.catalog.audit()]
    assert noted == [
        ("rita", "login", "refused"),
        ("rita", "logout", "done"),
        ("rita", "login", "done"),
    ]
    assert {one.address for one in plain.catalog.audit()} == {"127.0.0.1"}


def test_a_page_that_went_wrong_knows_who_has_logged_in(
    plain: Site, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    navigating = {"Sec-Fetch-Mode": "navigate"}
    browser, _ = log_in(plain, "rita")

    def seen(path: str) -> tuple[int, str]:
        answer = browser.get(f"{plain.address}{path}", headers=navigating, timeout=30)
        return answer.status_code, answer.text

    # None of our addresses, one that says no, one that is asked wrongly, one too many.
    for path, status in (
        ("/nowhere", 404), ("/activations/none", 404), ("/request", 403), ("/?kind=none", 400),
    ):  # fmt: skip
        code, page = seen(path)
        assert code == status and "Log in" not in page and ">rita</a>" in page, path
    # A session that has ended is none.
    catalog.disable("rita", disabled=True)
    assert "Log in" in seen("/nowhere")[1]
    catalog.disable("rita", disabled=False)
    anonymous = plain.get("/nowhere", headers=navigating)
    assert "Log in" in anonymous.text and "rita" not in anonymous.text

    # Where nobody can be looked up it is not said that somebody has not logged in.
    def away(*_: Any) -> None:
        raise TransientError("the catalogue at x:1 does not answer")

    monkeypatch.setattr(Catalog, "whose_session", away)
    browser, _ = log_in(plain, "rita")
    code, page = seen("/nowhere")
    assert code == 404 and "Log in" not in page and ">Your account</a>" in page
    code, page = seen("/activations/none")
    assert code == 503 and "Log in" not in page and ">Your account</a>" in page


def test_behind_https_cookies_and_headers_are_for_https_only(site: Callable[..., Any]) -> None:
    with site(trusted_proxies=["127.0.0.1"], public_address="https://maps.example") as made:
        over = {"X-Forwarded-Proto": "https", **SAME}
        page = made.get("/login", headers=over)
        assert page.headers["Strict-Transport-Security"].startswith("max-age=")
        made_cookie = page.headers["Set-Cookie"]
        assert made_cookie.endswith("; Secure")
        form_cookie = re.search("geobs_form=([^;]+)", made_cookie)
        assert form_cookie is not None
        answer = requests.post(
            f"{made.address}/login",
            data={"form_token": field(page.text), "name": "rita", "password": PASSWORD},
            headers={**over, "Cookie": f"geobs_form={form_cookie[1]}"},
            timeout=20,
            allow_redirects=False,
        )
        assert answer.status_code == 303
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-geobs_session=") and "Secure" in cookie


def test_a_session_that_was_planted_is_not_the_one_of_the_login(plain: Site) -> None:
    """Session fixation: what the browser had before a login is worth nothing after it."""
    attacker, _ = log_in(plain, "rita")
    planted = attacker.cookies["geobs_session"]
    victim = requests.Session()
    victim.cookies.set("geobs_session", planted)
    page = victim.get(f"{plain.address}/login")
    victim.post(
        f"{plain.address}/login",
        data={"form_token": field(page.text), "name": "otto", "password": PASSWORD},
        headers=SAME,
    )
    names = [one.value for one in victim.cookies if one.name == "geobs_session"]
    assert names and set(names) != {planted}
    assert plain.get("/account", cookies={"geobs_session": planted}).status_code == 401


def test_forms_of_other_sites_change_nothing(plain: Site) -> None:
    browser, _ = log_in(plain, "otto")
    good = field(browser.get(f"{plain.address}/account").text)
    other, _ = log_in(plain, "rita")
    anothers = field(other.get(f"{plain.address}/account").text)
    new = {"name": "x", "days": "9", "scope": "read"}
    for headers, token, code in (
        ({"Sec-Fetch-Site": "cross-site"}, good, 403),
        ({"Sec-Fetch-Site": "same-site"}, good, 403),
        ({"Origin": "https://evil.example"}, good, 403),
        ({"Origin": "null"}, good, 403),
        ({}, good, 403),
        (SAME, "", 403),
        (SAME, "0" * 64, 403),
        (SAME, anothers, 403),
        ({"Origin": plain.address}, good, 200),
        (SAME, good, 200),
    ):
        answer = browser.post(
            f"{plain.address}/account/tokens", data={**new, "form_token": token}, headers=headers
        )
        assert answer.status_code == code, (headers, token)
    assert len(plain.catalog.tokens()) == 2
    # A session that changes something without a form, as an API call: the same.
    for headers, code in ((SAME, 200), ({}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403)):
        assert browser.post(f"{plain.address}/probe/operator", headers=headers).status_code == code
    # Passwords that a browser remembers are sent for others, too; tokens of programs are not.
    basic = {"auth": ("otto", PASSWORD)}
    address = f"{plain.address}/probe/operator"
    assert requests.post(address, timeout=20, **basic).status_code == 200
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert requests.post(address, headers=cross, timeout=20, **basic).status_code == 403


def test_a_login_cannot_be_forged(plain: Site) -> None:
    """Login CSRF: nobody is logged in as the attacker unawares."""
    form = {"name": "rita", "password": PASSWORD}
    for headers in (SAME, {}, {"Sec-Fetch-Site": "cross-site"}):
        refused = requests.post(
            f"{plain.address}/login", data=form, headers=headers, timeout=20, allow_redirects=False
        )
        assert refused.status_code == 403


def test_people_make_and_revoke_tokens_of_their_own_only(plain: Site) -> None:
    browser, _ = log_in(plain, "dora")
    page = send(
        browser, plain, "/account/tokens", name="<b>x</b>", days="9999", scope=["read", "activate"]
    )
    secret = re.search(r"geobs_[A-Za-z0-9_-]{43}", page.text)
    assert secret is not None and "<b>x" not in page.text
    token = plain.catalog.tokens("dora")[0]
    # No more than the role allows, no longer than the settings do.
    assert token.scopes == ("read",)
    assert token.expires_at - token.created_at < timedelta(days=366)
    assert secret[0] not in browser.get(f"{plain.address}/account").text
    assert plain.get("/probe/reader", auth=("dora", secret[0])).status_code == 200
    other, _ = log_in(plain, "rita")
    stolen = send(other, plain, f"/account/tokens/{token.id}/revoke")
    assert stolen.status_code == 404
    assert send(browser, plain, f"/account/tokens/{token.id}/revoke").status_code == 200
    assert plain.get("/probe/reader", auth=("dora", secret[0])).status_code == 401
    assert send(browser, plain, "/account/tokens", name="x", days="1").status_code == 400
    # A token makes no tokens.
    secret_too = plain.token("dora", *Scope)
    bearer = {"Authorization": f"Bearer {secret_too}"}
    assert plain.get("/account", headers=bearer).status_code == 403


def test_people_change_their_password(plain: Site) -> None:
    browser, _ = log_in(plain, "rita")
    elsewhere, _ = log_in(plain, "rita")
    change = {"old": PASSWORD, "new": "another long password"}
    assert send(browser, plain, "/account/password", **{**change, "old": WRONG}).status_code == 400
    assert (
        send(browser, plain, "/account/password", **{**change, "new": "short"}).status_code == 400
    )
    assert send(browser, plain, "/account/password", **change).status_code == 200
    assert browser.get(f"{plain.address}/account").status_code == 200
    assert elsewhere.get(f"{plain.address}/account").status_code == 401


_SPACE = "/auth/realms/CDSE/protocol/openid-connect/token"
# What takes what is sent without `genuine`, each for a reason.
_NO_FORM_OF_OURS = {
    # A mail program has no page of ours: the secret in the address is the proof (RFC 8058).
    "/subscriptions/{secret}",
    # A program sends a name and a password; whatever cookie comes along is left aside.
    _SPACE,
    # JSON, not forms; what a session sends has to come from a page of ours.
    "/api/activations",
    "/stac/search",
}


def test_every_form_of_the_portal_is_guarded(plain: Site) -> None:
    """Whatever is sent to, in any part, depends on `genuine`, but for what is named above."""
    from portal.access.forms import genuine

    # With everything that is offered only where it is set up.
    provider = OpenIdConnect(
        issuer="https://idp.example", client_id=CLIENT, client_secret=SecretStr(SECRET)
    )
    offered = Portal(public_address="https://geobs.example", oidc=provider)
    settings = plain.settings.model_copy(update={"portal": offered})
    app = create_app(settings, lambda: plain.catalog)
    sent_to = [one for one in _routes(app) if one.methods - {"GET", "HEAD", "OPTIONS"}]
    assert {"/login", "/login/oidc", "/request", "/subscribe"} < {one.path for one in sent_to}
    unguarded = [
        one for one in sent_to if genuine not in {two.call for two in _dependencies(one.dependant)}
    ]
    assert {one.path for one in unguarded} == _NO_FORM_OF_OURS
    assert all(one.methods == {"POST"} for one in unguarded)


# What nobody has to have an account for, also where reading needs one.
_OPEN = {
    "/healthz", "/favicon.ico", "/static/{digest}/{name}",
    "/login", "/login/oidc/back",
    # They lead elsewhere, and tell nothing.
    "/activations", "/products/{activation}/index.html",
    # The address is the secret.
    "/subscriptions/{secret}",
    # What there is to ask, and who asks.
    "/api", "/api/me", "/api/openapi.json", "/api/docs", "/api/docs/start.js", "/api/docs/{name}",
    "/auth/realms/CDSE/.well-known/openid-configuration",
    "/auth/realms/CDSE/protocol/openid-connect/certs",
    "/auth/realms/CDSE/protocol/openid-connect/token",
}  # fmt: skip


def test_every_address_says_who_may(site: Callable[..., Any]) -> None:
    """Where reading needs an account, strangers get to what is listed and nowhere else."""
    with site(public_reading=False) as made:
        app = create_app(made.settings, lambda: made.catalog)
        asked = [(route.path, method) for route in _routes(app) for method in route.methods]
        assert len(asked) > 80
        for path, method in asked:
            address = f"{made.address}{re.sub(r'{[^{}]*}', '1', path)}"
            got = requests.request(method, address, timeout=20, allow_redirects=False)
            assert path in _OPEN or got.status_code in (401, 403), (method, path, got.status_code)


def _routes(app: Any) -> Iterator[Any]:
    from fastapi.routing import APIRoute

    for route in app.routes:
        if hasattr(route, "original_router"):
            yield from _routes(route.original_router)
        else:
            # Of others it is not known what they depend on.
            assert isinstance(route, APIRoute), route
            yield route


def _dependencies(dependant: Any) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one
        yield from _dependencies(one)


def test_no_cookie_helps_where_no_form_is_guarded(plain: Site) -> None:
    """Neither gives a session of anybody more, nor can another site use it."""
    browser, _ = log_in(plain, "otto")
    cross = {"Sec-Fetch-Site": "cross-site"}

    def post(path: str, headers: dict[str, str] = SAME, **more: Any) -> requests.Response:
        return browser.post(f"{plain.address}{path}", headers=headers, timeout=20, **more)

    asked = {"client_id": "cdse-public", "grant_type": "password", "username": "rita"}
    for password, headers, code in (("", SAME, 401), (WRONG, SAME, 401), (PASSWORD, cross, 403)):
        given = {**asked, "password": password}
        assert post(_SPACE, headers, data=given).status_code == code
    assert post(_SPACE, data={**asked, "username": "otto", "password": ""}).status_code == 401
    given = post(_SPACE, data={**asked, "password": PASSWORD})
    claims = jwt.decode(given.json()["access_token"], options={"verify_signature": False})
    assert claims["preferred_username"] == "rita"
    assert "Set-Cookie" not in given.headers
    for headers in (cross, {}):
        assert post("/api/activations", headers, json={}).status_code == 403
        assert post("/stac/search", headers, json={}).status_code == 403
    wanted = plain.catalog.subscribe("ann@example.org", circle(-8, 31, 300_000), None)
    mine = f"/subscriptions/{plain.catalog.new_link(wanted.id)}"
    anothers = f"/subscriptions/{uuid4()}"
    one_click = {"List-Unsubscribe": "One-Click"}
    assert post(anothers, data={"action": "end-all"}).status_code == 404
    assert post(anothers, data=one_click).status_code == 404
    assert len(plain.catalog.subscriptions()) == 1
    assert requests.post(f"{plain.address}{mine}", one_click, timeout=20).status_code == 200
    assert plain.catalog.subscriptions() == []


# Proxies.


def test_headers_of_a_proxy_are_believed_from_its_address_only(site: Callable[..., Any]) -> None:
    said = {"X-Remote-User": "ada@uni.example", "X-Affiliation": "member; staff"}
    wanted = {
        "user_header": "X-Remote-User",
        "role_header": "X-Affiliation",
        "roles": [RoleRule(value="staff", role=Role.DOWNLOADER)],
    }
    with site(proxy_login=ProxyLogin(proxies=["192.0.2.1"], **wanted)) as made:
        assert made.get("/probe/reader", headers=said).json()["name"] == "anonymous"
        # Nor of who says that it comes from there.
        lied = {**said, "X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"}
        assert made.get("/probe/reader", headers=lied).json()["name"] == "anonymous"
        assert made.catalog.audit() == []
    with site(
        proxy_login=ProxyLogin(proxies=["192.0.2.1"], **wanted), trusted_proxies=["127.0.0.1"]
    ) as made:
        # Who is trusted to tell addresses is not trusted to tell names.
        lied = {**said, "X-Forwarded-For": "192.0.2.1"}
        assert made.get("/probe/reader", headers=lied).json()["name"] == "anonymous"
    with site(proxy_login=ProxyLogin(proxies=["127.0.0.0/8"], **wanted)) as made:
        found = made.get("/probe/downloader", headers=said).json()
        assert (found["name"], found["shown"]) == ("ada@uni.example", "proxy")
        assert made.get("/probe/operator", headers=said).status_code == 403
        assert made.get("/probe/reader").json()["name"] == "anonymous"
        assert made.get("/probe/reader", headers={**said, "X-Affiliation": "x"}).status_code == 403
        # Nobody is let in as an account of ours that is called the same.
        otto = made.get("/probe/downloader", headers={**said, "X-Remote-User": "otto"}).json()
        assert otto["name"] == "otto-2"
        made.catalog.disable("ada@uni.example", disabled=True)
        assert made.get("/probe/reader", headers=said).status_code == 403
        # Changes need a page of ours: the proxy's own session is sent for others' pages too.
        dora = {**said, "X-Remote-User": "dora@uni.example"}
        address = f"{made.address}/probe/downloader"
        assert requests.post(address, headers=dora, timeout=20).status_code == 403
        assert requests.post(address, headers={**dora, **SAME}, timeout=20).status_code == 200


def test_a_name_that_is_there_twice_is_not_the_proxys(site: Callable[..., Any]) -> None:
    import http.client

    with site(proxy_login=ProxyLogin(proxies=["127.0.0.1"], default_role=Role.READER)) as made:
        connection = http.client.HTTPConnection(made.address.removeprefix("http://"))
        connection.putrequest("GET", "/probe/reader")
        connection.putheader("X-Remote-User", "otto")
        connection.putheader("X-Remote-User", "ada")
        connection.endheaders()
        assert connection.getresponse().status == 400


def test_addresses_behind_proxies_are_those_that_trusted_ones_tell(
    site: Callable[..., Any],
) -> None:
    def noted(made: Site) -> str:
        made.get("/probe/reader", auth=("x", "y"), headers={"X-Forwarded-For": "198.51.100.9"})
        return made.catalog.audit()[0].address

    with site() as made:
        assert noted(made) == "127.0.0.1"
    with site(trusted_proxies=["127.0.0.1"]) as made:
        assert noted(made) == "198.51.100.9"
    with site(trusted_proxies=["192.0.2.0/24"]) as made:
        assert noted(made) == "127.0.0.1"


def test_a_new_address_is_no_new_try(site: Callable[..., Any]) -> None:
    """Whoever is not trusted gets no further tries by inventing addresses."""
    with site(limits=PortalLimits(logins_per_minute=2)) as made:
        codes = [
            made.get(
                "/probe/reader",
                auth=("rita", WRONG),
                headers={"X-Forwarded-For": f"198.51.100.{number}"},
            ).status_code
            for number in range(5)
        ]
        assert codes == [401, 401, 429, 429, 429]


# OpenID Connect, with a provider that is certified for it.

CLAIMS = {"preferred_username": "diana", "email": "diana@uni.example", "roles": ["staff", "x"]}


@pytest.fixture
def institution(site: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    @contextmanager
    def make(claims: Any = CLAIMS, in_token: bool = True, **more: Any) -> Iterator[Site]:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        back = f"{address}/login/oidc/back"
        with provider(tmp_path, back, claims, in_token=in_token) as issuer:
            wanted = OpenIdConnect(
                **{
                    "issuer": issuer,
                    "client_id": CLIENT,
                    "client_secret": SecretStr(SECRET),
                    "role_claim": "roles",
                    "roles": (RoleRule(value="staff", role=Role.OPERATOR),),
                    **more,
                }
            )
            with site(port=port, public_address=address, oidc=wanted) as made:
                yield made

    return make


def begin(site: Site, browser: requests.Session, next_path: str = "/account") -> str:
    page = browser.get(f"{site.address}/login", params={"next": next_path}, timeout=20)
    form = {"form_token": field(page.text), "next": field(page.text, "next")}
    left = browser.post(
        f"{site.address}/login/oidc", data=form, headers=SAME, timeout=20, allow_redirects=False
    )
    assert left.status_code == 303, left.text
    return left.headers["Location"]


@pytest.mark.parametrize("in_token", [True, False])
def test_login_at_an_openid_provider(institution: Callable[..., Any], in_token: bool) -> None:
    with institution(in_token=in_token) as site:
        browser = requests.Session()
        address = begin(site, browser)
        assert "code_challenge_method=S256" in address and "nonce=" in address
        page = browser.get(address, timeout=20)
        assert page.status_code == 200 and page.url == f"{site.address}/account"
        assert "diana" in page.text
        found = browser.get(f"{site.address}/probe/operator", timeout=20).json()
        assert (found["name"], found["shown"]) == ("diana", "session")
        account = site.catalog.account("diana")
        assert account.role is Role.OPERATOR and account.password is None
        # The same person is the same account.
        browser.get(begin(site, requests.Session()), timeout=20)
        assert len(site.catalog.accounts()) == 4


def test_whoever_has_no_role_at_the_provider_is_refused(institution: Callable[..., Any]) -> None:
    with institution({"preferred_username": "diana", "roles": "guest"}) as site:
        browser = requests.Session()
        refused = browser.get(begin(site, browser), timeout=20)
        assert refused.status_code == 403 and "has no role here" in refused.text
        assert len(site.catalog.accounts()) == 3
        assert site.catalog.audit()[0].outcome == "refused"


def test_answers_of_a_provider_are_of_use_once_and_to_who_asked(
    institution: Callable[..., Any],
) -> None:
    with institution() as site:
        browser = requests.Session()
        back = browser.get(begin(site, browser), timeout=20, allow_redirects=False)
        answer = back.headers["Location"]
        # Login CSRF: the attacker's answer in the browser of another, who has begun a login or not.
        stranger = requests.Session()
        assert stranger.get(answer, timeout=20).status_code == 403
        begin(site, stranger)
        assert stranger.get(answer, timeout=20).status_code == 403
        # A state of one's own with the code of another: the code belongs to another verifier.
        own = re.search("state=([^&]+)", begin(site, stranger))
        assert own is not None
        mixed = re.sub("state=[^&]+", f"state={own[1]}", answer)
        assert stranger.get(mixed, timeout=20).status_code == 403
        assert stranger.get(f"{site.address}/account", timeout=20).status_code == 401
        error = f"{site.address}/login/oidc/back?error=access_denied&state={own[1]}"
        assert stranger.get(error, timeout=20).status_code == 403
        browser.cookies.set("geobs_login", "forged")
        assert browser.get(answer, timeout=20).status_code == 403


def test_identity_tokens_are_checked(institution: Callable[..., Any], tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    with institution() as site:
        assert site.settings.portal.oidc is not None
        issuer = site.settings.portal.oidc.issuer
        asked = Provider(site.settings.portal.oidc, f"{site.address}/login/oidc/back")
        _, keys = asked._document()
        now = int(time.time())
        good = {
            "iss": issuer,
            "aud": CLIENT,
            "sub": "diana",
            "exp": now + 60,
            "iat": now,
            "nonce": "n",
        }
        foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        known = next(iter(keys.keys)).kid
        for token in (
            "",
            "x.y.z",
            jwt.encode(good, "", algorithm="none"),
            jwt.encode(good, SECRET * 2, algorithm="HS256"),
            jwt.encode(good, foreign, algorithm="RS256", headers={"kid": known}),
            jwt.encode(good, foreign, algorithm="RS256"),
        ):
            with pytest.raises(LoginRefusedError):
                asked._claims(token, "n", keys)
        from joserfc import jwt as writer
        from joserfc.jwk import KeySet, RSAKey

        own = KeySet([RSAKey.generate_key(2048, {"kid": "k"})])

        def signed(**changed: Any) -> str:
            header = {"alg": "RS256", "kid": "k"}
            claims = {key: one for key, one in {**good, **changed}.items() if one is not None}
            return writer.encode(header, claims, own)

        assert asked._claims(signed(), "n", own)["sub"] == "diana"
        for changed in (
            {"iss": "https://evil.example"},
            {"aud": "another"},
            {"aud": [CLIENT, "another"], "azp": "another"},
            {"exp": now - 3600},
            {"exp": None},
            {"nonce": "m"},
            {"nonce": None},
            {"sub": None},
        ):
            with pytest.raises(LoginRefusedError):
                asked._claims(signed(**changed), "n", own)


def test_a_provider_that_is_away_is_said_and_stops_no_other_login(
    institution: Callable[..., Any],
) -> None:
    with institution(issuer=f"http://127.0.0.1:{free_port()}") as site:
        browser = requests.Session()
        page = browser.get(f"{site.address}/login", timeout=20)
        form = {"form_token": field(page.text), "next": "/"}
        away = browser.post(f"{site.address}/login/oidc", data=form, headers=SAME, timeout=20)
        assert away.status_code == 503 and away.text.count("\n") == 1
        _, answer = log_in(site, "rita")
        assert answer.status_code == 303
