# shellcheck shell=bash
# What the operator is told.

say() {
    printf '==> %s\n' "$*"
}

note() {
    printf '    %s\n' "$*"
}

# $1: what cannot be done and what was found; $2: the remedy.
die() {
    printf 'cannot %s; %s\n' "$1" "$2" >&2
    exit 1
}

wrong_usage() {
    printf 'cannot understand the command: %s; see --help\n' "$1" >&2
    exit 2
}

die_with_log() {
    printf 'cannot go on: %s; %s. The last lines of its log:\n' "$1" "$2" >&2
    journalctl --unit "$UNIT" --lines 20 --no-pager --output cat >&2 || true
    exit 1
}

# What the operator does next; the check's findings about components are no fault of the installation.
report() {
    local findings=0
    say "update-coordinator check"
    timeout --foreground 300 "$CURRENT/bin/update-coordinator" check || findings=$?
    say "the update coordinator $("$CURRENT/bin/python" -c "$_VERSION") is installed and active"
    if ((findings)); then
        note "The check found something (above): about the components, not about this installation."
        note "Follow its arrows, then ask again: update-coordinator check"
    fi
    note "Next: let the container write requests. Its user joins the group $GROUP, in the compose file:"
    note "    group_add: [\"$(getent group "$GROUP" | cut -d: -f3)\"]"
    note "An example to compare with: $CURRENT/share/docker-compose.yml"
    note "Images, repositories and paths of a component: $BASE/<component>/component.env"
}

readonly _VERSION='from importlib.metadata import version; print(version("dunebugger-update-coordinator"))'
