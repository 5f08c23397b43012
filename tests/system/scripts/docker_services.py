"""A private Docker engine and registry on loopback, with images built from scratch."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import subprocess
import tarfile
import urllib.request
from pathlib import Path

from tests.support.free_port import free_port
from tests.support.polling import wait_until

# The only program of an image: it runs until TERM, exits at once, or acts as a health check.
PROGRAM = r"""
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void leave(int number) { (void)number; _exit(0); }
int main(int count, char **words) {
    const char *word = count > 1 ? words[1] : "run";
    if (!strcmp(word, "healthy")) return 0;
    if (!strcmp(word, "unhealthy")) { puts("no answer on port 80"); return 1; }
    if (!strcmp(word, "exit")) { puts("cannot open the settings"); return 3; }
    signal(SIGTERM, leave);
    if (!strcmp(word, "late")) { sleep(2); puts("gave up after two seconds"); return 4; }
    puts("ready");
    fflush(stdout);
    for (;;) pause();
}
"""
CHECK = 'HEALTHCHECK --interval=1s --timeout=2s --retries=2 CMD ["/program", "{word}"]'
# The command of each version and the argument of its health check; None for no health check.
VERSIONS = {
    "1.0.0": ("run", "healthy"),
    "1.1.0": ("run", "healthy"),
    "1.2.0": ("exit", None),
    "1.3.0": ("run", "unhealthy"),
    "1.4.0": ("run", None),
    "1.5.0": ("late", None),
}


def terminate(process):
    """Stop a process that the tests started."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)


class LocalRegistry:
    """``docker-registry`` on loopback; it can be stopped and started, and keeps its images."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.name = f"127.0.0.1:{self.port}"
        self._folder = folder
        folder.mkdir()
        (folder / "config.yml").write_text(
            f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}/data\nhttp:\n  addr: {self.name}\n"
        )
        self._process = None
        self.start()

    def start(self):
        """Start serving."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", str(self._folder / "config.yml")], stdout=log, stderr=log
            )
        wait_until(self._is_ready, f"a registry on {self.name}")

    def stop(self):
        """Stop serving."""
        terminate(self._process)

    def _is_ready(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://{self.name}/v2/", timeout=5).status == 200
        return False


class Engine:
    """``dockerd`` with its own data folder, socket and containers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.host = f"unix://{folder}/d.sock"
        folder.mkdir()
        self._process = None
        self.start()

    def start(self):
        """Start the engine; it restarts containers with a restart policy."""
        command = ["dockerd", "--data-root", f"{self._folder}/data", "--exec-root", f"{self._folder}/exec"]
        command += ["--pidfile", f"{self._folder}/pid", "-H", self.host, "--iptables=false", "--ip6tables=false"]
        command += ["--bridge=none", "--ip-forward=false", "--max-download-attempts=1"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(lambda: self.run("version", check=False).returncode == 0, "a Docker engine")

    def stop(self):
        """Stop the engine and all of its containers."""
        terminate(self._process)

    def run(self, *arguments, check=True, data=None):
        """Run ``docker ARGUMENT...`` on this engine."""
        environment = {**os.environ, "DOCKER_HOST": self.host}
        done = subprocess.run(["docker", *arguments], env=environment, input=data, capture_output=True, timeout=120)
        assert not check or done.returncode == 0, (arguments, done.stderr.decode())
        return done

    def out(self, *arguments):
        """Run ``docker ARGUMENT...``, and return its output."""
        return self.run(*arguments).stdout.decode().strip()

    def publish(self, registry, name, program: Path):
        """Push all VERSIONS to the registry and remove them from the engine."""
        for version in VERSIONS:
            image = f"{registry.name}/{name}:{version}"
            self.build(image, program, version)
            self.run("push", image)
            self.run("image", "rm", image)

    def build(self, image, program: Path, version, note=""):
        """Build the image of ``version`` as in VERSIONS; a different ``note`` results in a different image."""
        command, check = VERSIONS[version]
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(program, "program")
            entry = tarfile.TarInfo("version")
            entry.size = len((version + note).encode())
            archive.addfile(entry, io.BytesIO((version + note).encode()))
        changes = ["-c", f'CMD ["/program", "{command}"]']
        if check:
            changes += ["-c", CHECK.format(word=check)]
        self.run("import", *changes, "-", image, data=buffer.getvalue())


def compile_program(folder: Path) -> Path:
    """Compile the static program of the images."""
    folder.mkdir()
    source = folder / "program.c"
    source.write_text(PROGRAM)
    subprocess.run(["gcc", "-static", "-O1", "-o", str(folder / "program"), str(source)], check=True)
    return folder / "program"
