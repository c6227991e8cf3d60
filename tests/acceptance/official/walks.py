"""What each test says it walks; the fixture `client` checks that it did, in both forms."""

from collections.abc import Callable
from typing import TypeVar

from .operations import OPERATIONS

__all__ = ["MET", "SEEN_AS", "WALKED", "claims_of", "meets", "walks"]

WALKED: set[str] = set()
"""Operations with a test of their happy path."""
MET: set[tuple[str, str]] = set()
"""Operations and contract codes that a test makes them refuse with."""
SEEN_AS = {"ENDPOINT_NOT_FOUND": "NOT_FOUND", "RATE_LIMITED": "RATE_LIMIT_EXCEEDED"}
"""Codes for which the client puts another in their place."""

_Test = TypeVar("_Test", bound=Callable[..., object])
_claims: dict[str, set[tuple[str, str]]] = {}
_WORKS = ""


def walks(*operations: str) -> Callable[[_Test], _Test]:
    """Mark a test in which each of these operations succeeds."""

    def decorate(test: _Test) -> _Test:
        assert set(operations) <= set(OPERATIONS)
        WALKED.update(operations)
        _claim(test, {(operation, _WORKS) for operation in operations})
        return test

    return decorate


def meets(operations: str | tuple[str, ...], *codes: str) -> Callable[[_Test], _Test]:
    """Mark a test in which each operation is refused with each of these contract codes."""

    def decorate(test: _Test) -> _Test:
        for operation in (operations,) if isinstance(operations, str) else operations:
            assert operation in OPERATIONS
            MET.update((operation, code) for code in codes)
            _claim(test, {(operation, SEEN_AS.get(code, code)) for code in codes})
        return test

    return decorate


def claims_of(test: Callable[..., object]) -> set[tuple[str, str]]:
    """Return the operations and what the client is to see of them: a code, or `""` for success."""
    return _claims.get(_name(test), set())


def _claim(test: Callable[..., object], claims: set[tuple[str, str]]) -> None:
    _claims.setdefault(_name(test), set()).update(claims)


def _name(test: Callable[..., object]) -> str:
    return f"{test.__module__}.{test.__qualname__}"
