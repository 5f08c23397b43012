# shellcheck shell=bash
# Shared by all component scripts: output, the version, the request id, the lock. Sourced, never run.
set -euo pipefail
shopt -s inherit_errexit # also fail on a failure inside $(...)
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

# Exits when component.env does not set one of the keys.
require_keys() { # KEY...
    local key
    for key in "$@"; do
        [[ -n "${!key:-}" ]] || die "cannot read $HERE/component.env: $key is missing; add a line $key=..."
    done
}

require_commands() { # COMMAND=DEBIAN_PACKAGE...
    local pair
    for pair in "$@"; do
        command -v "${pair%%=*}" > /dev/null ||
            die "cannot run: the command ${pair%%=*} is missing; install it: apt-get install ${pair#*=}"
    done
}

# Sets VERSION to the script's argument without its leading v. version.py is the coordinator's own rule: a version that it
# accepts is safe as the name of a file or a folder, and as an argument.
read_version() { # [VERSION]
    local code=0
    [[ -n "${1:-}" ]] || die "cannot update: no version was given; usage: update.sh VERSION"
    require_keys LIBRARY PYTHON
    # shellcheck disable=SC2034  # the caller reads it
    VERSION="$("$PYTHON" -I "$LIBRARY/version.py" "$1")" || code=$?
    case $code in
        0) ;;
        1) die "cannot update to '$1': it is not a version such as 1.2.3 (SemVer, at most 128 characters)" ;;
        *) die "cannot check the version: $PYTHON $LIBRARY/version.py ended with exit code $code;" \
            "check PYTHON and LIBRARY in component.env" ;;
    esac
}

# Sets REQUEST to the coordinator's request id, or to a generated one when an operator runs the script by hand.
read_request() {
    REQUEST="${UPDATE_REQUEST_ID:-by-hand-$(date +%Y%m%d-%H%M%S)-$$}"
    validate_request_id "$REQUEST"
    [[ -n "${UPDATE_REQUEST_ID:-}" ]] ||
        say "run by hand; to undo it later: sudo UPDATE_ROLLBACK_OF=$REQUEST $HERE/rollback.sh"
}

validate_request_id() { # ID
    [[ "$1" =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$ ]] ||
        die "cannot use '$1' as a request id: it must start with a letter or digit, and have 1 to 128 of A-Za-z0-9._-"
}

# Waits for the lock, at most LOCK_WAIT_S seconds. The kernel releases it with the last process that holds it, so
# processes that a killed script left running are waited for, too.
acquire_lock() { # FILE
    exec 9>> "$1"
    flock -n 9 && return
    say "waiting for another update that holds $1"
    flock -w "${LOCK_WAIT_S:-300}" 9 ||
        die "cannot start: another update has held $1 for ${LOCK_WAIT_S:-300} s; find its process with: lslocks"
}

# Prints a monotonic time in whole seconds.
uptime_s() {
    local up _
    read -r up _ < /proc/uptime
    printf '%s\n' "${up%.*}"
}

# Runs a function with `set -e` in a subshell and sets RESULT to its exit code. Never call such a function in a
# condition (`if function`): bash then ignores `set -e` inside and continues after a failed command.
run_checked() { # FUNCTION ARGUMENT...
    set +e
    (
        set -e
        "$@"
    )
    # shellcheck disable=SC2034  # the caller reads it
    RESULT=$?
    set -e
}

# From now on a signal ends the script without an undo: after the time limit, only rollback.sh has time for it.
leave_undo_to_rollback() {
    trap 'warn "stopped; to undo the changes: UPDATE_ROLLBACK_OF=$REQUEST $HERE/rollback.sh"; exit 143' \
        TERM INT HUP
}
