# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # names that the other files of install.sh set and read
# A release: a virtual environment with the coordinator, and share/ with all that is placed on the host from it.

# All that makes a release what it is.
readonly SOURCES=(pyproject.toml requirements.lock README.md LICENSE
    protocol policy fsm executors coordinator remote packaging)
readonly _COMPLETE=share/complete # holds the fingerprint; written last, so that a release without it was cut off

# Sets RELEASE: the folder of this checkout's release, built already or not.
choose_release() {
    local version folder number=1
    version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$CHECKOUT/pyproject.toml")
    [[ $version =~ ^[0-9][0-9A-Za-z.+-]*$ ]] || die "tell the version: pyproject.toml says \"$version\"" \
        "run packaging/install.sh of an unchanged checkout"
    FINGERPRINT=$(fingerprint)
    for folder in "$RELEASES/$version" "$RELEASES/$version"-*; do
        RELEASE=$folder
        if is_complete "$folder" && [ "$(< "$folder/$_COMPLETE")" = "$FINGERPRINT" ]; then return; fi
    done
    RELEASE=$RELEASES/$version
    # A development checkout: the same version with other content gets a folder of its own.
    while is_complete "$RELEASE"; do
        number=$((number + 1))
        RELEASE=$RELEASES/$version-$number
    done
}

# Changes with any source and with the interpreter: an environment does not survive another minor version.
fingerprint() {
    (
        cd "$CHECKOUT" || exit
        "$PYTHON" -c 'import sys; print(sys.executable, "%d.%d" % sys.version_info[:2])'
        find "${SOURCES[@]}" -name __pycache__ -prune -o -path packaging/demo -prune -o -type f -print0 |
            sort --zero-terminated | xargs --null sha256sum
    ) | sha256sum | cut -d' ' -f1
}

is_complete() {
    [ -f "$1/$_COMPLETE" ]
}

# Prints the folder that the service runs, nothing when there is none.
current_release() {
    local folder
    folder=$(readlink -f "$CURRENT") || return 0
    if is_complete "$folder"; then echo "$folder"; fi
}

build_release() {
    if is_complete "$RELEASE"; then
        say "release $(basename "$RELEASE") is built already"
        return
    fi
    say "building release $(basename "$RELEASE")"
    rm -rf "$RELEASE" # of a build that was cut off
    mkdir -p "$RELEASES"
    "$PYTHON" -m venv "$RELEASE" ||
        build_failed "the virtual environment could not be made" "run: apt-get install python3-venv"
    pip_install --only-binary :all: --require-hashes --requirement "$CHECKOUT/requirements.lock" ||
        build_failed "pip could not install requirements.lock (its words are above)" "$(pip_remedy)"
    pip_install --no-deps --no-build-isolation "$CHECKOUT" ||
        build_failed "pip could not build the project (its words are above)" "mend the checkout and run this again"
    "$RELEASE/bin/update-coordinator" --help > /dev/null ||
        build_failed "the new command does not run" "mend the checkout and run this again"
    fill_share
    sync --file-system "$RELEASE" # the marker must not last where what it vouches for does not
    echo "$FINGERPRINT" > "$RELEASE/$_COMPLETE.part"
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
        echo "check the network, or fill a wheelhouse elsewhere and pass it: --wheelhouse DIR"
    fi
}

# $1: what went wrong; $2: the remedy. Nothing on the host was touched, and nothing half-built stays.
build_failed() {
    rm -rf "$RELEASE"
    die "build release $(basename "$RELEASE"): $1; nothing was changed" "$2"
}

# Everything that is placed on the host comes from here, so that a release can be put back as a whole.
fill_share() {
    local share=$RELEASE/share
    mkdir -p "$share"
    cp -R "$HERE/." "$share/"
    rm -rf "$share/demo"
    find "$share" -name __pycache__ -prune -exec rm -rf {} +
    if [ -d "$share/component-scripts/library" ]; then mv "$share/component-scripts/library" "$share/library"; fi
    chmod -R u=rwX,go=rX "$share"
}

# $1: the release. One rename decides which one the service runs.
switch_to() {
    if [ "$(readlink "$CURRENT")" = "releases/$(basename "$1")" ]; then return; fi
    ln -sfn "releases/$(basename "$1")" "$CURRENT.part"
    mv -T "$CURRENT.part" "$CURRENT"
    sync "$HOME_FOLDER"
    SERVICE_CHANGED=1
}

# Keeps the running release, the one before it, and those that a script still needs: whatever else was built is of no
# use any more.
prune_releases() {
    local folder
    for folder in "$RELEASES"/*/; do
        folder=${folder%/}
        if [ "$folder" = "$(current_release)" ] || [ "$folder" = "$(previous_release)" ]; then continue; fi
        if is_needed "$folder"; then
            note "the old release $(basename "$folder") stays until the script has ended that it started"
        else
            say "removing the old release $(basename "$folder")"
            rm -rf "$folder"
        fi
    done
}

# A script's unit is stopped by the release that started it (executors/backends/systemd.py).
is_needed() {
    grep --quiet --no-messages --fixed-strings "$1/" /run/systemd/transient/dunebugger-request-*.service
}

# Prints the release that ran before the present one; nothing when there was none.
previous_release() {
    if [ -f "$HOME_FOLDER/previous" ]; then echo "$RELEASES/$(< "$HOME_FOLDER/previous")"; fi
}
