"""A real OpenID provider (idpyoidc, certified by the OpenID Foundation) over HTTP, for tests.

It asks for PKCE, and lets `user` in without a page of its own, as one who is logged in already.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from idpyoidc.server import Server
from idpyoidc.server.configure import OPConfiguration
from mail_servers import free_port
from portal_server import running

CLIENT, SECRET = "the-portal", "a secret that the portal and the provider share"
_OIDC = "idpyoidc.server.oidc"


@contextmanager
def provider(
    folder: Path, back: str, claims: Mapping[str, Any], *, in_token: bool = True
) -> Iterator[str]:
    """Run a provider; gives its issuer.

    Parameters
    ----------
    back
        Where it may send people back to.
    claims
        Of its user.
    in_token
        Whether the identity token has them; else one has to ask for them.
    """
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    server = _server(issuer, folder, dict(claims), in_token)
    server.context.cdb[CLIENT] = {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "redirect_uris": [(back, {})],
        "response_types_supported": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "allowed_scopes": ["openid", "profile", "email"],
    }
    server.context.keyjar.add_symmetric(CLIENT, SECRET)
    with running(_app(server), port):
        yield issuer


def _server(issuer: str, folder: Path, claims: dict[str, Any], in_token: bool) -> Server:
    id_token: dict[str, Any] = {"lifetime": 300, "add_claims_by_scope": in_token}
    configured = {
        "issuer": issuer,
        "httpc_params": {"verify": False, "timeout": 4},
        "key_conf": {
            "private_path": str(folder / "jwks.json"),
            "key_defs": [
                {"type": "RSA", "use": ["sig"]},
                {"type": "EC", "crv": "P-256", "use": ["sig"]},
            ],
            "uri_path": "jwks.json",
        },
        "preference": {"subject_types_supported": ["public"]},
        "token_handler_args": {
            "jwks_def": {
                "private_path": str(folder / "token_jwks.json"),
                "key_defs": [
                    {"type": "oct", "bytes": 24, "use": ["enc"], "kid": name}
                    for name in ("code", "refresh")
                ],
            },
            "code": {"lifetime": 600},
            "token": {
                "class": "idpyoidc.server.token.jwt_token.JWTToken",
                "kwargs": {"lifetime": 3600, "aud": [issuer]},
            },
            "id_token": {"class": "idpyoidc.server.token.id_token.IDToken", "kwargs": id_token},
        },
        "endpoint": {
            "provider_config": {
                "path": ".well-known/openid-configuration",
                "class": f"{_OIDC}.provider_config.ProviderConfiguration",
                "kwargs": {"client_authn_method": None},
            },
            "authorization": {
                "path": "authorization",
                "class": f"{_OIDC}.authorization.Authorization",
                "kwargs": {"client_authn_method": None, "response_types_supported": ["code"]},
            },
            "token": {
                "path": "token",
                "class": f"{_OIDC}.token.Token",
                "kwargs": {"client_authn_method": ["client_secret_basic"]},
            },
            "userinfo": {"path": "userinfo", "class": f"{_OIDC}.userinfo.UserInfo", "kwargs": {}},
        },
        "add_on": {
            "pkce": {
                "function": "idpyoidc.server.oauth2.add_on.pkce.add_support",
                "kwargs": {"essential": True, "code_challenge_methods": {"S256": None}},
            }
        },
        "authentication": {
            "anon": {
                "acr": "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified",
                "class": "idpyoidc.server.user_authn.user.NoAuthn",
                "kwargs": {"user": "user"},
            }
        },
        "userinfo": {
            "class": "idpyoidc.server.user_info.UserInfo",
            "kwargs": {"db": {"user": claims}},
        },
        "scopes_to_claims": {
            "openid": ["sub", "roles"],
            "profile": ["preferred_username", "name"],
            "email": ["email"],
        },
    }
    return Server(OPConfiguration(configured, base_path=str(folder)), cwd=str(folder))


def _app(server: Server) -> FastAPI:
    app = FastAPI()

    async def answer(request: Request, name: str) -> Response:
        endpoint = server.get_endpoint(name)
        given: Any = dict(request.query_params)
        if request.method == "POST":
            given = (await request.body()).decode()
        about = {"headers": dict(request.headers)}
        parsed = endpoint.parse_request(given, http_info=about)
        if "error" in parsed:
            return JSONResponse(json.loads(parsed.to_json()), 400)
        done = endpoint.process_request(parsed, http_info=about)
        if "error" in done:
            return JSONResponse({"error": done["error"]}, 400)
        made = endpoint.do_response(request=parsed, **done)
        if name == "authorization":
            return RedirectResponse(made["response"], 303)
        return Response(made["response"], media_type="application/json")

    @app.get("/.well-known/openid-configuration")
    async def document(request: Request) -> Response:
        return await answer(request, "provider_config")

    @app.get("/jwks.json")
    async def keys() -> Response:
        return Response(server.context.keyjar.export_jwks_as_json(), media_type="application/json")

    @app.get("/authorization")
    async def authorization(request: Request) -> Response:
        return await answer(request, "authorization")

    @app.post("/token")
    async def token(request: Request) -> Response:
        return await answer(request, "token")

    @app.get("/userinfo")
    async def userinfo(request: Request) -> Response:
        return await answer(request, "userinfo")

    return app
