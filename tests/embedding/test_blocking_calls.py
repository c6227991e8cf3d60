"""The blocking calls are made from the asynchronous ones."""

import ast
import importlib.util
from pathlib import Path

import pytest

_PATH = Path(__file__).parents[2] / "tools" / "blocking_calls.py"
_SPEC = importlib.util.spec_from_file_location("blocking_calls", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
blocking_calls = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(blocking_calls)


def normal(module: ast.Module) -> str:
    """Return what it says, whatever its imports' order and its layout."""
    module.body.sort(key=lambda each: ast.dump(each) if isinstance(each, ast.ImportFrom) else "")
    return ast.dump(ast.parse(ast.unparse(module)))


@pytest.mark.parametrize("name", blocking_calls.MODULES)
def test_each_module_is_what_would_be_made_now(name: str) -> None:
    """Else run `make blocking-calls`."""
    source = (blocking_calls.SOURCES / f"{name}.py").read_text(encoding="utf-8")
    target = (blocking_calls.TARGETS / f"{name}.py").read_text(encoding="utf-8")
    made = blocking_calls.blocking(source, name=name)
    assert normal(ast.parse(target)) == normal(made), "run `make blocking-calls`"


def test_no_module_is_forgotten() -> None:
    """One for each of `engine.calls`, but for those that ask nothing."""
    there = {path.stem for path in blocking_calls.SOURCES.glob("*.py")}
    assert there - {"__init__", "scope"} == set(blocking_calls.MODULES)
