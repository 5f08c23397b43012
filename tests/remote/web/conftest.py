"""A browser, a stand-in server, and the page between them, watched for whatever it should never do."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from chromium import chromium
from fake_server import FakeServer
from page_object import UpdatePage

# A server that is away, or that asks for a token, is an error to the browser's console; it is none of the page's.
NETWORK_WORDS = ("Failed to load resource", "WebSocket connection to")


def pytest_itemcollected(item):
    """One worker has all of a file's tests: each that had some would start a browser of its own for them."""
    item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module")
def browser():
    """Chromium; per module, for Playwright occupies the event loop of the thread as long as it runs."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def server():
    """A server without a token, with the usual device behind it; tests change it before they open the page."""
    server = FakeServer()
    server.address = server.start()
    yield server
    server.close()


@pytest.fixture
def new_page(browser):
    """Makes pages of a browser with options of one's own; none may log an error or reach for another origin."""
    contexts, troubles = [], []

    def make(server, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(f"uncaught: {error}"))
        page.on("console", lambda message: _is_trouble(message) and troubles.append(f"console: {message.text}"))
        ours = urlsplit(server.address).netloc
        page.on("request", lambda asked: urlsplit(asked.url).netloc != ours and troubles.append(f"asked {asked.url}"))
        return UpdatePage(page, server.address)

    yield make
    for context in contexts:
        context.close()
    assert troubles == []


@pytest.fixture
def page(new_page, server):
    """The page on a desktop, not opened yet."""
    return new_page(server)


def _is_trouble(message):
    return message.type in {"error", "warning"} and not message.text.startswith(NETWORK_WORDS)
