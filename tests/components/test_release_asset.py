"""Selection of a release's artifact and its digest."""

from __future__ import annotations

import json

import pytest
from library_commands import run_command

DIGEST = "sha256:" + "0a" * 32
URL = "https://releases.invalid/app-1.2.0.tar.gz"
ASSET = {"name": "app-1.2.0.tar.gz", "state": "uploaded", "size": 9, "digest": DIGEST, "browser_download_url": URL}
SUMS = {"name": "SHA256SUMS", "state": "uploaded", "size": 9, "browser_download_url": "https://releases.invalid/sums"}


def choose(tmp_path, release):
    """Select app-1.2.0.tar.gz of v1.2.0."""
    file = tmp_path / "release.json"
    file.write_text(release if isinstance(release, str) else json.dumps(release))
    return run_command("release_asset.py", "choose", file, "v1.2.0", "app-1.2.0.tar.gz")


def of(*assets, tag="v1.2.0"):
    """A release with ``assets``."""
    return {"tag_name": tag, "assets": list(assets)}


def test_published_digest_is_selected(tmp_path):
    """GitHub publishes a digest with each asset."""
    assert choose(tmp_path, of(ASSET, SUMS)).stdout.split("\n") == [
        URL, DIGEST, "9", "https://releases.invalid/sums", "",
    ]  # fmt: skip
    assert choose(tmp_path, of(ASSET)).stdout.split("\n") == [URL, DIGEST, "9", "", ""]


def test_list_of_sums_replaces_a_digest(tmp_path):
    """For releases without digests: the digest line is empty, the last line is the list's URL."""
    assert choose(tmp_path, of(ASSET | {"digest": None}, SUMS)).stdout.split("\n")[1:4] == [
        "", "9", "https://releases.invalid/sums",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("release", "words"),
    [
        (of(ASSET, tag="v1.3.0"), "is not the release v1.2.0"),
        ([], "is not the release v1.2.0"),
        ("{", "cannot use the release"),
        ("[" * 100_000, "cannot use the release"),
        (of(), "has no file app-1.2.0.tar.gz; it has: none"),
        (of(ASSET | {"name": "other"}), "it has: other"),
        (of(ASSET | {"state": "starter"}), "has no file"),
        (of(ASSET, ASSET), "has app-1.2.0.tar.gz 2 times"),
        (of(ASSET | {"digest": None}), "publishes no SHA-256 of app-1.2.0.tar.gz"),
        (of(ASSET | {"digest": "md5:00"}), "is not a SHA-256"),
        (of(ASSET | {"digest": 7}), "is not a SHA-256"),
        (of(ASSET | {"browser_download_url": "file:///etc/shadow"}), "has no download URL"),
        (of(ASSET | {"browser_download_url": "https://a/b\nc"}), "has no download URL"),
        (of(ASSET | {"browser_download_url": None}), "has no download URL"),
        ({"tag_name": "v1.2.0", "assets": {"a": 1}}, "has no file"),
        ({"tag_name": "v1.2.0", "assets": [1, None]}, "has no file"),
    ],
)
def test_unverifiable_release_is_rejected(tmp_path, release, words):
    """The error is one line that names what is missing."""
    done = choose(tmp_path, release)
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("line", ["{} *app", "{}  app", "{}  ./app", "{}  app\r"])
def test_list_of_sums_gives_the_digest(tmp_path, line):
    """The list has the format of sha256sum, in text or binary mode."""
    file = tmp_path / "SHA256SUMS"
    file.write_bytes(f"{'f' * 64}  other-app\n{line.format('0A' * 32)}\nnoise\n".encode())
    assert run_command("release_asset.py", "sum", file, "app").stdout == f"{DIGEST}\n"


@pytest.mark.parametrize("text", ["", f"{'0' * 64}  apple\n", f"{'0' * 64}  app\n{'1' * 64}  app\n", "0  app\n"])
def test_list_without_exactly_one_digest_is_rejected(tmp_path, text):
    """The list has no digest of the file, or two that differ."""
    file = tmp_path / "SHA256SUMS"
    file.write_text(text)
    done = run_command("release_asset.py", "sum", file, "app")
    assert done.returncode == 1
    assert "digests, not one" in done.stderr
