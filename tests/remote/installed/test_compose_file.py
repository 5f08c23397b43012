"""The version that the tag of a service's image tells."""

import pytest

from remote.installed.errors import VersionUnknownError
from remote.installed.sources.compose_file import FILE_BYTES, read
from remote.settings import Component


@pytest.fixture
def container(tmp_path):
    """A component whose version a compose file tells."""
    return Component(
        repository="dunebugger-scheduler",
        installed="compose_file",
        path=tmp_path / "docker-compose.yml",
        service="scheduler",
    )


def with_image(image):
    """A compose file whose service has that image, among others."""
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
def test_the_tag_is_the_version(container, image, version):
    """The tag is told, whatever stands before and behind it; a leading v is left out."""
    container.path.write_text(with_image(image))
    assert read(container) == version


@pytest.mark.parametrize(
    ("image", "words"),
    [
        ("scheduler", "the image 'scheduler' has no tag; write it like name:1.2.3"),
        ("host:5000/scheduler", "the image 'host:5000/scheduler' has no tag"),
        ("scheduler@sha256:0123", "has no tag"),
        ('"scheduler:"', "is '', which is not SemVer"),
        ("scheduler:latest", "the tag of the image in .* is 'latest', which is not SemVer"),
        ("scheduler:1.2", "'1.2', which is not SemVer"),
        ("scheduler:${TAG:-1.2.3}", r"the image 'scheduler:\$\{TAG:-1.2.3\}' holds a variable"),
        ("$IMAGE:1.2.3", "holds a variable"),
        ("[scheduler:1.2.3]", "the image is not a name"),
        ("", "has no tag"),
        ('"a\\eb"', r"'a\\x1bb' has no tag"),
    ],
)
def test_an_image_without_a_version_is_told(container, image, words):
    """What is no version in the end is an error that names what was found, and what to do."""
    container.path.write_text(with_image(image))
    with pytest.raises(VersionUnknownError, match=f"^cannot tell which version of dunebugger-scheduler .*({words})"):
        read(container)


@pytest.mark.parametrize(
    ("text", "words"),
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
def test_a_file_without_the_service_is_told(container, text, words):
    """A file that is not what it should be is an error in words."""
    container.path.write_text(text)
    with pytest.raises(VersionUnknownError, match=words):
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
def test_what_compose_files_may_hold_is_understood(container, text, version):
    """Aliases, merge keys by their rank, tags of compose's own, and other oddities do not hide the image."""
    container.path.write_text(text)
    assert read(container) == version


def bomb(kind):
    """Forty generations of tenfold aliases: written out, more than there are atoms."""
    first, rest = {"list": ("[x]", "[{}]"), "merge": ("{x: 1}", "{{<<: [{}]}}")}[kind]
    yield f"a0: &a0 {first}\n"
    for generation in range(1, 41):
        yield f"a{generation}: &a{generation} {rest.format(', '.join([f'*a{generation - 1}'] * 10))}\n"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("kind", "use"), [("list", "ports: *a40"), ("merge", "<<: *a40")])
def test_aliases_that_multiply_cost_nothing(container, kind, use):
    """What would not fit into memory when written out is not written out."""
    container.path.write_text("".join(bomb(kind)) + f"services: {{scheduler: {{{use}, image: 'n:1.0.0'}}}}\n")
    assert read(container) == "1.0.0"


@pytest.mark.timeout(60)
def test_merges_that_multiply_or_go_round_come_to_an_end(container):
    """Looking for an image through merge keys visits each mapping once."""
    container.path.write_text("".join(bomb("merge")) + "services: {scheduler: {<<: *a40}}\n")
    with pytest.raises(VersionUnknownError, match="'scheduler' has no 'image'"):
        read(container)
    container.path.write_text("services: &s\n  <<: *s\n")
    with pytest.raises(VersionUnknownError, match="'services' has no 'scheduler'"):
        read(container)


def test_a_file_that_is_too_large_is_told(container):
    """A file beyond the limit is not looked into."""
    container.path.write_text("#" * (FILE_BYTES + 1))
    with pytest.raises(VersionUnknownError, match=f"has more than {FILE_BYTES} bytes"):
        read(container)
