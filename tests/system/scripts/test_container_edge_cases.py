"""The packaged scripts of a container in unusual situations."""

from __future__ import annotations

import fcntl
import json
import shutil
from pathlib import Path

from compose import PLUGIN, Compose
from container_host import PATH

from tests.support.polling import wait_until

# Wraps the plugin and logs its arguments.
LOGGING_PLUGIN = """\
#!/bin/bash
echo "$*" >> {log}
exec {plugin} "$@"
"""


def test_compose_plugin_is_preferred_and_never_pulls(host):
    """If both are installed, the scripts use ``docker compose``, always with ``--pull never``."""
    real = Path(Compose.plugin().environment["DOCKER_CONFIG"], PLUGIN)
    plugin = host.folder / "docker" / PLUGIN
    plugin.parent.mkdir(parents=True)
    plugin.write_text(LOGGING_PLUGIN.format(log=host.folder / "calls", plugin=real))
    plugin.chmod(0o755)
    host.extra = {"DOCKER_CONFIG": str(host.folder / "docker")}
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.rollback(done.request).returncode == 0
    calls = (host.folder / "calls").read_text().splitlines()
    ups = [line for line in calls if " up " in line and "--help" not in line]
    assert len(ups) == 2
    assert all(line.endswith("up -d --no-deps --no-build --pull never remote") for line in ups)


def test_missing_compose_names_the_package_to_install(host):
    """The error names the package if neither docker-compose nor the plugin is installed."""
    folder = host.folder / "bin"
    folder.mkdir()
    for name in ("bash", "dirname", "docker", "flock", "grep", "sed", "cut", "sort", "cat"):
        (folder / name).symlink_to(shutil.which(name, path=PATH))
    host.extra = {"PATH": str(folder), "DOCKER_CONFIG": str(folder)}
    done = host.update("1.1.0")
    assert done.returncode == 1
    assert "apt-get install docker-compose" in done.stderr


def test_override_file_is_applied(host):
    """Compose reads the override file by default, so that the container keeps its settings."""
    (host.folder / "docker-compose.override.yml").write_text(
        'version: "2.4"\nservices:\n  remote:\n    environment:\n      KIND: overridden\n'
    )
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stderr
    name = host.containers()[0][0]
    assert "KIND=overridden" in json.loads(host.engine.out("inspect", name))[0]["Config"]["Env"]


def test_image_of_an_override_file_fails_the_update(host):
    """The override file replaces the image of the compose file: the update fails and is rolled back."""
    (host.folder / "docker-compose.override.yml").write_text(
        f'version: "2.4"\nservices:\n  remote:\n    image: {host.registry.name}/remote:1.0.0\n'
    )
    before = host.snapshot()
    done = host.update("1.1.0")
    assert done.returncode == 1
    assert "check whether an override file names an image for it" in done.stderr
    assert host.snapshot() == before


def test_linked_compose_file_is_changed_at_its_target(host):
    """The link stays a link, and the project name is the name of the link's folder."""
    real = host.folder / "target" / "compose.yml"
    real.parent.mkdir()
    host.compose_file.rename(real)
    host.compose_file.symlink_to("target/compose.yml")
    before = host.snapshot()
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stderr
    assert host.compose_file.is_symlink()
    assert b"remote:1.1.0" in real.read_bytes()
    assert host.rollback(done.request).returncode == 0
    assert host.snapshot() == before


def test_update_waits_for_a_concurrent_update_of_the_same_file(host):
    """The wait ends after LOCK_WAIT_S with an error (I16)."""
    host.settings("remote", LOCK_WAIT_S=1)
    with (host.folder / ".docker-compose.yml.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = host.update("1.1.0")
    assert done.returncode == 1
    assert "waiting for another update" in done.stdout
    assert "has held" in done.stderr
    assert host.update("1.1.0").returncode == 0


def test_container_older_than_the_file_is_restored(host):
    """If the file names 1.4.0 while 1.0.0 is still running, a failed update restores both."""
    host.compose_file.write_text(host.compose_file.read_text().replace("remote:1.0.0", "remote:1.4.0"))
    before = host.compose_file.read_bytes(), host.containers()
    done = host.update("1.2.0")
    assert done.returncode == 1
    assert (host.compose_file.read_bytes(), host.containers()) == before
    assert "nothing is restored" in host.rollback(done.request).stdout


def test_previously_unhealthy_service_is_restored_without_a_health_wait(host):
    """If the old version was unhealthy before the update, the restore does not wait for its health."""
    host.engine.run("pull", f"{host.registry.name}/remote:1.5.0")
    host.compose_file.write_text(host.compose_file.read_text().replace("remote:1.0.0", "remote:1.3.0"))
    host.compose("up", "-d", "remote")
    wait_until(lambda: "unhealthy" in host.engine.out("ps", "--filter", "name=remote"), "an unhealthy container")
    done = host.update("1.5.0")
    assert done.returncode == 1
    assert "had failed before the update, too" in done.stdout
    assert host.containers()[0][1].endswith("remote:1.3.0")


def test_script_run_by_hand_generates_an_id(host):
    """The script prints the command for the rollback; a rollback without an id lists the backups."""
    host.extra = {"UPDATE_REQUEST_ID": ""}
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("run by hand"))
    request = line.split("UPDATE_ROLLBACK_OF=")[1].split()[0]
    rejected = host.rollback("")
    assert rejected.returncode == 1
    assert f"  {request}\n" in rejected.stderr
    back = host.rollback(request)
    assert back.returncode == 0
    assert "to undo it later" not in back.stdout
    assert host.file_image().endswith("remote:1.0.0")


def test_image_pinned_by_digest_is_replaced_and_restored(host):
    """The update writes the tag of the version; the rollback restores the digest."""
    [digest] = json.loads(host.engine.out("inspect", f"{host.registry.name}/remote:1.0.0"))[0]["RepoDigests"]
    host.compose_file.write_text(host.compose_file.read_text().replace(f"{host.registry.name}/remote:1.0.0", digest))
    host.compose("up", "-d", "remote")
    before = host.compose_file.read_bytes(), host.containers()
    done = host.update("1.1.0")
    assert done.returncode == 0, done.stderr
    assert host.file_image().endswith("/remote:1.1.0")
    assert host.rollback(done.request).returncode == 0
    after = host.compose_file.read_bytes(), host.containers()
    assert after == before
