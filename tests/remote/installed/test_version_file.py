"""The version that a Python application's file tells."""

import json
import os

import pytest

from remote.installed.errors import VersionUnknownError
from remote.installed.sources.version_file import FILE_BYTES, read
from remote.settings import Component


@pytest.fixture
def application(tmp_path):
    """An application as it is installed: ``current`` leads to its release."""
    (tmp_path / "releases" / "1").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/1")
    return Component(repository="owner/core", installed="version_file", path=tmp_path / "current" / "VERSION")


@pytest.mark.parametrize(
    ("content", "version"),
    [
        (b'{"full_version": "1.2.3"}\n', "1.2.3"),
        (b'{"full_version": "v1.2.3-rc.1+5", "commit": "abc"}', "1.2.3-rc.1+5"),
        (b'\n{\n "version": "9.9.9",\n "full_version": "1.2.3"\n}\n', "1.2.3"),
        (b"1.2.3\n", "1.2.3"),
        (b"v1.2.3", "1.2.3"),
        (b"  1.2.3-beta.2\r\n\n", "1.2.3-beta.2"),
        (b"\xef\xbb\xbf1.2.3\n", "1.2.3"),
    ],
)
def test_json_or_one_plain_line_is_read(application, content, version):
    """Both forms tell the version; a leading v is left out."""
    application.path.write_bytes(content)
    assert read(application) == version


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"is '', which is not SemVer; write it like 1\.2\.3"),
        (b"1.2\n", "'1.2', which is not SemVer"),
        (b"1.2.3\n1.2.4\n", r"'1\.2\.3\\n1\.2\.4', which is not SemVer"),
        (b"vv1.2.3", "not SemVer"),
        (b"1.2.3 (stable)", "not SemVer"),
        ("1.2.\N{ARABIC-INDIC DIGIT THREE}".encode(), "not SemVer"),
        (b"1.2.3-" + b"a" * 200, "not SemVer"),
        (b'"1.2.3"', "not SemVer"),
        (b'{"full_version": "latest"}', r"full_version in .*VERSION is 'latest', which is not SemVer"),
        (b'{"full_version": 1.2}', "has no text as full_version"),
        (b'{"version": "1.2.3"}', "has no text as full_version"),
        (b'{"full_version": "1.2.3"', "neither JSON nor one plain line"),
        (b'{"a": ' * 9000, "neither JSON nor one plain line"),
        (b"\xff\xfe1", "is not UTF-8 at byte 0"),
        (b"1.2.3" + b" " * FILE_BYTES, f"has more than {FILE_BYTES} bytes"),
    ],
)
def test_what_tells_no_version_is_told_in_words(application, content, words):
    """A file that tells no version is an error that says what it holds, and what to do."""
    application.path.write_bytes(content)
    with pytest.raises(VersionUnknownError, match=f"^cannot tell which version of owner/core is installed: .*{words}"):
        read(application)


def test_a_file_of_the_largest_size_is_read(application):
    """Up to the limit, the size does not matter."""
    application.path.write_bytes(b"1.2.3" + b" " * (FILE_BYTES - 5))
    assert read(application) == "1.2.3"


def test_what_is_not_there_is_told(application):
    """A missing file is told with the remedy, by the name that people know."""
    named = application.model_copy(update={"display_name": "The core"})
    with pytest.raises(VersionUnknownError, match=r"of The core is installed: .*VERSION: No such file.*mounted"):
        read(named)


def test_a_pipe_does_not_block(application):
    """A FIFO in the file's place is told, and not waited for."""
    os.mkfifo(application.path)
    with pytest.raises(VersionUnknownError, match=r"VERSION is no file; set path"):
        read(application)


def test_a_folder_is_no_file(application):
    """A folder in the file's place, as Docker makes where it mounts what is not there, is told."""
    application.path.mkdir()
    with pytest.raises(VersionUnknownError, match=r"VERSION is no file; set path"):
        read(application)


def test_a_link_to_itself_is_told(application):
    """A link that leads nowhere is an error as any other."""
    application.path.symlink_to(application.path)
    with pytest.raises(VersionUnknownError, match=r"VERSION: Too many levels"):
        read(application)


def test_numbers_in_json_are_bounded(application):
    """A number that Python refuses to read is an error as any other."""
    application.path.write_text(json.dumps({"full_version": "1.2.3"}).replace('"1.2.3"', "9" * 5000))
    with pytest.raises(VersionUnknownError, match="neither JSON"):
        read(application)
