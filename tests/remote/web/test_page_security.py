"""Words of others: release notes, outputs and messages are text, whatever is in them."""

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


def unharmed(page):
    """Whether no element and no script of the attack came to life; the ``page`` fixture looks at the network."""
    return page.page.evaluate(
        "() => window.broken === undefined && !document.querySelector("
        "'main img, main script, main style, main iframe, .notices img, dialog img, [href^=javascript], [href^=data]')"
    )


def test_release_notes_are_text(page, server):
    """Markup and dangerous links in release notes are shown as the text they are."""
    server.components["core"]["release_notes"] = NOTES
    core = page.open().card("core")
    core.notes.locator("summary").click()
    expect(core.notes).to_contain_text("<script>window.broken = 1</script>")
    expect(core.notes).to_contain_text("[press me](javascript:window.broken=1)")
    assert core.notes.locator("a[href]").count() == core.notes.locator("a[href^=https]").count()
    assert unharmed(page)


def test_outputs_and_messages_are_text(page, server):
    """Markup in outputs, phases, messages, names, errors and logs is shown as the text it is."""
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
    assert unharmed(page)


def test_a_dangerous_release_address_is_no_link(page, server):
    """A release page that is not on the web is not linked."""
    server.components["core"]["release_url"] = "javascript:window.broken=1"
    core = page.open().card("core")
    expect(core.pill).to_be_visible()
    expect(core.root.get_by_role("link")).to_have_count(0)


def test_names_of_the_language_are_no_words(page, server):
    """A state, action or reason named like something every object has is shown as it is."""
    page.open()
    request = bodies.new_id()
    server.event("update_progress", bodies.progress(request, action="constructor", state="__proto__", phase=None))
    expect(page.card("core").progress).to_contain_text("constructor")
    server.event("update_result", bodies.rolled_back(request, action="toString", reason="valueOf", state="constructor"))
    expect(page.card("core").result).to_contain_text("The reason given is “valueOf”.")


def test_endless_notes_end(page, server):
    """Release notes of any length are cut, and say so."""
    server.components["core"]["release_notes"] = "- **word** `code` [x](https://example.org)\n" * 100_000
    core = page.open().card("core")
    core.notes.locator("summary").click()
    expect(core.notes).to_contain_text("… and more.")
    assert core.notes.locator("li").count() <= 400


def test_the_policy_forbids_what_the_page_never_does(browser, server):
    """The policy the page is tested under refuses inline scripts, so that the tests above mean something."""
    page = browser.new_page()
    page.goto(server.address)
    refused = page.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.broken = 1";
            document.head.append(script);
            setTimeout(() => resolve("nothing"), 5000);
        })"""
    )
    page.close()
    assert refused == "script-src-elem"
