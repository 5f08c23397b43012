"""Untrusted content: release notes, outputs and messages are shown as text."""

from __future__ import annotations

import message_bodies as bodies
from playwright.sync_api import expect

ATTACK = (
    '<img src="https://evil.example/x.png" onerror="window.broken = 1"><script>window.broken = 1</script>'
    '<style>body { display: none }</style><iframe src="https://evil.example/"></iframe>'
)
NOTES = f"""# {ATTACK}
{ATTACK}
- {ATTACK}
- [press me](javascript:window.broken=1) and [me](data:text/html,<script>window.broken=1</script>)
- **{ATTACK}** `{ATTACK}`
```
{ATTACK}
```
"""


def has_no_injected_content(page):
    """Return whether no element or script of the attack is active; the ``page`` fixture checks the network."""
    return page.page.evaluate(
        "() => window.broken === undefined && !document.querySelector("
        "'main img, main script, main style, main iframe, .notices img, dialog img, [href^=javascript], [href^=data]')"
    )


def test_release_notes_cannot_inject_markup(page, server):
    """Markup and dangerous links in release notes stay text."""
    server.components["core"]["release_notes"] = NOTES
    core = page.open().card("core")
    core.notes.locator("summary").click()
    expect(core.notes).to_contain_text("<script>window.broken = 1</script>")
    expect(core.notes).to_contain_text("[press me](javascript:window.broken=1)")
    assert core.notes.locator("a[href]").count() == core.notes.locator("a[href^=https]").count()
    assert has_no_injected_content(page)


def test_messages_cannot_inject_markup(page, server):
    """Markup in outputs, phases, messages, names, errors and logs stays text."""
    server.components["core"].update({"error": ATTACK, "display_name": ATTACK, "current": ATTACK})
    server.history = [bodies.entry(message=ATTACK, output=ATTACK, error=ATTACK, version=ATTACK, reason=ATTACK)]
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, output=ATTACK, error=ATTACK, phase=ATTACK, version=ATTACK))
    core = page.card("core")
    expect(core.output).to_contain_text("<script>window.broken = 1</script>")
    server.event("update_result", bodies.rolled_back(request, message=ATTACK, reason=ATTACK, output=ATTACK))
    server.event("log", {"message": ATTACK, "level": ATTACK})
    server.event("error", {"message": ATTACK, "subject": ATTACK})
    expect(core.result).to_contain_text("<script>window.broken = 1</script>")
    page.history_rows.first.locator("summary").click()
    expect(page.history_rows.first).to_contain_text("<iframe src=")
    assert has_no_injected_content(page)


def test_release_url_must_be_http(page, server):
    """A release page with another scheme is not linked."""
    server.components["core"]["release_url"] = "javascript:window.broken=1"
    core = page.open().card("core")
    expect(core.pill).to_be_visible()
    expect(core.root.get_by_role("link")).to_have_count(0)


def test_texts_ignore_properties_of_object_prototype(page, server):
    """A state, action or reason such as ``valueOf`` is shown as text."""
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, action="constructor", state="__proto__", phase=None))
    expect(page.card("core").progress).to_contain_text("constructor")
    server.event("update_result", bodies.rolled_back(request, action="toString", reason="valueOf", state="constructor"))
    expect(page.card("core").result).to_contain_text("The reason is “valueOf”.")


def test_release_notes_are_truncated(page, server):
    """Long release notes are truncated, and a text says so."""
    server.components["core"]["release_notes"] = "- **word** `code` [x](https://example.org)\n" * 100_000
    core = page.open().card("core")
    core.notes.locator("summary").click()
    expect(core.notes).to_contain_text("… and more.")
    assert core.notes.locator("li").count() <= 400


def test_content_security_policy_blocks_inline_scripts(browser, server):
    """The policy of the fake server blocks inline scripts, so that the tests above are meaningful."""
    page = browser.new_page()
    page.goto(server.address)
    blocked = page.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.broken = 1";
            document.head.append(script);
            setTimeout(() => resolve("nothing"), 5000);
        })"""
    )
    page.close()
    assert blocked == "script-src-elem"
