"""Choice of the newest release."""

import itertools

import pytest

from remote.releases.release import NOTES_CHARACTERS, ReleaseEntry, is_newer, newest


def entry(tag, *, draft=False, prerelease=False, url="https://example.org/release", notes="notes"):
    """One release as GitHub lists it."""
    return ReleaseEntry(tag_name=tag, draft=draft, prerelease=prerelease, html_url=url, body=notes)


def chosen(*entries, prereleases=False):
    """Return the chosen version, or None."""
    found = newest(entries, prereleases=prereleases)
    return found.version if found else None


@pytest.mark.parametrize("order", list(itertools.permutations(["v1.9.0", "v1.10.0", "v1.2.30"])))
def test_newest_is_the_highest_version(order):
    """Versions are compared by number, independent of their order in the list."""
    assert chosen(*map(entry, order)) == "1.10.0"


def test_newest_ignores_a_leading_v():
    """Tags with and without leading v count; the version has none."""
    assert chosen(entry("v1.0.0"), entry("2.0.0")) == "2.0.0"
    assert chosen(entry("v3.0.0"), entry("2.0.0")) == "3.0.0"


@pytest.mark.parametrize(
    "tag",
    ["latest", "v9", "9.9", "vv9.0.0", "V9.0.0", "9.0.0\n", "٩.0.0", "09.0.0", "", "9.0.0+" + "a" * 128, "v9.0.0 "],
)
def test_newest_ignores_tags_that_are_not_a_version(tag):
    """A tag that the coordinator would reject is not a release."""
    assert chosen(entry(tag), entry("v1.0.0")) == "1.0.0"
    assert chosen(entry(tag)) is None


@pytest.mark.parametrize("prereleases", [True, False])
def test_newest_ignores_drafts(prereleases):
    """A draft is not published."""
    assert chosen(entry("v2.0.0", draft=True), entry("v1.0.0"), prereleases=prereleases) == "1.0.0"


@pytest.mark.parametrize("other", [entry("v2.0.0", prerelease=True), entry("v2.0.0-rc.1")])
def test_newest_includes_prereleases_only_on_request(other):
    """A pre-release, by flag or version, is ignored unless ``prereleases`` is set."""
    assert chosen(other, entry("v1.0.0")) == "1.0.0"
    assert chosen(other, entry("v1.0.0"), prereleases=True) == other.tag_name[1:]


@pytest.mark.parametrize(
    ("tag", "flag", "expected"),
    [("1.0.0-rc.1", False, True), ("1.0.0", True, True), ("1.0.0", False, False), ("1.0.0+rc.1", False, False)],
)
def test_newest_marks_prereleases(tag, flag, expected):
    """The release is marked as a pre-release by flag or version."""
    assert newest([entry(tag, prerelease=flag)], prereleases=True).prerelease is expected


def test_newest_prefers_a_release_to_its_prereleases():
    """A final version has a higher precedence than its pre-releases."""
    assert chosen(entry("v1.0.0-rc.11"), entry("v1.0.0"), entry("v1.0.0-rc.2"), prereleases=True) == "1.0.0"


def test_newest_takes_the_first_of_equal_precedence():
    """Build metadata has no precedence (SemVer 2.0.0, clause 10)."""
    assert chosen(entry("1.0.0+a"), entry("1.0.0+b")) == "1.0.0+a"
    assert chosen(entry("1.0.0+b"), entry("1.0.0+a")) == "1.0.0+b"


def test_newest_of_an_empty_list_is_none():
    """Without entries there is no release."""
    assert chosen() is None


def test_newest_has_notes_and_url():
    """Notes and URL are part of the release."""
    found = newest([entry("v1.0.0", notes="# New\n* all", url="https://example.org/1")], prereleases=False)
    assert (found.notes, found.url) == ("# New\n* all", "https://example.org/1")


def test_release_notes_are_truncated():
    """Notes over the limit end with an ellipsis."""
    assert entry("1.0.0", notes="a" * NOTES_CHARACTERS).body == "a" * NOTES_CHARACTERS
    cut = entry("1.0.0", notes="a" * (NOTES_CHARACTERS + 1)).body
    assert len(cut) == NOTES_CHARACTERS
    assert cut.endswith("a\n…")


def test_release_without_notes_has_empty_notes():
    """GitHub sends null for empty notes."""
    assert newest([entry("1.0.0", notes=None)], prereleases=False).notes == ""


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//example.org", "ftp://example.org"])
def test_release_url_must_be_http(url):
    """A browser would run a ``javascript:`` URL."""
    assert entry("1.0.0", url=url).html_url == ""


@pytest.mark.parametrize(
    ("candidate", "than", "newer"),
    [
        ("1.10.0", "1.9.0", True),
        ("1.9.0", "1.10.0", False),
        ("1.0.0", "1.0.0", False),
        ("v1.0.1", "1.0.0", True),
        ("1.0.1", "v1.0.0", True),
        ("v1.0.0", "1.0.0", False),
        ("1.0.0", "1.0.0-rc.1", True),
        ("1.0.0-rc.1", "1.0.0", False),
        ("1.0.0+b", "1.0.0+a", False),
        ("1.0.0", "unknown", False),
        ("1.0.0", "", False),
        ("latest", "1.0.0", False),
    ],
)
def test_is_newer_compares_semver_precedence(candidate, than, newer):
    """A leading v is ignored; text that is not a version is never newer."""
    assert is_newer(candidate, than) is newer
