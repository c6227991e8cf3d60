"""The lines under fields and members, as descriptions.

The house writes what a field means in the line under it. Those lines are nowhere at run time,
but in the source; where there is no source there are no descriptions, and nothing else is amiss.
"""

import ast
import inspect
import sys
from functools import cache

__all__ = ["texts_under"]


def texts_under(kind: type) -> dict[str, str]:
    """Return the line under each field or member of a class, inherited ones too.

    Parses the source of the class's module the first time that it is asked for one: some
    milliseconds.
    """
    texts: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        texts |= _of_module(each.__module__).get(each.__qualname__, {})
    return texts


@cache
def _of_module(name: str) -> dict[str, dict[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except (OSError, TypeError):
        return {}
    return {each.name: _of_class(each) for each in tree.body if isinstance(each, ast.ClassDef)}


def _of_class(tree: ast.ClassDef) -> dict[str, str]:
    texts = {}
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                texts[name] = inspect.cleandoc(text)
            case _:
                pass
    return texts
