"""Bugs of commands about messages and endpoints: replay, cancel, delete, reconfigure."""

from collections.abc import Sequence

import msgspec

from sluicegate.actors import endpoint, message_commands
from sluicegate.actors.endpoint import EndpointActor
from sluicegate.actors.messages import CommandDone
from sluicegate.actors.outstanding import Outstanding
from sluicegate.actors.window import Window
from sluicegate.engine.model import EndpointState
from sluicegate.storage import operation_writes

from .mutant import Patch, planted


@planted(promise="a replay begins a new cycle of attempts")
def a_replayed_message_is_not_put_back(patch: Patch) -> None:
    """The row says queued; the actor, which has read past it, never looks there again."""
    adopt = message_commands.adopt_moves

    def dropped(
        done: CommandDone, state: EndpointState, window: Window, outstanding: Outstanding
    ) -> None:
        moves = tuple(msgspec.structs.replace(move, waiting=None) for move in done.moves)
        adopt(msgspec.structs.replace(done, moves=moves), state, window, outstanding)

    patch.replace(endpoint, "adopt_moves", dropped)


@planted(promise="nothing is sent twice at once: a replay of what is in flight is refused")
def a_replay_does_not_see_what_is_in_flight(patch: Patch) -> None:
    """What is in flight stands in no row, and the replay looks at rows."""

    async def blind(_self: Outstanding, _message_ids: Sequence[str]) -> frozenset[str]:
        return frozenset()

    patch.replace(Outstanding, "unsettled", blind)


@planted(promise="a cancelled message is not sent again")
def a_cancelled_retry_comes_all_the_same(patch: Patch) -> None:
    """The row is given up; the retry in the actor's memory is not."""
    adopt = message_commands.adopt_moves

    def kept(
        done: CommandDone, state: EndpointState, window: Window, outstanding: Outstanding
    ) -> None:
        gone = tuple(move for move in done.moves if move.waiting or move.deleted_at_ms)
        adopt(msgspec.structs.replace(done, moves=gone), state, window, outstanding)

    patch.replace(endpoint, "adopt_moves", kept)


@planted(promise="a deleted message is never sent again", seeds_max=300)
def a_deleted_message_is_sent_all_the_same(patch: Patch) -> None:
    """Its payload is removed from the database, and stands in the actor's window."""
    adopt = message_commands.adopt_moves

    def kept(
        done: CommandDone, state: EndpointState, window: Window, outstanding: Outstanding
    ) -> None:
        rest = tuple(move for move in done.moves if move.deleted_at_ms is None)
        adopt(msgspec.structs.replace(done, moves=rest), state, window, outstanding)

    patch.replace(endpoint, "adopt_moves", kept)


@planted(promise="nothing is sent to a deleted endpoint")
def a_deleted_endpoint_leaves_its_actor_running(patch: Patch) -> None:
    """The row is marked; the actor goes on with what it has in memory."""
    on_done = EndpointActor._on_command_done

    def unaware(self: EndpointActor, done: CommandDone) -> None:
        if done.state is not None and done.state.deleted:
            alive = msgspec.structs.replace(done.state, deleted=False)
            done = msgspec.structs.replace(done, state=alive)
        on_done(self, done)

    patch.replace(EndpointActor, "_on_command_done", unaware)


@planted(promise="a replay starts a new cycle; `attempt_no` goes on counting")
def a_replay_of_a_message_forgets_the_cycle(patch: Patch) -> None:
    """A replayed message keeps the attempts of its last cycle: it is given up too early."""
    patch.reword(
        operation_writes,
        "_REPLAY",
        "cycle_attempts = 0, fast_retries = 0, release_no = 0,",
        "release_no = 0,",
    )


@planted(promise="retry-now makes the retry due at once", seeds_max=300)
def a_hastened_retry_waits_on(patch: Patch) -> None:
    """The moment in the row is moved, and the actor keeps the one it knows."""
    adopt = message_commands.adopt_moves

    def unmoved(
        done: CommandDone, state: EndpointState, window: Window, outstanding: Outstanding
    ) -> None:
        due_ms = {row.seq: row.next_attempt_at_ms for row in window._due.rows}
        moves = tuple(
            msgspec.structs.replace(
                move,
                waiting=msgspec.structs.replace(move.waiting, next_attempt_at_ms=due_ms[move.seq]),
            )
            if move.waiting is not None
            and move.seq in due_ms
            and move.waiting.next_attempt_at_ms is not None
            else move
            for move in done.moves
        )
        adopt(msgspec.structs.replace(done, moves=moves), state, window, outstanding)

    patch.replace(endpoint, "adopt_moves", unmoved)
