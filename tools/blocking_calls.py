"""Make the blocking form of every call of an engine from the asynchronous one.

    python tools/blocking_calls.py

Reads `src/sluicegate/engine/calls/`, writes `src/sluicegate/embedding/blocking/`. Signatures,
annotations and docstrings are taken over as they are; what is added is `timeout_s`, but where a
method takes any keyword: there the name may be an endpoint's own field, and the engine's
`timeout_s` holds.
"""

import ast
import subprocess
import sys
from pathlib import Path

__all__ = ["MODULES", "SOURCES", "TARGETS", "blocking"]

_PACKAGE = Path(__file__).resolve().parent.parent / "src" / "sluicegate"
SOURCES = _PACKAGE / "engine" / "calls"
TARGETS = _PACKAGE / "embedding" / "blocking"
MODULES = ("activity", "api_keys", "endpoints", "exports", "messages", "operations")

_HEAD = """\
The calls of `sluicegate.engine.calls.{name}`, each of which blocks until it is answered.

Made by `make blocking-calls`; a test compares.
"""
_TIMEOUT = "timeout_s: how long to wait, in seconds; the engine's own when not given."
_SECTIONS = ("Returns:", "Raises:")


def blocking(source: str, *, name: str) -> ast.Module:
    """Return a module of blocking calls.

    Args:
        source: the text of a module of asynchronous ones.
        name: what that module is called, such as `messages`.
    """
    module = ast.parse(source)
    (scope,) = (each for each in module.body if isinstance(each, ast.ClassDef))
    methods = [_blocking(each) for each in scope.body if isinstance(each, ast.AsyncFunctionDef)]
    class_name = f"Blocking{scope.name}"
    used = {
        each.id for method in methods for each in ast.walk(method) if isinstance(each, ast.Name)
    }
    imports = [
        ast.ImportFrom(each.module, kept, each.level)
        for each in module.body
        if isinstance(each, ast.ImportFrom)
        and (kept := [alias for alias in each.names if alias.name in used])
    ]
    made = ast.Module(
        [
            ast.Expr(ast.Constant(_HEAD.format(name=name))),
            *imports,
            *ast.parse("from sluicegate.embedding.blocking.scope import BlockingScope").body,
            *ast.parse(f"__all__ = [{class_name!r}]").body,
            ast.ClassDef(
                class_name, [ast.Name("BlockingScope")], [], [_docstring(scope), *methods], []
            ),
        ],
        [],
    )
    return ast.fix_missing_locations(made)


def _docstring(scope: ast.ClassDef) -> ast.Expr:
    return ast.Expr(ast.Constant(ast.get_docstring(scope, clean=False)))


def _blocking(method: ast.AsyncFunctionDef) -> ast.FunctionDef:
    given = method.args
    timed = given.kwarg is None
    call = ast.Call(
        ast.Attribute(ast.Name("engine"), method.name),
        [ast.Name(each.arg) for each in given.args[1:]],
        [ast.keyword(each.arg, ast.Name(each.arg)) for each in given.kwonlyargs],
    )
    if given.kwarg is not None:
        call.keywords.append(ast.keyword(None, ast.Name(given.kwarg.arg)))
    (parameters,) = (
        each.args
        for each in ast.walk(ast.parse("lambda engine: 0"))
        if isinstance(each, ast.Lambda)
    )
    waited = ast.Call(
        ast.Attribute(ast.Name("self"), "_call"),
        [ast.Lambda(parameters, call), ast.Name("timeout_s") if timed else ast.Constant(None)],
        [],
    )
    returns_nothing = isinstance(method.returns, ast.Constant)
    text = ast.get_docstring(method, clean=False) or ""
    if timed:
        given.kwonlyargs.append(ast.arg("timeout_s", ast.parse("float | None", mode="eval").body))
        given.kw_defaults.append(ast.Constant(None))
        text = _with_timeout(text)
    return ast.FunctionDef(
        method.name,
        given,
        [ast.Expr(ast.Constant(text)), ast.Expr(waited) if returns_nothing else ast.Return(waited)],
        [],
        method.returns,
    )


def _with_timeout(text: str) -> str:
    """Describe the argument that is added, where the others are described."""
    lines = text.split("\n")
    if "Args:" not in text:
        return text
    first = next(number for number, line in enumerate(lines) if line.strip() == "Args:")
    following = lines[first + 1 :]
    ends = (
        number for number, line in enumerate(following) if line.strip() in _SECTIONS or not line
    )
    last = first + 1 + next(ends, len(following) - 1)  # the last line is the closing quotes' own
    indent = following[0][: len(following[0]) - len(following[0].lstrip())]
    return "\n".join([*lines[:last], f"{indent}{_TIMEOUT}", *lines[last:]])


def main() -> None:
    """Write every module, formatted."""
    written = []
    for name in MODULES:
        made = blocking((SOURCES / f"{name}.py").read_text(encoding="utf-8"), name=name)
        path = TARGETS / f"{name}.py"
        path.write_text(ast.unparse(made) + "\n", encoding="utf-8")
        written.append(str(path))
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check", "--select", "I", "--fix"], ["format"]):
        subprocess.run([ruff, *command, "--quiet", *written], check=True)


if __name__ == "__main__":
    main()
