"""Which of many entries is the newest release."""

import itertools

import pytest

from remote.releases.release import NOTES_CHARACTERS, Entry, is_newer, newest


def entry(tag, *, draft=False, prerelease=False, url="https://example.org/release", notes="notes"):
    """One release as GitHub lists it."""
    return Entry(tag_name=tag, draft=draft, prerelease=prerelease, html_url=url, body=notes)


def chosen(*entries, prereleases=False):
    """The version that is chosen, or None."""
    found = newest(entries, prereleases=prereleases)
    return found.version if found else None


@pytest.mark.parametrize("order", list(itertools.permutations(["v1.9.0", "v1.10.0", "v1.2.30"])))
def test_the_highest_version_wins(order):
    """The highest version is the newest release, wherever it stands in the list, and by numbers, not by letters."""
    assert chosen(*map(entry, order)) == "1.10.0"


def test_a_leading_v_is_no_part_of_a_version():
    """Tags count with and without leading v; the version has none."""
    assert chosen(entry("v1.0.0"), entry("2.0.0")) == "2.0.0"
    assert chosen(entry("v3.0.0"), entry("2.0.0")) == "3.0.0"


@pytest.mark.parametrize(
    "tag",
    ["latest", "v9", "9.9", "vv9.0.0", "V9.0.0", "9.0.0\n", "٩.0.0", "09.0.0", "", "9.0.0+" + "a" * 128, "v9.0.0 "],
)
def test_tags_that_are_no_version_are_passed_over(tag):
    """A tag that is no SemVer, or one that the coordinator would refuse, is no release."""
    assert chosen(entry(tag), entry("v1.0.0")) == "1.0.0"
    assert chosen(entry(tag)) is None


@pytest.mark.parametrize("prereleases", [True, False])
def test_drafts_never_count(prereleases):
    """A draft is not published yet."""
    assert chosen(entry("v2.0.0", draft=True), entry("v1.0.0"), prereleases=prereleases) == "1.0.0"


@pytest.mark.parametrize("other", [entry("v2.0.0", prerelease=True), entry("v2.0.0-rc.1")])
def test_prereleases_count_only_when_asked_for(other):
    """A pre-release, by its mark or by its version, is passed over unless it is asked for."""
    assert chosen(other, entry("v1.0.0")) == "1.0.0"
    assert chosen(other, entry("v1.0.0"), prereleases=True) == other.tag_name[1:]


@pytest.mark.parametrize(
    ("tag", "marked", "told"),
    [("1.0.0-rc.1", False, True), ("1.0.0", True, True), ("1.0.0", False, False), ("1.0.0+rc.1", False, False)],
)
def test_a_prerelease_is_told_to_be_one(tag, marked, told):
    """The chosen release says whether it is a pre-release, by its mark or by its version."""
    assert newest([entry(tag, prerelease=marked)], prereleases=True).prerelease is told


def test_a_release_outranks_its_prereleases():
    """The finished version is newer than those that led to it."""
    assert chosen(entry("v1.0.0-rc.11"), entry("v1.0.0"), entry("v1.0.0-rc.2"), prereleases=True) == "1.0.0"


def test_of_equal_precedence_the_latest_is_taken():
    """Build metadata has no precedence: of versions that differ in nothing else the one listed first is taken."""
    assert chosen(entry("1.0.0+a"), entry("1.0.0+b")) == "1.0.0+a"
    assert chosen(entry("1.0.0+b"), entry("1.0.0+a")) == "1.0.0+b"


def test_without_releases_there_is_none():
    """An empty list has no newest release."""
    assert chosen() is None


def test_notes_and_address_are_kept():
    """What people want to read goes with the release."""
    found = newest([entry("v1.0.0", notes="# New\n* all", url="https://example.org/1")], prereleases=False)
    assert (found.notes, found.url) == ("# New\n* all", "https://example.org/1")


def test_long_notes_are_cut():
    """Notes are kept up to a bound, and it shows that they were cut."""
    assert entry("1.0.0", notes="a" * NOTES_CHARACTERS).body == "a" * NOTES_CHARACTERS
    cut = entry("1.0.0", notes="a" * (NOTES_CHARACTERS + 1)).body
    assert len(cut) == NOTES_CHARACTERS
    assert cut.endswith("a\n…")


def test_missing_notes_are_empty():
    """GitHub sends null where nothing was written."""
    assert newest([entry("1.0.0", notes=None)], prereleases=False).notes == ""


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//example.org", "ftp://example.org"])
def test_an_address_outside_the_web_is_dropped(url):
    """What a browser would do more with than open a page is no address of a release."""
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
def test_newer_is_of_higher_precedence(candidate, than, newer):
    """One version is newer than another by SemVer precedence, leading v or not; what is no SemVer has none."""
    assert is_newer(candidate, than) is newer
