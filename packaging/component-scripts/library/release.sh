# shellcheck shell=bash
# Releases of a Python application: ROOT/releases/<name>/, and the link ROOT/current to the one that is used.
# A release is complete when it holds .complete, whose only line is: VERSION DIGEST.

COMPLETE=.complete
RESTART_DUE="$ROOT/releases/.restart-due"

# Whether a release is complete and was built of that artifact.
holds() { # RELEASE VERSION DIGEST
    [[ -f "$ROOT/releases/$1/$COMPLETE" && "$(< "$ROOT/releases/$1/$COMPLETE")" == "$2 $3" ]]
}

# Prints what `current` leads to, as the link says it; nothing where there is no link.
current_target() {
    readlink "$ROOT/current" || true
}

# Prints the name of a release that a link's target means, or nothing where it leads elsewhere.
release_of() { # TARGET
    local target="${1%/}"
    case "$target" in
        releases/?* | "$ROOT"/releases/?*) printf '%s\n' "${target##*/}" ;;
    esac
}

# Whether VERSION is used, and the service was started since `current` leads to it.
is_current() { # VERSION
    local name
    name="$(release_of "$(current_target)")"
    [[ -n "$name" && ! -e "$RESTART_DUE" && -f "$ROOT/releases/$name/$COMPLETE" ]] || return 1
    [[ "$(< "$ROOT/releases/$name/$COMPLETE")" == "$1 "* ]]
}

# Sets RELEASE to the name under which VERSION is installed, or is to be: a folder that is in use, or that a backup names,
# is never built over. Where a version was published anew, its digest tells the two apart.
choose_release() { # VERSION DIGEST
    for RELEASE in "$1" "$1.${2:7:12}"; do
        if holds "$RELEASE" "$1" "$2" || ! is_needed "$RELEASE"; then
            return 0
        fi
    done
    die "cannot install $1: $ROOT/releases/$RELEASE is in use, but not complete; update to another version first"
}

# Whether the link or a backup names a release.
is_needed() { # RELEASE
    local backup
    [[ "$(release_of "$(current_target)")" != "$1" ]] || return 0
    for backup in "$BACKUP_FOLDER"/*/target; do
        [[ ! -f "$backup" || "$(release_of "$(< "$backup")")" != "$1" ]] || return 0
    done
    return 1
}

# Builds the release from the verified artifact: unpacked under another name, renamed, then its environment in the place where
# it will be used, for a virtual environment cannot be moved. Complete only when all of it is on the disk.
build_release() { # RELEASE VERSION DIGEST
    local folder="$ROOT/releases/$1" draft="$ROOT/releases/.draft"
    phase unpack 40
    rm -rf "$draft" "$folder"
    "$PYTHON" "$LIBRARY/unpack.py" "$ARTIFACT" "$draft" "${UNPACKED_BYTES:-1073741824}"
    [[ ! -e "$draft/$COMPLETE" && ! -e "$draft/venv" ]] ||
        die "cannot use the release: its top folder holds $COMPLETE or venv, which only an installed one may"
    [[ -e "$draft/VERSION" ]] || printf '{"full_version": "%s"}\n' "$2" > "$draft/VERSION"
    mv -T "$draft" "$folder"
    phase dependencies 50
    install_dependencies "$folder"
    sync
    printf '%s %s\n' "$2" "$3" > "$folder/$COMPLETE.new"
    sync "$folder/$COMPLETE.new"
    mv -T "$folder/$COMPLETE.new" "$folder/$COMPLETE"
    sync "$folder" "$ROOT/releases"
}

install_dependencies() { # FOLDER
    local options=(--disable-pip-version-check --no-input --quiet)
    "${APP_PYTHON:-python3}" -m venv "$1/venv" ||
        die "cannot make a virtual environment with ${APP_PYTHON:-python3}; install it: apt-get install python3-venv"
    [[ -f "$1/requirements.txt" ]] || return 0
    [[ ! -d "$1/wheels" ]] || options+=(--no-index --find-links "$1/wheels")
    "$1/venv/bin/python" -m pip install "${options[@]}" --requirement "$1/requirements.txt" ||
        die "cannot install the dependencies of the release; see pip's words above"
}

# Makes `current` lead to TARGET, or removes it where that is empty: in one step, and to stay. Until restart_is_done, it is
# on record that the service may still run what `current` led to before.
switch_current() { # TARGET
    : > "$RESTART_DUE"
    sync "$RESTART_DUE" "$ROOT/releases"
    if [[ -n "$1" ]]; then
        ln -sfn -- "$1" "$ROOT/.current.new"
        mv -T "$ROOT/.current.new" "$ROOT/current"
    else
        rm -f "$ROOT/current"
    fi
    sync "$ROOT"
}

restart_is_done() {
    rm -f "$RESTART_DUE"
}

# Removes every release that neither the link nor a backup names. Nothing else in ROOT is touched.
prune_releases() {
    local folder
    rm -rf "$DOWNLOADS" "$ROOT/releases/.draft"
    for folder in "$ROOT"/releases/*/; do
        folder="${folder%/}"
        if [[ -d "$folder" && ! -L "$folder" ]] && ! is_needed "${folder##*/}"; then
            rm -rf "$folder"
        fi
    done
}
