"""One request on its way through a handler."""

from dataclasses import dataclass

from aiohttp import web

from sluicegate.engine.model import Principal

__all__ = ["Call"]


@dataclass(frozen=True, slots=True)
class Call:
    """A request, its id, and whom it speaks for."""

    request: web.Request
    request_id: str
    principal: Principal | None
    """Whom an API key stands for; `None` on routes that need no key."""

    @property
    def project_id(self) -> str:
        """The project that everything is scoped to; only on routes that need a key."""
        assert self.principal is not None
        return self.principal.project_id

    @property
    def api_key_id(self) -> str:
        """The key that asks; only on routes that need one."""
        assert self.principal is not None
        return self.principal.api_key_id

    def path(self, name: str) -> str:
        """Return a part of the path, percent-decoded."""
        return self.request.match_info[name]
