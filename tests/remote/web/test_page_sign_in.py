"""The access token, where the server asks for one."""

from __future__ import annotations

import pytest
from fake_server import FakeServer
from playwright.sync_api import expect

TOKEN = "sand~dune~~?>"  # noqa: S105  in base64 it has +, / and =, which a subprotocol may not have


@pytest.fixture
def server():
    """A server that lets in who knows the token."""
    server = FakeServer(TOKEN)
    server.address = server.start()
    yield server
    server.close()


def test_the_token_lets_in(page):
    """Whoever enters the right token sees the components."""
    page.page.goto(page.address)
    expect(page.sign_in_form).to_be_visible()
    expect(page.page.get_by_label("Access token")).to_be_focused()
    page.sign_in(TOKEN)
    page.connected()
    expect(page.sign_in_form).to_be_hidden()
    expect(page.card("core").pill).to_be_visible()


def test_a_wrong_token_is_told(page):
    """A wrong token says so, and can be entered again."""
    page.page.goto(page.address)
    page.sign_in("camel")
    expect(page.sign_in_form).to_contain_text("This token is not the right one")
    page.sign_in(TOKEN)
    page.connected()


def test_the_token_is_forgotten_with_the_tab(page, new_page, server):
    """Without further asking the token outlives a reload, but is not kept on the device."""
    page.page.goto(page.address)
    page.sign_in(TOKEN)
    page.connected().page.reload()
    page.connected()
    assert page.page.evaluate("() => localStorage.length") == 0


def test_the_token_is_kept_where_that_was_wanted(page):
    """Remember on this device keeps the token for other tabs, until Sign out."""
    page.page.goto(page.address)
    page.page.get_by_label("Remember on this device").check()
    page.sign_in(TOKEN)
    page.connected()
    other = page.page.context.new_page()
    other.goto(page.address)
    expect(other.get_by_test_id("connection")).to_have_attribute("data-phase", "open")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_test_id("sign-in")).to_be_visible()
    assert other.evaluate("() => localStorage.length + sessionStorage.length") == 0


def test_the_token_is_in_no_address(page):
    """The token travels in a header and in the subprotocol, never in an address that somebody logs."""
    addresses = []
    page.page.on("request", lambda request: addresses.append(request.url))
    page.page.on("websocket", lambda socket: addresses.append(socket.url))
    page.page.goto(page.address)
    page.sign_in(TOKEN)
    page.connected()
    assert any("/ws" in address for address in addresses)
    assert not [address for address in addresses if "sand" in address or "token" in address]
