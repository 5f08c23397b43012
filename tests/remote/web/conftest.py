"""Fixtures: browser, fake server and page; a test fails if the page logs an error or requests another origin."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from chromium import chromium
from fake_server import FakeServer
from page_object import UpdatePage

# The browser logs an unreachable server, or a 401, as an error; it is not an error of the page.
NETWORK_WORDS = ("Failed to load resource", "WebSocket connection to")


@pytest.fixture(scope="module")
def browser():
    """Chromium, per module: Playwright occupies the thread's event loop while it runs."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def server():
    """A fake server without a token; tests change it before they open the page."""
    server = FakeServer()
    server.address = server.start()
    yield server
    server.close()


@pytest.fixture
def new_page(browser):
    """Creates pages with browser options; none may log an error or request another origin."""
    contexts, problems = [], []

    def make(server, **options):
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"uncaught: {error}"))
        page.on("console", lambda message: _is_problem(message) and problems.append(f"console: {message.text}"))
        ours = urlsplit(server.address).netloc
        page.on(
            "request",
            lambda request: urlsplit(request.url).netloc != ours and problems.append(f"requested {request.url}"),
        )
        return UpdatePage(page, server.address)

    yield make
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(new_page, server):
    """The page in a desktop viewport, not opened yet."""
    return new_page(server)


def _is_problem(message):
    return message.type in {"error", "warning"} and not message.text.startswith(NETWORK_WORDS)
