"""Pure functions of the page's modules, called in the browser."""

from __future__ import annotations

import pytest
from fake_server import FakeServer


@pytest.fixture(scope="module")
def server():
    """A server for all tests of the module, which do not change it."""
    server = FakeServer()
    server.address = server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def call(browser, server):
    """Call a function of one of the page's modules."""
    page = browser.new_page()
    page.goto(server.address)

    def calling(module, name, *arguments):
        script = "async ([file, name, given]) => (await import(`/static/${file}.js`))[name](...given)"
        return page.evaluate(script, [module, name, list(arguments)])

    yield calling
    page.close()


@pytest.mark.parametrize(
    ("seen", "piece", "fresh"),
    [
        ("", "one\n", "one\n"),
        ("one\n", "one\n", ""),
        ("one\n", "one\ntwo\n", "two\n"),
        ("one\ntwo\n", "two\nthree\n", "three\n"),
        ("one\ntwo\n", "nine\n", "nine\n"),
        ("dune ä\n", "\ufffd\nand\n", "and\n"),
        ("one\n", "", ""),
    ],
)
def test_new_text_returns_the_part_after_the_overlap(call, seen, piece, fresh):
    """The part of a piece after its overlap with the known output is new; without overlap the whole piece is new."""
    assert call("output_tail", "newText", seen, piece) == fresh


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (44, "just now"),
        (60, "1 minute ago"),
        (180, "3 minutes ago"),
        (3600, "1 hour ago"),
        (86400, "yesterday"),
        (9 * 86400, "9 days ago"),
        (400 * 86400, "last year"),
        (-120, "in 2 minutes"),
    ],
)
def test_ago_returns_relative_times(call, seconds, text):
    """Relative times have the format of the locale."""
    assert call("times", "ago", "2026-01-01T00:00:00Z", 1_767_225_600_000 + seconds * 1000) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0:00"), (67_000, "1:07"), (7_205_000, "2:00:05"), (-5, "0:00")]
)
def test_stopwatch_formats_elapsed_time(call, milliseconds, text):
    """Hours are shown only from one hour on; negative times are shown as zero."""
    assert call("times", "stopwatch", milliseconds) == text


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt:alert(1)", None),
        ("data:text/html,x", None),
        ("//example.org", None),
        ("", None),
    ],
)
def test_safe_url_accepts_http_only(call, address, safe):
    """For other schemes the function returns null."""
    assert call("release_notes", "safeUrl", address) == safe


def test_ago_uses_the_clock_of_the_server(browser, server):
    """A device whose clock is wrong by years shows correct relative times."""
    page = browser.new_page()
    page.goto(server.address)
    text = page.evaluate(
        """async () => {
            const { ago, setServerClock } = await import("/static/times.js");
            setServerClock("Thu, 01 Jan 1970 01:00:00 GMT");
            return ago("1970-01-01T00:57:00Z");
        }"""
    )
    page.close()
    assert text == "3 minutes ago"


def test_facts_formats_device_information(call):
    """Values that are not available, such as those of a missing sensor, are omitted."""
    groups = call(
        "system",
        "facts",
        {
            "device_id": "d",
            "timestamp": None,
            "hardware": {
                "model": None,
                "cpu": {
                    "count": 2,
                    "frequency_mhz": None,
                    "percent": 41.26,
                    "temperature_c": None,
                    "load": [1.617, 0.2],
                },
                "memory": {"total_bytes": 4_000_000_000, "used_bytes": 1_650_000_000, "percent": 41.26},
                "swap": {"total_bytes": 0, "used_bytes": 0, "percent": 0.0},
                "disk": None,
            },
            "os": {"system": "Linux", "release": "6.6", "machine": "armv7l", "uptime_s": 93_600},
            "network": {
                "host_name": "pi",
                "interfaces": {
                    "lo": {"addresses": [{"kind": "ipv6", "address": "::1"}]},
                    "eth0": {
                        "addresses": [
                            {"kind": "ipv4", "address": "10.0.0.2"},
                            {"kind": "ipv6", "address": "fd00::2"},
                            {"kind": "ipv6", "address": "fe80::2%eth0"},
                            {"kind": "mac", "address": "02:00:00:00:00:01"},
                        ]
                    },
                },
            },
            "location": None,
        },
    )
    assert groups == [
        ["Device", [["Name", "d"]]],
        [
            "Hardware",
            [["Processors", "2"], ["Load", "41.3 % · 1.6, 0.2"], ["Memory", "1.7 GB of 4 GB · 41.3 %"]],
        ],
        ["System", [["Kernel", "Linux 6.6 armv7l"], ["Running", "for 1 day 2 hours"]]],
        ["Network", [["Host name", "pi"], ["eth0", "10.0.0.2, fd00::2"]]],
    ]


def test_facts_of_an_empty_device_are_empty(call):
    """No field is required, not even the name."""
    assert call("system", "facts", {}) == []
