# shellcheck shell=bash
# Messages to the operator.

say() {
    printf '==> %s\n' "$*"
}

note() {
    printf '    %s\n' "$*"
}

# $1: what cannot be done and the cause; $2: the remedy.
die() {
    printf 'cannot %s; %s\n' "$1" "$2" >&2
    exit 1
}

usage_error() {
    printf 'cannot run this command line: %s; see --help\n' "$1" >&2
    exit 2
}

die_with_log() {
    printf 'cannot continue: %s; %s. The last lines of its log:\n' "$1" "$2" >&2
    journalctl --unit "$UNIT" --lines 20 --no-pager --output cat >&2 || true
    exit 1
}

# Prints the next steps. Findings of the check about components do not fail the installation.
report() {
    local findings=0
    say "update-coordinator check"
    timeout --foreground 300 "$CURRENT/bin/update-coordinator" check || findings=$?
    say "the update coordinator $("$CURRENT/bin/python" -c "$_VERSION") is installed and active"
    if ((findings)); then
        note "The check found problems (above) in the components, not in this installation."
        note "Follow its remedies, then repeat: update-coordinator check"
    fi
    note "Next: allow the container to write requests. Add its user to the group $GROUP in the compose file:"
    note "    group_add: [\"$(getent group "$GROUP" | cut -d: -f3)\"]"
    note "Example of a compose file: $CURRENT/share/docker-compose.yml"
    note "Image, repository and paths of a component: $BASE/<component>/component.env"
}

readonly _VERSION='from importlib.metadata import version; print(version("dunebugger-update-coordinator"))'
