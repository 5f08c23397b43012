"""Version source ``compose_file``: the tag of a service's image."""

import subprocess
import sys
from pathlib import Path

import pytest

from remote.installed.sources.compose_file import FILE_BYTES, read
from remote.installed.version_source import VersionUnknownError
from remote.settings import ComponentSettings


@pytest.fixture
def container(tmp_path):
    """A component with the source ``compose_file``."""
    return ComponentSettings(
        repository="dunebugger-scheduler",
        installed="compose_file",
        path=tmp_path / "docker-compose.yml",
        service="scheduler",
    )


def with_image(image):
    """A compose file with two services; ``scheduler`` has this image."""
    return f"services:\n  other:\n    image: other:9.9.9\n  scheduler:\n    image: {image}\n    restart: always\n"


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("scheduler:1.2.3", "1.2.3"),
        ("owner/scheduler:v1.2.3", "1.2.3"),
        ("ghcr.io/owner/scheduler:1.2.3-rc.1", "1.2.3-rc.1"),
        ("host:5000/owner/scheduler:1.2.3", "1.2.3"),
        ("scheduler:1.2.3@sha256:0123456789abcdef", "1.2.3"),
        ("host:5000/scheduler:1.2.3@sha256:0123", "1.2.3"),
        ("'scheduler:1.2.3'", "1.2.3"),
        ('"scheduler:1.2.3" # of January', "1.2.3"),
    ],
)
def test_compose_file_version_is_the_image_tag(container, image, version):
    """Registry, owner, port, digest, quotes and comments are ignored; a leading v is removed."""
    container.path.write_text(with_image(image))
    assert read(container) == version


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("scheduler", "the image 'scheduler' has no tag; write it like name:1.2.3"),
        ("host:5000/scheduler", "the image 'host:5000/scheduler' has no tag"),
        ("scheduler@sha256:0123", "has no tag"),
        ('"scheduler:"', "is '', which is not SemVer"),
        ("scheduler:latest", "the tag of the image in .* is 'latest', which is not SemVer"),
        ("scheduler:1.2", "'1.2', which is not SemVer"),
        ("scheduler:${TAG:-1.2.3}", r"the image 'scheduler:\$\{TAG:-1.2.3\}' contains a variable"),
        ("$IMAGE:1.2.3", "contains a variable"),
        ("[scheduler:1.2.3]", "the image is not a string"),
        ("", "has no tag"),
        ('"a\\eb"', r"'a\\x1bb' has no tag"),
    ],
)
def test_compose_file_reports_images_without_a_version(container, image, message):
    """The error names what was found and the remedy."""
    container.path.write_text(with_image(image))
    with pytest.raises(
        VersionUnknownError, match=f"^cannot determine the installed version of dunebugger-scheduler: .*({message})"
    ):
        read(container)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file has no 'services'"),
        ("- a\n", "the file has no 'services'"),
        ("services: {other: {image: 'a:1.0.0'}}", "'services' has no 'scheduler'"),
        ("services: {scheduler: {build: .}}", "'scheduler' has no 'image'"),
        ("services: [scheduler]", "'services' has no 'scheduler'"),
        ("a: b: c", "is not YAML: line 1, column 5: mapping values are not allowed here"),
        ("a: *b", "found undefined alias"),
        ("a: 1\n---\nb: 2\n", "found another document"),
        ("a: \0", "is not YAML: "),
        ('a: "\\U00110000"', "is not YAML: "),
        ("[" * 200, "maximum depth"),
    ],
)
def test_compose_file_reports_files_without_the_service(container, text, message):
    """A file without the service, or that is not YAML, is an error with the position where there is one."""
    container.path.write_text(text)
    with pytest.raises(VersionUnknownError, match=message):
        read(container)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("a: &a {image: 'n:1.0.0'}\nservices: {scheduler: {<<: *a}}", "1.0.0"),
        ("a: &a {image: 'n:1.0.0'}\nservices: {scheduler: {<<: *a, image: 'n:2.0.0'}}", "2.0.0"),
        ("a: &a {image: 'n:1.0.0'}\nb: &b {image: 'n:2.0.0'}\nservices: {scheduler: {<<: [*b, *a]}}", "2.0.0"),
        ("a: &a {x: 1}\nb: &b {<<: *a, image: 'n:2.0.0'}\nservices: {scheduler: {<<: [*a, *b]}}", "2.0.0"),
        (
            "a: &a {image: 'n:1.0.0'}\nb: &b {<<: *a}\nc: &c {image: 'n:2.0.0'}\nservices: {scheduler: {<<: [*b, *c]}}",
            "1.0.0",
        ),
        ("a: &a 'n:1.0.0'\nservices: {scheduler: {image: *a}}", "1.0.0"),
        ("services: {scheduler: {image: 'n:1.0.0', ports: !reset null}}", "1.0.0"),
        ("a: &a x\nb: &a y\nservices: {scheduler: {image: 'n:1.0.0'}}", "1.0.0"),
        ("? [a, b]\n: c\nservices: {scheduler: {image: 'n:1.0.0'}}", "1.0.0"),
    ],
)
def test_compose_file_follows_aliases_and_merge_keys(container, text, version):
    """Aliases, merge keys by precedence, Compose's own tags and complex keys do not hide the image."""
    container.path.write_text(text)
    assert read(container) == version


def nested_aliases(kind):
    """Return a "billion laughs" file: forty levels of ten aliases each, 10 to the 40 nodes if expanded."""
    first, rest = {"list": ("[x]", "[{}]"), "merge": ("{x: 1}", "{{<<: [{}]}}")}[kind]
    yield f"a0: &a0 {first}\n"
    for level in range(1, 41):
        yield f"a{level}: &a{level} {rest.format(', '.join([f'*a{level - 1}'] * 10))}\n"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("kind", "use"), [("list", "ports: *a40"), ("merge", "<<: *a40")])
def test_compose_file_does_not_expand_nested_aliases(container, kind, use):
    """A file that would not fit into memory if expanded is read without expansion."""
    container.path.write_text("".join(nested_aliases(kind)) + f"services: {{scheduler: {{{use}, image: 'n:1.0.0'}}}}\n")
    assert read(container) == "1.0.0"


@pytest.mark.timeout(60)
def test_compose_file_search_through_merge_keys_terminates(container):
    """Each mapping is visited once, also if merges are nested or cyclic."""
    container.path.write_text("".join(nested_aliases("merge")) + "services: {scheduler: {<<: *a40}}\n")
    with pytest.raises(VersionUnknownError, match="'scheduler' has no 'image'"):
        read(container)
    container.path.write_text("services: &s\n  <<: *s\n")
    with pytest.raises(VersionUnknownError, match="'services' has no 'scheduler'"):
        read(container)


def test_compose_file_reports_files_over_the_limit(container):
    """A file over the limit is not parsed."""
    container.path.write_text("#" * (FILE_BYTES + 1))
    with pytest.raises(VersionUnknownError, match=f"has more than {FILE_BYTES} bytes"):
        read(container)


def test_compose_file_parser_is_loaded_only_where_it_is_used():
    """A server whose components have other sources does not pay 3 MB for the YAML parser."""
    code = "import sys, remote.app; sys.exit('ruamel.yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0
