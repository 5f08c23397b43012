"""Names that are safe as parts of a path."""

import pytest

from protocol.names import is_component, is_request_id, printable, progress_file, request_file, status_file, stem_of


@pytest.mark.parametrize(
    "text",
    ["a", "7", "A" * 128, "a.b", "a..b", "a.", "a-_.", "x.json", "progress", "a.progress.b", "a.PROGRESS", "aprogress"],
)
def test_request_id_accepts_safe_names(text):
    """A request id is 1 to 128 plain characters and starts with a letter or digit."""
    assert is_request_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 129,
        "a" * 300,
        ".",
        "..",
        ".a",
        "-a",
        "_a",
        "../x",
        "a/../b",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "a\x00",
        "\x00",
        "a\n",
        "a b",
        "a\x1b[2J",
        "\N{ARABIC-INDIC DIGIT ONE}",
        "a\N{FULLWIDTH DIGIT ONE}",
        "\N{CYRILLIC SMALL LETTER A}",
        "a\N{KELVIN SIGN}",
        "\udcff",
        "a.progress",
        "a.progress.progress",
    ],
)
def test_request_id_rejects_unsafe_names(text):
    """A name that leaves the folder, forges a line or equals the progress of another request is no id (I6)."""
    assert not is_request_id(text)


@pytest.mark.parametrize(
    ("text", "good"), [("c" * 64, True), ("c" * 65, False), ("", False), ("a/b", False), ("a\n", False)]
)
def test_component_name_is_short_and_safe(text, good):
    """A component's name is 1 to 64 plain characters."""
    assert is_component(text) is good


@pytest.mark.parametrize(
    ("file_name", "stem"),
    [("a.json", "a"), (".json", ""), ("a.json.json", "a.json"), ("a.JSON", None), ("a.json.tmp", None), ("a", None)],
)
def test_stem_exists_for_json_names_only(file_name, stem):
    """A name that does not end in .json is a temporary file."""
    assert stem_of(file_name) == stem


def test_final_status_never_has_the_name_of_a_progress():
    """No two safe ids share a file in status/ (I5): the id that would collide is rejected."""
    assert status_file("a.progress") == progress_file("a")
    assert not is_request_id("a.progress")


def test_stem_of_a_request_file_is_the_id():
    """The stem of a request file equals the request id."""
    assert stem_of(request_file("r1")) == "r1"


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\x1b[2J", "\x85", "\N{LINE SEPARATOR}", "\udc80", "\x00", "é"])
def test_printable_returns_one_line_of_ascii(text):
    """Untrusted text is shown as one line of printable ASCII."""
    assert printable(text).isascii()
    assert printable(text).isprintable()


@pytest.mark.parametrize(("length", "shown"), [(78, 80), (79, 80), (10_000, 80)])
def test_printable_limits_the_length(length, shown):
    """A longer text is cut to the limit; a text that just fits is shown whole."""
    assert len(printable("x" * length)) == shown
    assert ("..." in printable("x" * length)) is (length > 78)
