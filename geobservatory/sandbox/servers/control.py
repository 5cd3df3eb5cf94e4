"""Control of the sandbox over HTTP, in JSON: its time, its faults, and what its hubs have seen."""

from typing import Any, ClassVar

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from geobservatory.errors import InputError, NotFoundError
from geobservatory.sandbox.servers.clock import SandboxClock
from geobservatory.sandbox.servers.faults import Faults, Rule
from geobservatory.sandbox.servers.hub import Hub, HubConfig


class _Time(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    now: AwareDatetime | None = None
    speed: float | None = Field(default=None, ge=0)


class ControlHub(Hub[HubConfig]):
    """The control interface; no fault strikes it.

    Parameters
    ----------
    hubs
        What it controls.
    """

    kind: ClassVar[str] = "control"

    def __init__(
        self, config: HubConfig, clock: SandboxClock, faults: Faults, hubs: list[Hub[Any]]
    ) -> None:
        super().__init__(config, clock, Faults([], clock))
        self._hubs, self._in_force = hubs, faults

    def routes(self) -> list[web.RouteDef]:
        """List what it answers."""
        return [
            web.get("/state", self._state),
            web.get("/requests", self._requested),
            web.get("/time", self._tell_time),
            web.post("/time", self._set_time),
            web.get("/faults", self._list),
            web.post("/faults", self._add),
            web.delete("/faults", self._clear),
            web.delete("/faults/{name}", self._remove),
        ]

    async def _state(self, request: web.Request) -> web.Response:
        hubs = [hub.state() for hub in self._hubs]
        return web.json_response({**self._time(), "hubs": hubs, "faults": self._faults_listed()})

    async def _requested(self, request: web.Request) -> web.Response:
        """List the last requests of every hub, oldest first."""
        return web.json_response({hub.name: list(hub.log) for hub in self._hubs})

    async def _tell_time(self, request: web.Request) -> web.Response:
        return web.json_response(self._time())

    async def _set_time(self, request: web.Request) -> web.Response:
        try:
            asked = _Time.model_validate_json(await request.read())
        except ValidationError as error:
            return _refusal(error)
        self.clock.set(asked.now, asked.speed)
        await self._mind_doors()
        return web.json_response(self._time())

    async def _list(self, request: web.Request) -> web.Response:
        return web.json_response(self._faults_listed())

    async def _add(self, request: web.Request) -> web.Response:
        """Put a rule, or a list of rules, in force; all or none of them."""
        content = await request.read()
        listed = content.lstrip().startswith(b"[")
        try:
            rules = (
                TypeAdapter(list[Rule]).validate_json(content)
                if listed
                else [Rule.model_validate_json(content)]
            )
        except ValidationError as error:
            return _refusal(error)
        added: list[str] = []
        try:
            for rule in rules:
                self._in_force.add(rule)
                added.append(rule.name)
        except InputError as error:
            for name in added:
                self._in_force.remove(name)
            return web.json_response({"error": str(error)}, status=409)
        await self._mind_doors()
        return web.json_response(self._faults_listed(), status=201)

    async def _remove(self, request: web.Request) -> web.Response:
        try:
            self._in_force.remove(request.match_info["name"])
        except NotFoundError as error:
            return web.json_response({"error": str(error)}, status=404)
        await self._mind_doors()
        return web.json_response(self._faults_listed())

    async def _clear(self, request: web.Request) -> web.Response:
        self._in_force.clear()
        await self._mind_doors()
        return web.json_response([])

    async def _mind_doors(self) -> None:
        for hub in self._hubs:
            await hub.mind_door()

    def _time(self) -> dict[str, Any]:
        return {"now": self.clock.now().isoformat(), "speed": self.clock.speed}

    def _faults_listed(self) -> list[dict[str, Any]]:
        return [
            {**rule.model_dump(mode="json"), "struck": struck}
            for rule, struck in self._in_force.listed()
        ]


def _refusal(error: ValidationError) -> web.Response:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return web.json_response({"error": problems}, status=400)
