"""What a planted bug is: a name, a promise that it breaks, and what it puts in place of what."""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from types import FunctionType

import msgspec

__all__ = ["MUTANTS", "WITHIN_REACH_SEEDS", "Mutant", "Patch", "planted"]

WITHIN_REACH_SEEDS = 100
"""Most are found within a tenth of it; which seed finds what changes with every rule of a plan."""


class Patch:
    """Puts other things in the place of parts of the engine, and puts them back.

    It refuses what does not fit: an engine that was changed must not turn a planted bug into one
    that changes nothing, or into an exception of its own, which would pass for a bug found.
    """

    def __init__(self) -> None:
        """Begin with everything as it is."""
        self._undo = contextlib.ExitStack()

    def replace(self, owner: object, name: str, value: object) -> None:
        """Put `value` in the place of a method, function or constant that `owner` itself has.

        Raises:
            TypeError: there is none, or it takes other arguments.
        """
        original = vars(owner).get(name)
        if original is None:
            raise TypeError(f"{owner} has no {name} any more")
        if isinstance(original, FunctionType) and isinstance(value, FunctionType):
            _check_fit(original, value)
        setattr(owner, name, value)
        self._undo.callback(setattr, owner, name, original)

    def reword(self, owner: object, name: str, old: str, new: str) -> None:
        """Replace one place of a text, such as an SQL statement.

        Raises:
            TypeError: it is not there exactly once.
        """
        text = vars(owner).get(name)
        if not isinstance(text, str) or text.count(old) != 1:
            raise TypeError(f"{name} does not say {old!r} once")
        self.replace(owner, name, text.replace(old, new))

    def undo(self) -> None:
        """Put everything back."""
        self._undo.close()


def _check_fit(original: FunctionType, value: FunctionType) -> None:
    before, after = inspect.signature(original).parameters, inspect.signature(value).parameters
    open_ended = any(each.kind is each.VAR_KEYWORD for each in after.values())
    named = [name for name, each in after.items() if each.kind is not each.VAR_KEYWORD]
    if open_ended:
        fits = set(named) <= set(before)
    else:
        fits = [name.lstrip("_") for name in before] == [name.lstrip("_") for name in named]
    if not fits or inspect.iscoroutinefunction(original) != inspect.iscoroutinefunction(value):
        raise TypeError(f"{original.__qualname__} takes {list(before)}, not {named}")


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One planted bug."""

    name: str
    story: str
    """What is wrong, and how it could come about."""
    promise: str
    """What it breaks, in the words of `docs/guarantees.md` or of the contract."""
    seeds_max: int
    """The suite turns red within so many seeds, from 1 on; tests hunt those of which it is no more
    than `WITHIN_REACH_SEEDS`."""
    plant: Callable[[Patch], None]

    @contextlib.contextmanager
    def planted(self) -> Iterator[None]:
        """Let the engine have this bug while the context lasts."""
        patch = Patch()
        try:
            self.plant(patch)
            yield
        finally:
            patch.undo()


MUTANTS: dict[str, Mutant] = {}
"""Every planted bug, by name, in the order of the table."""


def planted(
    *, promise: str, seeds_max: int = WITHIN_REACH_SEEDS
) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Make a planted bug of a function: its name is the bug's, its docstring the story."""

    def register(plant: Callable[[Patch], None]) -> Callable[[Patch], None]:
        name = plant.__name__.replace("_", " ")
        MUTANTS[name] = Mutant(
            name=name,
            story=inspect.cleandoc(plant.__doc__ or ""),
            promise=promise,
            seeds_max=seeds_max,
            plant=plant,
        )
        return plant

    return register
