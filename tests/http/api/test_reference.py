"""The reference page and its parts, as they are served; a browser reads it in test_browser.py."""

import gzip
import hashlib
import json
import re
from importlib.resources import files

import pytest

from .harness import Api

STATIC = files("sluicegate.http.static")


def test_the_vendored_script_is_what_its_manifest_says() -> None:
    """Another project's program is in the package unchanged, with its version and its licence."""
    manifest = json.loads(STATIC.joinpath("scalar.json").read_text(encoding="utf-8"))
    script = gzip.decompress(STATIC.joinpath("scalar.js.gz").read_bytes())
    assert len(script) == manifest["bytes"]
    assert hashlib.sha256(script).hexdigest() == manifest["sha256"]
    assert manifest["version"].encode() in script
    assert manifest["integrity"].startswith("sha512-")
    assert manifest["license"] == "MIT"
    assert "MIT License" in STATIC.joinpath("scalar.LICENSE").read_text(encoding="utf-8")


async def test_the_page_holds_the_browser_to_this_server(api: Api) -> None:
    """Its policy names this server alone, and no script inside the page."""
    page = await api.get("/docs", key="")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    directives = page.headers["Content-Security-Policy"].split("; ")
    policy = {name: sources for name, *sources in map(str.split, directives)}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert policy["script-src"] == policy["connect-src"] == ["'self'"]
    sources = {each for sources in policy.values() for each in sources}
    assert sources == {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert b"//" not in page.body
    assert page.headers["X-Frame-Options"] == "DENY"
    known = await api.get("/docs", headers={"If-None-Match": page.headers["ETag"]})
    assert (known.status, known.body) == (304, b"")
    assert known.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("encoding", ["gzip", "br, gzip;q=0.5", "identity", "gzip;q=0", ""])
async def test_a_script_is_kept_for_good_under_its_own_name(api: Api, encoding: str) -> None:
    """The name has the content's digest in it; compressed for those who take it so."""
    page = await api.get("/docs")
    scripts = re.findall(r'src="(docs/[0-9a-f]{16}/\w+\.js)"', page.body.decode())
    assert [each.rpartition("/")[2] for each in scripts] == ["start.js", "scalar.js"]
    for script in scripts:
        answer = await api.get(f"/{script}", headers={"Accept-Encoding": encoding}, key="")
        packed = STATIC.joinpath("scalar.js.gz").read_bytes()
        plain = gzip.decompress(packed)
        if script.endswith("start.js"):
            plain = STATIC.joinpath("start.js").read_bytes()
        assert answer.status == 200
        assert answer.body == plain  # the client unpacks what is marked as packed
        assert ("Content-Encoding" in answer.headers) == (
            "gzip" in encoding and "=0" not in encoding.replace("=0.5", "")
        )
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert answer.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path",
    ["/docs/0000000000000000/scalar.js", "/docs/x/other.js", "/docs/..%2f..%2fapp.py/x", "/docs/"],
)
async def test_nothing_else_is_served(api: Api, path: str) -> None:
    """Another version is not there, and no path leads to another file."""
    assert (await api.get(path)).refusal == (404, "NOT_FOUND")
