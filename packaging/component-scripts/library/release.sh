# shellcheck shell=bash
# Releases of a Python application: ROOT/releases/<name>/, and the link ROOT/current to the active one.
# A release is complete when it has a file .complete with the line: VERSION DIGEST.

COMPLETE=.complete
RESTART_DUE="$ROOT/releases/.restart-due"

# Whether a release is complete and was built from that artifact.
is_built() { # RELEASE VERSION DIGEST
    [[ -f "$ROOT/releases/$1/$COMPLETE" && "$(< "$ROOT/releases/$1/$COMPLETE")" == "$2 $3" ]]
}

# Prints the target of the link `current`, nothing when there is no link.
current_target() {
    readlink "$ROOT/current" || true
}

# Prints the name of the release that a link target refers to, nothing when it leads elsewhere.
release_name() { # TARGET
    local target="${1%/}"
    case "$target" in
        releases/?* | "$ROOT"/releases/?*) printf '%s\n' "${target##*/}" ;;
    esac
}

# Whether VERSION is used, and the service was started since `current` leads to it.
is_current() { # VERSION
    local name
    name="$(release_name "$(current_target)")"
    [[ -n "$name" && ! -e "$RESTART_DUE" && -f "$ROOT/releases/$name/$COMPLETE" ]] || return 1
    [[ "$(< "$ROOT/releases/$name/$COMPLETE")" == "$1 "* ]]
}

# Sets RELEASE to the folder name of VERSION, installed or to be installed. A folder that is active or named by a backup
# is never overwritten: a version that was published again gets a name with a part of its digest.
select_release() { # VERSION DIGEST
    for RELEASE in "$1" "$1.${2:7:12}"; do
        if is_built "$RELEASE" "$1" "$2" || ! is_referenced "$RELEASE"; then
            return 0
        fi
    done
    die "cannot install $1: $ROOT/releases/$RELEASE is incomplete, and active or named by a backup;" \
        "update to another version first"
}

# Whether the link or a backup refers to a release.
is_referenced() { # RELEASE
    local backup
    [[ "$(release_name "$(current_target)")" != "$1" ]] || return 0
    for backup in "$BACKUP_FOLDER"/*/target; do
        [[ ! -f "$backup" || "$(release_name "$(< "$backup")")" != "$1" ]] || return 0
    done
    return 1
}

# Builds the release from the verified artifact: unpacks it under another name, renames it, then creates its environment
# at the final path, because a virtual environment cannot be moved. .complete is written last, after a sync.
build_release() { # RELEASE VERSION DIGEST
    local folder="$ROOT/releases/$1" draft="$ROOT/releases/.draft"
    phase unpack 40
    rm -rf "$draft" "$folder"
    "$PYTHON" "$LIBRARY/unpack.py" "$ARTIFACT" "$draft" "${UNPACKED_BYTES:-1073741824}"
    [[ ! -e "$draft/$COMPLETE" && ! -e "$draft/venv" ]] ||
        die "cannot use the release: its top folder contains $COMPLETE or venv, which are reserved;" \
            "publish it without them"
    [[ -e "$draft/VERSION" ]] || printf '{"full_version": "%s"}\n' "$2" > "$draft/VERSION"
    mv -T "$draft" "$folder"
    phase dependencies 50
    install_dependencies "$folder"
    sync --file-system "$folder"
    printf '%s %s\n' "$2" "$3" > "$folder/$COMPLETE.new"
    sync "$folder/$COMPLETE.new"
    mv -T "$folder/$COMPLETE.new" "$folder/$COMPLETE"
    sync "$folder" "$ROOT/releases"
}

# The environment has no pip of its own: installing pip takes ten seconds on a small computer.
install_dependencies() { # FOLDER
    local options=(--disable-pip-version-check --no-input --quiet)
    "${APP_PYTHON:-python3}" -m venv --without-pip "$1/venv" ||
        die "cannot create a virtual environment with ${APP_PYTHON:-python3}; run: apt-get install python3-venv"
    [[ -f "$1/requirements.txt" ]] || return 0
    [[ ! -d "$1/wheels" ]] || options+=(--no-index --find-links "$1/wheels")
    "$PYTHON" -m pip --python "$1/venv/bin/python" install "${options[@]}" --requirement "$1/requirements.txt" ||
        die "cannot install the dependencies of the release; see the output of pip above"
}

# Points `current` to TARGET, or removes the link when TARGET is empty, atomically and durably. Until clear_restart_due,
# a marker records that the service may still run the previous release.
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

clear_restart_due() {
    rm -f "$RESTART_DUE"
}

# Removes every release that neither the link nor a backup refers to. Changes nothing else in ROOT.
prune_releases() {
    local folder
    rm -rf "$DOWNLOADS" "$ROOT/releases/.draft"
    for folder in "$ROOT"/releases/*/; do
        folder="${folder%/}"
        if [[ -d "$folder" && ! -L "$folder" ]] && ! is_referenced "${folder##*/}"; then
            rm -rf "$folder"
        fi
    done
}
