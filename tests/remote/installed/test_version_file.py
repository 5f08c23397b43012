"""Version source ``version_file``: the VERSION file of a Python application."""

import json
import os

import pytest

from remote.installed.sources.version_file import FILE_BYTES, read
from remote.installed.version_source import VersionUnknownError
from remote.settings import ComponentSettings


@pytest.fixture
def application(tmp_path):
    """An installed application: ``current`` is a symbolic link to its release."""
    (tmp_path / "releases" / "1").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/1")
    return ComponentSettings(repository="owner/core", installed="version_file", path=tmp_path / "current" / "VERSION")


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
def test_version_file_accepts_json_and_one_line(application, content, version):
    """Both forms are read; a leading v is removed."""
    application.path.write_bytes(content)
    assert read(application) == version


@pytest.mark.parametrize(
    ("content", "message"),
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
        (b'{"full_version": 1.2}', "full_version in .*VERSION is missing or not text"),
        (b'{"version": "1.2.3"}', "full_version in .*VERSION is missing or not text"),
        (b'{"full_version": "1.2.3"', "neither JSON nor one line"),
        (b'{"a": ' * 9000, "neither JSON nor one line"),
        (b"\xff\xfe1", "is not UTF-8 at byte 0"),
        (b"1.2.3" + b" " * FILE_BYTES, f"has more than {FILE_BYTES} bytes"),
    ],
)
def test_version_file_reports_content_without_a_version(application, content, message):
    """The error names what was found and the remedy."""
    application.path.write_bytes(content)
    with pytest.raises(
        VersionUnknownError, match=f"^cannot determine the installed version of owner/core: .*{message}"
    ):
        read(application)


def test_version_file_reads_a_file_of_the_largest_size(application):
    """A file with exactly the maximum size is read."""
    application.path.write_bytes(b"1.2.3" + b" " * (FILE_BYTES - 5))
    assert read(application) == "1.2.3"


def test_version_file_reports_a_missing_file(application):
    """The error names the remedy and the display name."""
    named = application.model_copy(update={"display_name": "The core"})
    with pytest.raises(VersionUnknownError, match=r"version of The core: .*VERSION: No such file.*mounted"):
        read(named)


def test_version_file_does_not_block_on_a_fifo(application):
    """A FIFO without a writer is reported at once."""
    os.mkfifo(application.path)
    with pytest.raises(VersionUnknownError, match=r"VERSION is not a regular file; set path"):
        read(application)


def test_version_file_reports_a_directory(application):
    """Docker creates a directory when it mounts a path that does not exist."""
    application.path.mkdir()
    with pytest.raises(VersionUnknownError, match=r"VERSION is not a regular file; set path"):
        read(application)


def test_version_file_reports_a_link_to_itself(application):
    """ELOOP is reported like any other error."""
    application.path.symlink_to(application.path)
    with pytest.raises(VersionUnknownError, match=r"VERSION: Too many levels"):
        read(application)


def test_version_file_reports_integers_too_long_for_python(application):
    """Python refuses to convert integers of more than 4300 digits."""
    application.path.write_text(json.dumps({"full_version": "1.2.3"}).replace('"1.2.3"', "9" * 5000))
    with pytest.raises(VersionUnknownError, match="neither JSON"):
        read(application)
