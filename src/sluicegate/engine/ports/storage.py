"""The port to storage: what it promises as a whole, and its parts."""

from collections.abc import Callable, Mapping
from typing import Protocol

from sluicegate.engine.model import Arrivals
from sluicegate.engine.ports.activity_storage import ActivityStorage
from sluicegate.engine.ports.control_storage import ControlStorage
from sluicegate.engine.ports.delivery_storage import DeliveryStorage
from sluicegate.engine.ports.endpoint_storage import EndpointStorage
from sluicegate.engine.ports.export_storage import ExportStorage
from sluicegate.engine.ports.message_storage import MessageStorage
from sluicegate.engine.ports.operation_storage import OperationStorage
from sluicegate.engine.ports.overview_storage import OverviewStorage
from sluicegate.engine.ports.project_storage import ProjectStorage
from sluicegate.engine.ports.relay_storage import RelayStorage
from sluicegate.engine.ports.retention_storage import RetentionStorage
from sluicegate.engine.ports.telemetry import Telemetry

__all__ = ["OnAccepted", "Storage"]

OnAccepted = Callable[[Mapping[str, Arrivals]], None]
"""Told of the messages that each endpoint got in a commit."""


class Storage(
    ProjectStorage,
    EndpointStorage,
    ControlStorage,
    MessageStorage,
    OperationStorage,
    ExportStorage,
    DeliveryStorage,
    OverviewStorage,
    ActivityStorage,
    RetentionStorage,
    RelayStorage,
    Protocol,
):
    """Where everything durable lives. One writer; writes commit in groups.

    A write returns after its commit would survive `kill -9` and power loss. A cancelled write
    may still have happened. Every write is refused when the owner's epoch is stale.

    Raises (any method):
        UnavailableError: the disk is full, or too much waits to be written; nothing was stored.
    """

    async def open(self) -> None:
        """Lock, migrate and open the database; start the writer; take the next epoch.

        Raises:
            StorageLockedError: another process owns the file.
            StorageVersionError: the file was written by a newer version.
        """
        ...

    async def close(self) -> None:
        """Finish queued writes, close every connection, release the lock. Twice is fine."""
        ...

    def on_accepted(self, listener: OnAccepted) -> None:
        """Call `listener` on the loop after each commit, with what each endpoint got.

        That is, for each endpoint that got messages, all of them, in the order of acceptance and
        as `load_queued` would read them. It is called in the order of the commits, and before
        anybody is answered.
        """
        ...

    def on_committed(self, listener: Callable[[], None]) -> None:
        """Call `listener` on the loop after each commit. It is called often, and must be cheap."""
        ...

    def on_fatal(self, listener: Callable[[BaseException], None]) -> None:
        """Call `listener` once if a commit's outcome is unknown (fsync error): stop the process."""
        ...

    def report_to(self, telemetry: Telemetry) -> None:
        """Tell `telemetry` of commits and failures; called before `open`."""
        ...
