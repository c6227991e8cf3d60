"""The reference page in a real browser: it is drawn, and asks nobody but this server."""

from pathlib import Path

import pytest

from .browser import Tab, new_tab
from .harness import Api

pytestmark = pytest.mark.timeout(400)  # the browser may have to be installed first

_SHOWN = """new Promise(done => {{
    const look = () => document.querySelector({selector!r}) && done(true);
    new MutationObserver(look).observe(document, {{childList: true, subtree: true}});
    look();
}})"""
_DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
_ALL_TAGS = (
    """for (const each of document.querySelectorAll("aside [aria-expanded=false]")) each.click()"""
)


def strangers(tab: Tab, api: Api) -> list[str]:
    """Return the requests that left this server."""
    ours = (f"{api.url}/", "data:", "blob:", "about:")
    return [each for each in tab.requests if not each.startswith(ours)]


async def test_the_reference_page_is_drawn_without_leaving_this_server(
    api: Api, tmp_path: Path
) -> None:
    """Operations can be read, searched and tried out; nobody else is asked for anything.

    No request goes to another host, none has to be refused by the policy, nothing complains.
    """
    async with new_tab(tmp_path / "profile") as tab:
        await tab.open(f"{api.url}/docs")
        await tab.shows("An endpoint can be paused: then everything is still accepted")
        await tab.evaluate(_ALL_TAGS)
        await tab.shows("Change an endpoint")
        await tab.evaluate("location.hash = 'tag/endpoints/POST/v1/endpoints/{endpoint_id}/pause'")
        await tab.shows("no attempt to the endpoint starts until it is resumed")
        await tab.evaluate("location.hash = 'tag/deliveries/webhook/POST/delivery'")
        await tab.shows("What an endpoint's receiver gets")
        await tab.press("k", control=True)
        await tab.evaluate(_SHOWN.format(selector="[role=dialog] input"))
        await tab.evaluate("document.fonts.ready.then(() => true)")
        await tab.evaluate(_DRAWN)
        assert strangers(tab, api) == []
        assert tab.complaints == []
        assert f"{api.url}/openapi.json" in tab.requests


async def test_the_watch_over_the_page_sees_what_leaves_it(api: Api, tmp_path: Path) -> None:
    """The test above can fail: a refused request, a refused script and an error are all seen."""
    async with new_tab(tmp_path / "profile") as tab:
        await tab.open(f"{api.url}/docs")
        await tab.shows("An endpoint can be paused: then everything is still accepted")
        assert (strangers(tab, api), tab.complaints) == ([], [])
        await tab.evaluate("fetch('http://127.0.0.2:9/').catch(() => true)")
        await tab.complains("connect-src")
        await tab.evaluate(
            "document.body.append(Object.assign("
            "document.createElement('script'), {text: 'window.reached = true'}))"
        )
        assert await tab.evaluate("window.reached === undefined")
        await tab.complains("script-src")
        await tab.evaluate("console.error('planted')")
        await tab.complains("planted")


async def test_a_request_to_another_host_is_seen(api: Api, tmp_path: Path) -> None:
    """Where no policy refuses it, a request that leaves this server is seen as such."""
    async with new_tab(tmp_path / "profile") as tab:
        await tab.open(f"{api.url}/healthz")
        await tab.evaluate("fetch('http://127.0.0.2:9/').catch(() => true)")
        assert strangers(tab, api) == ["http://127.0.0.2:9/"]
