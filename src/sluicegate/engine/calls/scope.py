"""Which project the calls of an embedding program speak for."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.engine.services import Services  # with every use case: who calls has them

__all__ = ["ProjectScope"]


class ProjectScope:
    """One project's use cases, once the engine is open."""

    services: "Services"
    """The use cases, by project."""
    _project_id: str | None = None

    @property
    def _project(self) -> str:
        if self._project_id is None:
            msg = "the engine is not open: use `async with Engine(...) as engine:`"
            raise RuntimeError(msg)
        return self._project_id
