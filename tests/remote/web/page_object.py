"""Page object: the elements and actions of the page, independent of the server."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

DEADLINE_MS = 20_000
expect.set_options(timeout=DEADLINE_MS)


class ComponentCard:
    """The card of one component."""

    def __init__(self, page: Page, name: str) -> None:
        self.root = page.locator(f'[data-component="{name}"]')
        self.running = self.root.get_by_test_id("running")
        self.current = self.root.get_by_test_id("current")
        self.latest = self.root.get_by_test_id("latest")
        self.pill = self.root.get_by_test_id("pill")
        self.notes = self.root.get_by_test_id("notes")
        self.check_error = self.root.get_by_test_id("check-error")
        self.why = self.root.get_by_test_id("why")
        self.progress = self.root.get_by_test_id("progress")
        self.bar = self.root.get_by_role("progressbar")
        self.phase = self.root.get_by_test_id("phase")
        self.away = self.root.get_by_test_id("away")
        self.output = self.root.get_by_test_id("output")
        self.result = self.root.get_by_test_id("result")
        self.last = self.root.get_by_test_id("last")

    def button(self, action: str):
        """Return the button for ``update``, ``rollback`` or ``health``."""
        return self.root.locator(f'[data-action="{action}"]')


class UpdatePage:
    """The page with its cards and its common elements."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.headline = page.get_by_test_id("headline")
        self.connection = page.get_by_test_id("connection")
        self.check = page.get_by_test_id("check")
        self.dialog = page.get_by_test_id("dialog")
        self.confirm = page.get_by_test_id("confirm")
        self.cancel = page.get_by_test_id("cancel")
        self.try_out = page.get_by_test_id("try")
        self.tried = page.get_by_test_id("tried")
        self.notices = page.get_by_test_id("notice")
        self.history_rows = page.get_by_test_id("history-row")
        self.history_filter = page.locator("#history-filter")
        self.system = page.get_by_test_id("system")
        self.activity = page.get_by_test_id("activity")
        self.sign_in_form = page.get_by_test_id("sign-in")
        self.now = page.get_by_role("button", name="Now", exact=True)

    def open(self) -> UpdatePage:
        """Load the page, and wait until it is connected."""
        self.page.goto(self.address)
        return self.connected()

    def connected(self) -> UpdatePage:
        """Wait until the page is connected."""
        expect(self.connection).to_have_attribute("data-phase", "open")
        return self

    def disconnected(self) -> UpdatePage:
        """Wait until the page is disconnected."""
        expect(self.connection).to_have_attribute("data-phase", re.compile("waiting|connecting"))
        return self

    def card(self, name: str) -> ComponentCard:
        """The card of one component."""
        return ComponentCard(self.page, name)

    def request(self, name: str, action: str) -> None:
        """Click the button of a component, and confirm the dialog."""
        self.card(name).button(action).click()
        self.confirm.click()

    def sign_in(self, token: str) -> None:
        """Enter the access token."""
        self.page.get_by_label("Access token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
