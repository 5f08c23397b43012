"""Sign-in with the access token."""

from __future__ import annotations

import pytest
from fake_server import FakeServer
from playwright.sync_api import expect

TOKEN = "sand~dune~~?>"  # noqa: S105  in base64 it has +, / and =, which a subprotocol may not have


@pytest.fixture
def server():
    """A server that requires the token."""
    server = FakeServer(TOKEN)
    server.address = server.start()
    yield server
    server.close()


def test_sign_in_accepts_the_token(page):
    """With the right token, the components appear."""
    page.page.goto(page.address)
    expect(page.sign_in_form).to_be_visible()
    expect(page.page.get_by_label("Access token")).to_be_focused()
    page.sign_in(TOKEN)
    page.connected()
    expect(page.sign_in_form).to_be_hidden()
    expect(page.card("core").pill).to_be_visible()


def test_sign_in_rejects_a_wrong_token(page):
    """The form shows an error, and another token can be entered."""
    page.page.goto(page.address)
    page.sign_in("wrong-token")
    expect(page.sign_in_form).to_contain_text("This token is wrong")
    page.sign_in(TOKEN)
    page.connected()


def test_sign_in_lasts_until_the_tab_is_closed(page, new_page, server):
    """By default, the token survives a reload and is not stored on the device."""
    page.page.goto(page.address)
    page.sign_in(TOKEN)
    page.connected().page.reload()
    page.connected()
    assert page.page.evaluate("() => localStorage.length") == 0


def test_sign_in_can_be_remembered_on_the_device(page):
    """Remember on this device stores the token for other tabs, until Sign out."""
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


def test_sign_in_token_is_not_in_any_url(page):
    """The token is sent in a header and in the subprotocol only."""
    addresses = []
    page.page.on("request", lambda request: addresses.append(request.url))
    page.page.on("websocket", lambda socket: addresses.append(socket.url))
    page.page.goto(page.address)
    page.sign_in(TOKEN)
    page.connected()
    assert any("/ws" in address for address in addresses)
    assert not [address for address in addresses if "sand" in address or "token" in address]
