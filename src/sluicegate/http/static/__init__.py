"""Files that are served as they are: the scripts of the page at `/docs`.

`scalar.js.gz` is another project's program; `scalar.json` says which version, where it comes from
and what it must be, `scalar.LICENSE` under what terms. `make vendor-scalar` makes it anew.
"""

import gzip
from collections.abc import Mapping
from functools import cache, cached_property
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType

__all__ = ["Asset", "assets"]


class Asset:
    """A file in the package. Thread-safe."""

    def __init__(self, *, packed: bytes) -> None:
        """Take it as gzip."""
        self.gzip = packed
        self.version = sha256(packed).hexdigest()[:16]
        """Another content has another one."""

    @cached_property
    def _plain(self) -> bytes:
        return gzip.decompress(self.gzip)

    def plain(self) -> bytes:
        """Return it as it is. The first call unpacks it: some 10 ms, and its size in memory."""
        return self._plain


@cache
def assets() -> Mapping[str, Asset]:
    """Return the files by name. The first call reads them; blocks."""
    folder = files(__name__)
    start = folder.joinpath("start.js").read_bytes()
    return MappingProxyType(
        {
            "scalar.js": Asset(packed=folder.joinpath("scalar.js.gz").read_bytes()),
            "start.js": Asset(packed=gzip.compress(start, mtime=0)),
        }
    )
