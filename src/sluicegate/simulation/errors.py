"""What a simulation complains of."""

__all__ = [
    "DeadlockError",
    "EscapeError",
    "LifeEndedError",
    "StandstillError",
    "UnhandledError",
]


class DeadlockError(RuntimeError):
    """Nothing is ready and no timer is set: what is waited for can never happen."""


class EscapeError(NotImplementedError):
    """Code in the simulation reached for the real world: a thread, a real socket, a subprocess.

    A `NotImplementedError`, as other loops raise it for what they cannot do: programs that have
    another way (no signal handlers on Windows, say) take it. But for signals, what a host's code
    reached for also fails its world in the end, whoever has caught this: see `Simulation`.
    """


class LifeEndedError(RuntimeError):
    """The host died in whose life a coroutine ran; what it did before stands."""


class StandstillError(RuntimeError):
    """Callbacks run on and on, and no time passes: something never waits for anything."""


class UnhandledError(ExceptionGroup[Exception]):
    """Exceptions that nobody handled while the simulation ran."""
