# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the other files of install.sh set and read these names
# A release: a virtual environment with the coordinator, and share/ with the files that are installed on the host.

# Everything that a release is built from.
readonly SOURCES=(pyproject.toml requirements.lock README.md LICENSE
    protocol policy fsm executors coordinator remote packaging)
readonly _COMPLETE=share/complete # holds the source digest; written last, so a release without it is incomplete

# Sets RELEASE to the folder of this checkout's release, whether or not it is built.
select_release() {
    local version folder number=1
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$CHECKOUT/pyproject.toml")
    # A Python version (PEP 440), not SemVer; only its use as a folder name matters here.
    [[ $version =~ ^[0-9][0-9A-Za-z.+-]*$ ]] || die "read the version: pyproject.toml has \"$version\"" \
        "run packaging/install.sh of an unchanged checkout"
    SOURCE_DIGEST=$(source_digest)
    for folder in "$RELEASES/$version" "$RELEASES/$version"-*; do
        RELEASE=$folder
        if is_complete "$folder" && [ "$(< "$folder/$_COMPLETE")" = "$SOURCE_DIGEST" ]; then return; fi
    done
    RELEASE=$RELEASES/$version
    # A development checkout: the same version with other content gets a separate folder.
    while is_complete "$RELEASE"; do
        number=$((number + 1))
        RELEASE=$RELEASES/$version-$number
    done
}

# Depends on all sources and on the interpreter: a virtual environment does not work with another minor version.
source_digest() {
    (
        cd "$CHECKOUT" || exit
        "$PYTHON" -c 'import sys; print(sys.executable, "%d.%d" % sys.version_info[:2])'
        find "${SOURCES[@]}" -name __pycache__ -prune -o -path packaging/demo -prune -o -not -type d -print0 |
            sort --zero-terminated | xargs --null sha256sum
    ) | sha256sum | cut -d' ' -f1
}

is_complete() {
    [ -f "$1/$_COMPLETE" ]
}

# Prints the folder of the release that the service runs, nothing when there is none.
current_release() {
    local folder
    folder=$(readlink -f "$CURRENT") || return 0
    if is_complete "$folder"; then echo "$folder"; fi
}

build_release() {
    if is_complete "$RELEASE"; then
        say "release $(basename "$RELEASE") is already built"
        return
    fi
    say "building release $(basename "$RELEASE")"
    rm -rf "$RELEASE" # an interrupted build
    mkdir -p "$RELEASES"
    "$PYTHON" -m venv "$RELEASE" ||
        fail_build "the virtual environment could not be created" "run: apt-get install python3-venv"
    pip_install --only-binary :all: --require-hashes --requirement "$CHECKOUT/requirements.lock" ||
        fail_build "pip could not install requirements.lock (see its output above)" "$(pip_remedy)"
    pip_install --no-deps --no-build-isolation "$CHECKOUT" ||
        fail_build "pip could not build the project (see its output above)" "fix the checkout and run this again"
    "$RELEASE/bin/update-coordinator" --help > /dev/null ||
        fail_build "the built command does not run" "fix the checkout and run this again"
    populate_share
    sync --file-system "$RELEASE" # the marker must not be durable before the files
    echo "$SOURCE_DIGEST" > "$RELEASE/$_COMPLETE.part"
    sync "$RELEASE/$_COMPLETE.part"
    mv "$RELEASE/$_COMPLETE.part" "$RELEASE/$_COMPLETE"
    sync "$RELEASE/share"
}

pip_install() {
    local offline=()
    if [ -n "$WHEELHOUSE" ]; then offline=(--no-index --find-links "$(readlink -f "$WHEELHOUSE")"); fi
    "$RELEASE/bin/python" -m pip --disable-pip-version-check --no-input --quiet \
        install --no-cache-dir "${offline[@]}" "$@"
}

pip_remedy() {
    if [ -n "$WHEELHOUSE" ]; then
        echo "fill the wheelhouse for this machine ($(uname -m), $("$PYTHON" --version)): make wheelhouse"
    else
        echo "check the network, or fill a wheelhouse on another machine and pass it: --wheelhouse DIR"
    fi
}

# $1: the cause; $2: the remedy. Removes the partial build; the host is unchanged.
fail_build() {
    rm -rf "$RELEASE"
    die "build release $(basename "$RELEASE"): $1; nothing was changed" "$2"
}

# All files that are installed on the host come from here, so that a rollback can restore a whole release.
populate_share() {
    local share=$RELEASE/share
    mkdir -p "$share"
    cp -RL "$HERE/." "$share/" # the library has a link to protocol/version.py
    rm -rf "$share/demo"
    find "$share" -name __pycache__ -prune -exec rm -rf {} +
    if [ -d "$share/component-scripts/library" ]; then mv "$share/component-scripts/library" "$share/library"; fi
    chmod -R u=rwX,go=rX "$share"
}

# $1: the release. One atomic rename selects the release that the service runs.
activate_release() {
    if [ "$(readlink "$CURRENT")" = "releases/$(basename "$1")" ]; then return; fi
    ln -sfn "releases/$(basename "$1")" "$CURRENT.part"
    mv -T "$CURRENT.part" "$CURRENT"
    sync "$HOME_FOLDER"
    SERVICE_CHANGED=1
}

# Removes all releases except the running one, the one before it, and those that a running script needs.
prune_releases() {
    local folder
    for folder in "$RELEASES"/*/; do
        folder=${folder%/}
        if [ "$folder" = "$(current_release)" ] || [ "$folder" = "$(previous_release)" ]; then continue; fi
        if is_used_by_script "$folder"; then
            note "kept the old release $(basename "$folder"): a script that it started is still running"
        else
            say "removing the old release $(basename "$folder")"
            rm -rf "$folder"
        fi
    done
}

# A script's unit is stopped by the release that started it (executors/backends/systemd.py).
is_used_by_script() {
    grep --quiet --no-messages --fixed-strings "$1/" /run/systemd/transient/dunebugger-request-*.service
}

# Prints the release that ran before the current one, nothing when there was none.
previous_release() {
    if [ -f "$HOME_FOLDER/previous" ]; then echo "$RELEASES/$(< "$HOME_FOLDER/previous")"; fi
}
