"""Layout and accessibility: phones, dark scheme, contrast, reduced motion, headings and names."""

from __future__ import annotations

import itertools

import message_bodies as bodies
import pytest
from playwright.sync_api import expect

# Contrast of every visible text against its background (WCAG 1.4.3), computed from the colours of the page.
CONTRASTS = """(within) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = ([r, g, b]) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [x, y, z] = [r, g, b].map((v) => linear(v / 255));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const found = [];
  for (const node of document.querySelectorAll(`${within} *`)) {
    const text = [...node.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join("");
    if (!text || !node.checkVisibility({ visibilityProperty: true }) || node.closest(".unseen, .skip, svg")) continue;
    const below = ground(node);
    const ink = rgba(getComputedStyle(node).color);
    for (let at = node; at; at = at.parentElement) ink[3] *= Number(getComputedStyle(at).opacity);
    const [one, other] = [light(over(ink, below)), light(below)].sort((a, b) => b - a);
    found.push([`${node.className || node.localName}: ${text.slice(0, 40)}`, (one + 0.05) / (other + 0.05)]);
  }
  return found;
}"""
DUNES = """() => ["--sky-high", "--sky-low", "--far", "--middle"].map((name) => {
  const probe = document.createElement("p");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
})"""


SETTLED = """() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(
  document.getAnimations().every((animation) => animation.playState !== "running")))))"""


def contrasts(page, within="body"):
    """The contrast of each text, after all animations have ended."""
    page.page.wait_for_function(SETTLED)
    return page.page.evaluate(CONTRASTS, within)


def insufficient(found):
    """The texts with a contrast below 4.5 : 1."""
    return [item for item in found if item[1] < 4.5]


@pytest.fixture
def busy(server):
    """Factory that opens a page with progress, a failure, an error, open details and activity."""

    def fill(page):
        server.components["scheduler"].update({"running": False, "error": "no route to api.github.com", "latest": None})
        page.open()
        server.event("update_progress", bodies.progress(bodies.new_id(), "remote", output=bodies.SCRIPT, error="hm\n"))
        server.event("update_result", bodies.rolled_back(bodies.new_id()))
        server.event("log", {"message": "x" * 200, "level": "error"})
        expect(page.card("core").result).to_be_visible()
        expect(page.card("remote").output).to_be_visible()
        page.card("core").notes.locator("summary").click()
        page.history_rows.nth(1).locator("summary").click()
        page.activity.locator("summary").click()
        return page

    return fill


@pytest.mark.parametrize("width", [320, 360, 390, 600, 833, 1024, 1280, 2560])
def test_page_does_not_scroll_horizontally(new_page, server, busy, width):
    """The page fits its window, from a small phone to a wide desktop."""
    server.components["core"]["display_name"] = "a-component-with-an-unusually-long-display-name"
    page = busy(new_page(server, viewport={"width": width, "height": 800}))
    assert page.page.evaluate("() => document.documentElement.scrollWidth") <= width
    page.card("core").button("rollback").click()
    expect(page.dialog).to_be_visible()
    box = page.dialog.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


def test_controls_are_large_enough_for_touch(new_page, server, busy):
    """On a phone, every control is at least 44 pixels high."""
    page = busy(new_page(server, viewport={"width": 360, "height": 800}, has_touch=True))
    small = page.page.evaluate(
        """() => [...document.querySelectorAll("button, select, summary, a.release")]
            .filter((node) => node.checkVisibility())
            .map((node) => [node.textContent || node.className, node.getBoundingClientRect()])
            .filter(([, box]) => box.height < 43.5 || box.width < 43.5).map(([name]) => name)"""
    )
    assert small == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_sufficient_contrast(new_page, server, busy, scheme):
    """Every text has a contrast of 4.5 : 1, in light and dark."""
    page = busy(new_page(server, color_scheme=scheme, reduced_motion="reduce"))
    found = contrasts(page)
    assert len(found) > 60
    assert insufficient(found) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dialog_and_disabled_buttons_have_sufficient_contrast(new_page, server, scheme):
    """Dialog, form and disabled buttons have the same contrast."""
    page = new_page(server, color_scheme=scheme, reduced_motion="reduce").open()
    page.card("core").button("update").click()
    server.event("update_progress", bodies.progress(bodies.new_id()))
    expect(page.confirm).to_be_disabled()
    page.page.evaluate("() => { document.getElementById('sign-in').hidden = false; }")
    assert insufficient(contrasts(page)) == []
    ground = "node => getComputedStyle(node).backgroundColor"
    assert page.confirm.evaluate(ground) != page.page.locator("#sign-in button").evaluate(ground)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_headline_has_sufficient_contrast_on_the_background(new_page, server, scheme):
    """Headline and subline have 4.5 : 1 on the sky and on each dune."""
    page = new_page(server, color_scheme=scheme, reduced_motion="reduce").open()
    expect(page.headline).to_have_text("One update is ready")
    expect(page.system).to_contain_text("dune-garden")
    for colour in page.page.evaluate(DUNES):
        page.page.evaluate("(colour) => { document.querySelector('.hero').style.background = colour; }", colour)
        found = contrasts(page, ".hero")
        assert {"h1: One update is ready", "span: dune-garden · last checked"} <= {item[0] for item in found}
        assert insufficient(found) == []


def test_dark_scheme_is_dark(new_page, server):
    """A dark colour scheme gives a dark page."""
    page = new_page(server, color_scheme="dark").open()
    red = page.page.evaluate("() => Number(/\\d+/.exec(getComputedStyle(document.body).backgroundColor)[0])")
    assert red < 40


def test_reduced_motion_stops_animations(new_page, server, busy):
    """With reduced motion no animation runs, and an indeterminate bar is filled."""
    page = busy(new_page(server, reduced_motion="reduce"))
    running = page.page.evaluate(
        "() => document.getAnimations().filter((a) => a.effect.getComputedTiming().endTime > 100).length"
    )
    assert running == 0
    full = "node => node.firstChild.offsetWidth / node.offsetWidth"
    assert page.card("remote").bar.evaluate(full) > 0.99


def test_focus_is_visible(page):
    """Keyboard focus has a visible outline."""
    page.open()
    expect(page.card("core").pill).to_be_visible()
    for _ in range(12):
        page.page.keyboard.press("Tab")
        outline = page.page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]; }"
        )
        assert outline == ["solid", "3px"]


def test_heading_levels_are_not_skipped(page, busy):
    """Heading levels increase by at most one."""
    busy(page)
    levels = page.page.evaluate(
        """() => [...document.querySelectorAll("h1, h2, h3, h4, h5")].filter((node) => node.checkVisibility())
            .map((node) => Number(node.localName[1]))"""
    )
    assert levels[0] == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))


def test_controls_have_accessible_names(page, busy):
    """Every control has a name for screen readers, and ids are unique."""
    busy(page)
    nameless, double = page.page.evaluate(
        """() => {
          const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
          const named = (node) => node.getAttribute("aria-label") || node.textContent.trim() || node.labels?.length;
          const all = [...document.querySelectorAll("button, a, select, input, pre, summary, [role=progressbar]")];
          const nameless = all.filter((node) => !named(node)).map((node) => node.outerHTML);
          return [nameless, ids.filter((id, i) => ids.indexOf(id) !== i)];
        }"""
    )
    assert nameless == []
    assert double == []
