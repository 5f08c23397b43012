"""``compose_image.py set`` changes the image of one service and no other byte of the compose file."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from library_commands import run_command

NEW = "ghcr.io/one/remote:1.1.0"

# Compose files; \0 is the place of the image.
KEPT = {
    "plain, with a comment": "services:\n  remote:\n    image: \0  # pinned\n    restart: always\n",
    "single quotes": "services:\n  remote:\n    image: '\0'\n",
    "double quotes": 'services:\n  remote:\n    image: "\0"# no\n',
    "no end of line": "services:\n  remote:\n    image: \0",
    "CRLF": "services:\r\n  remote:\r\n    image: \0\r\n    restart: always\r\n",
    "CR alone": "services:\r  remote:\r    image: \0\r",
    "a byte order mark": "\ufeffservices:\n  remote:\n    image: \0\n",
    "characters of two and four bytes": "# Käfer 🐞\nservices:\n  remote:\n    labels: {a: 'ü🐞'}\n    image: \0\n",
    "flow style": "services: {remote: {image: \0, restart: 'no'}, other: {image: x:1}}\n",
    "the value on its own line": "services:\n  remote:\n    image:\n      \0\n    ports: [80]\n",
    "a quoted key, and an explicit one": "services:\n  ? remote\n  : 'image': \0\n",
    "the same image in another service": "services:\n  a:\n    image: repo/x:1\n  remote:\n    image: \0\n",
    "a document's start and end": "%YAML 1.1\n---\nservices:\n  remote: {image: \0}\n...\n",
    "blanks after it": "services:\n  remote:\n    image: \0   \n",
    "tags of compose's own": "services:\n  remote:\n    image: \0\n    ports: !reset []\n    a: !override {A: b}\n",
    "an image in comments and in other values": (
        "# image: repo/x:1\nservices:\n  remote:\n    command: 'image: repo/x:1'\n    image: \0 # image: repo/x:1\n"
    ),
    "a merge key beside an image of its own": (
        "x-base: &base\n  image: base:1\n  restart: always\nservices:\n  remote:\n    <<: *base\n    image: \0\n"
    ),
    "an anchor whose image others replace": (
        "services:\n  remote: &one\n    image: \0\n    restart: always\n  other:\n    <<: *one\n    image: other:1\n"
    ),
}


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT)
@pytest.mark.parametrize("old", ["repo/x:1", "localhost:5000/a/b", "r@sha256:" + "a" * 64, "r:1@sha256:" + "a" * 64])
def test_set_changes_only_the_image(tmp_path, text, old):
    """All other bytes stay the same, in every notation; setting the old image restores the file."""
    file = tmp_path / "docker-compose.yml"
    before = text.replace("\0", old).encode()
    file.write_bytes(before)
    assert run_command("compose_image.py", "get", file, "remote").stdout == f"{old}\n"
    done = run_command("compose_image.py", "set", file, "remote", NEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert file.read_bytes() == text.replace("\0", NEW).encode()
    assert run_command("compose_image.py", "set", file, "remote", old).returncode == 0
    assert file.read_bytes() == before


REJECTED = {
    "no services": ("version: '3'\n", "the file has no `services`"),
    "another service only": ("services:\n  web: {image: x:1}\n", "`services` has no `remote`; it has: web"),
    "no services at all": ("services:\n", "`services` is not a mapping"),
    "build only": ("services:\n  remote: {build: .}\n", "has no `image`; write it plainly"),
    "an empty image": ("services:\n  remote:\n    image:\n", "is not a name; write it plainly"),
    "a list": ("services:\n  remote:\n    image: [x:1]\n", "is not a name"),
    "a variable": ("services:\n  remote:\n    image: repo/x:${TAG:-1}\n", "holds a variable: repo/x:${TAG:-1}"),
    "a variable without braces": ("services:\n  remote:\n    image: repo/x:$TAG\n", "holds a variable"),
    "an alias": ("x: &i repo/x:1\nservices:\n  remote:\n    image: *i\n", "`image` is an alias"),
    "an anchor": ("services:\n  remote:\n    image: &i x:1\n  b:\n    image: *i\n", "has an anchor"),
    "a tag": ("services:\n  remote:\n    image: !!str x:1\n", "has an anchor, a tag"),
    "several lines": ("services:\n  remote:\n    image: >-\n      x:1\n", "several lines"),
    "two lines, plain": ("services:\n  remote:\n    image: x:1\n      y\n", "several lines"),
    "an aliased service": ("x: &s {image: x:1}\nservices:\n  remote: *s\n", "`remote` is an alias"),
    "aliased services": ("x: &s {remote: {image: x:1}}\nservices: *s\n", "`services` is an alias"),
    "a merged image": ("x: &s {image: x:1}\nservices:\n  remote:\n    <<: *s\n", "has no `image`"),
    "a service that another is an alias of": (
        "services:\n  remote: &s {image: x:1}\n  b: *s\n", "is also used elsewhere in the file",
    ),
    "a service that another merges": (
        "services:\n  remote: &s {image: x:1}\n  b:\n    <<: [*s]\n", "is also used elsewhere in the file",
    ),
    "two images": ("services:\n  remote:\n    image: x:1\n    image: x:2\n", "line 4 gives `image` a second time"),
    "the service twice": ("services:\n  remote: {image: a:1}\n  'remote': {image: b:1}\n", "line 3 gives `remote`"),
    "two documents": ("services:\n  remote: {image: x:1}\n---\na: b\n", "it contains 2 documents"),
    "comments only": ("# nothing\n", "it contains 0 documents"),
    "a tab": ("services:\n\tremote:\n", "it is not valid YAML: line 2, column 1"),
    "a line out of place": ("services:\n  remote:\n   image: x:1\n  - b\n", "it is not valid YAML: line 4"),
    "a list of services": ("- remote\n", "it is not a mapping"),
    "an unknown alias": ("services:\n  remote: *no\n", "not valid YAML: line 2"),
    "an alias of its own parent": ("services: &s\n  remote: {image: x:1}\n  b: *s\n", "contains itself"),
    "blanks in the image": ("services:\n  remote:\n    image: 'x: 1'\n", "is not an image reference"),
    "deep nesting": ("services:\n  remote: {image: x:1}\na: " + "[" * 2000 + "]" * 2000, "nested more than"),
    "UTF-16": ("services:\n  remote: {image: x:1}\n".encode("utf-16"), "not UTF-8"),
    "more than the size limit": ("#" * (1 << 20) + "\n", "larger than"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), REJECTED.values(), ids=REJECTED)
def test_ambiguous_compose_file_is_rejected(tmp_path, text, words):
    """The error is one line with the remedy; the file is unchanged."""
    file = tmp_path / "docker-compose.yml"
    data = text if isinstance(text, bytes) else text.encode()
    file.write_bytes(data)
    done = run_command("compose_image.py", "set", file, "remote", NEW)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.startswith(f"cannot set the image in {file}: ")
    assert done.stderr.count("\n") == 1
    assert file.read_bytes() == data


@pytest.mark.parametrize("image", ["", "a b", "a\n", "-x", "x:1 # y", "x: 1", "${A}", "'x'"])
def test_invalid_image_reference_is_not_written(tmp_path, image):
    """A reference has no character with a meaning in YAML."""
    file = tmp_path / "docker-compose.yml"
    file.write_text("services: {remote: {image: x:1}}\n")
    assert "is not an image reference" in run_command("compose_image.py", "set", file, "remote", image).stderr
    assert file.read_text() == "services: {remote: {image: x:1}}\n"


@pytest.mark.parametrize("image", ["12:30", "0o17"])
def test_image_name_that_looks_like_a_number_is_quoted(tmp_path, image):
    """The first is 750 in YAML 1.1, the second 15 in YAML 1.2; each is a string in the other version."""
    file = tmp_path / "docker-compose.yml"
    file.write_text("services: {remote: {image: x:1}}\n")
    assert run_command("compose_image.py", "set", file, "remote", image).returncode == 0
    assert file.read_text() == f'services: {{remote: {{image: "{image}"}}}}\n'


def test_set_keeps_mode_and_owner_and_follows_a_link(tmp_path):
    """The target of the link is replaced in its own folder, without leftovers."""
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "compose.yml"
    real.write_text("services: {remote: {image: x:1}}\n")
    real.chmod(0o640)
    os.chown(real, 4711, 4712)
    link = tmp_path / "docker-compose.yml"
    link.symlink_to("real/compose.yml")
    assert run_command("compose_image.py", "set", link, "remote", NEW).returncode == 0
    seen = real.stat()
    assert (seen.st_mode & 0o7777, seen.st_uid, seen.st_gid) == (0o640, 4711, 4712)
    assert link.is_symlink()
    assert [one.name for one in real.parent.iterdir()] == ["compose.yml"]
    assert NEW in real.read_text()


def test_missing_compose_file_is_reported(tmp_path):
    """The message names the file and the error."""
    done = run_command("compose_image.py", "get", tmp_path / "none.yml", "remote")
    assert done.returncode == 1
    assert done.stderr == f"cannot get the image in {tmp_path}/none.yml: No such file or directory\n"


LINES = st.sampled_from(["", "# image: a:1", "    # remote:", "", "x-note: 'image: b:2'", "networks: {n: {}}"])
BREAKS = st.sampled_from(["\n", "\r\n"])
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(:[0-9]{2,4})?/[a-z]{1,8}(:[0-9]\.[0-9a-z.-]{1,8})?", fullmatch=True)
SERVICES = st.dictionaries(st.sampled_from(["web", "db", "remote-2", "Ünit"]), NAMES, max_size=3)
QUOTES = st.sampled_from(["", "'", '"'])


@given(LINES, LINES, BREAKS, NAMES, NAMES, SERVICES, QUOTES, st.integers(1, 6))
@settings(max_examples=300, deadline=None)
def test_any_compose_file_changes_only_in_the_image(above, below, line_break, old, new, others, quote, indent):
    """The text around the image is unchanged; setting the old image restores the text."""
    from compose_image import ComposeImage  # library_commands adds its folder to sys.path

    blank = " " * indent
    rows = [above if above.startswith(("#", "x-")) else "", "services:"]
    for number, (name, image) in enumerate(others.items()):
        rows += [f"{blank}{name}:", f"{blank * 2}image: {image}", f"{blank * 2}ports: ['{number}:80'] # {image}"]
    rows += [f"{blank}remote:", f"{blank * 2}image: {quote}\0{quote} # {old}", below.lstrip()]
    text = line_break.join(dict.fromkeys(rows) if below == above else rows)
    before = text.replace("\0", old)
    after = ComposeImage(before, "remote").replaced(new)
    assert after == text.replace("\0", new)
    assert ComposeImage(after, "remote").replaced(old) == before
