# shellcheck shell=bash
# What every component script needs: words, numbers, the request, one run at a time. Sourced, never run.
set -euo pipefail
shopt -s inherit_errexit # a failure inside $(...) is one, too
umask 022

phase() { # NAME PERCENT
    printf 'PHASE:%s\nPROGRESS:%s\n' "$1" "$2"
}

progress() { # PERCENT
    printf 'PROGRESS:%s\n' "$1"
}

say() {
    printf '%s\n' "$*"
}

warn() {
    printf '%s\n' "$*" >&2
}

die() {
    warn "$*"
    exit 1
}

# Ends the script when component.env leaves out one of the keys.
need_keys() { # KEY...
    local key
    for key in "$@"; do
        [[ -n "${!key:-}" ]] || die "cannot read $HERE/component.env: $key is missing; add a line $key=..."
    done
}

need_commands() { # COMMAND=DEBIAN_PACKAGE...
    local pair
    for pair in "$@"; do
        command -v "${pair%%=*}" > /dev/null ||
            die "cannot go on: the command ${pair%%=*} is missing; install it: apt-get install ${pair#*=}"
    done
}

# Sets VERSION from the script's argument: SemVer, of which a tag, a file and a folder may be named without risk.
read_version() { # [VERSION]
    local number='(0|[1-9][0-9]*)' identifiers='[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*'
    VERSION="${1:-}"
    VERSION="${VERSION#v}"
    [[ -n "$VERSION" ]] || die "cannot update: no version was given; usage: update.sh VERSION"
    [[ ${#VERSION} -le 100 && "$VERSION" =~ ^$number\.$number\.$number(-$identifiers)?(\+$identifiers)?$ ]] ||
        die "cannot update to '$VERSION': it is not a version such as 1.2.3"
}

# Sets REQUEST: the coordinator's id, or one made up for a person who tries the script by hand.
read_request() {
    REQUEST="${UPDATE_REQUEST_ID:-by-hand-$(date +%Y%m%d-%H%M%S)-$$}"
    check_id "$REQUEST"
    [[ -n "${UPDATE_REQUEST_ID:-}" ]] ||
        say "started by hand; to undo it later: sudo UPDATE_ROLLBACK_OF=$REQUEST $HERE/rollback.sh"
}

check_id() { # ID
    [[ "$1" =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$ ]] || die "cannot use '$1' as the id of a request"
}

# Waits until no other script changes the same thing. The lock ends with the last process that holds it, so what a
# killed script left running is waited for, too.
lock() { # FILE
    exec 9>> "$1"
    flock -n 9 && return
    say "waiting for another update that holds $1"
    flock -w "${LOCK_WAIT_S:-300}" 9 ||
        die "cannot start: another update has held $1 for ${LOCK_WAIT_S:-300} s; see who: lslocks"
}

# Seconds since some moment that no change of the clock moves.
uptime_s() {
    local up _
    read -r up _ < /proc/uptime
    printf '%s\n' "${up%.*}"
}

# Runs a function and sets RESULT to its exit code. `set -e` and `exit` end the function only; in a condition, as in
# `if function`, bash would go on after a command that failed.
attempt() { # FUNCTION ARGUMENT...
    set +e
    (
        set -e
        "$@"
    )
    # shellcheck disable=SC2034  # it is read where this is called
    RESULT=$?
    set -e
}

# From now on TERM ends the script without an attempt to undo: rollback.sh has the time that this needs.
leave_undoing_to_rollback() {
    trap 'warn "stopped; what was changed is put back by: UPDATE_ROLLBACK_OF=$REQUEST $HERE/rollback.sh"; exit 143' \
        TERM INT HUP
}
