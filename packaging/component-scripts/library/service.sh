# shellcheck shell=bash
# The systemd service of a Python application.

property() { # NAME
    systemctl show --property="$1" --value "$SERVICE"
}

need_service() {
    need_commands systemctl=systemd
    [[ "$(property LoadState)" == loaded ]] ||
        die "cannot find the service $SERVICE; install its unit, then: systemctl daemon-reload"
}

# Prints running, stopped, or sick for a service that systemd starts again and again or has given up.
service_state() {
    case "$(property ActiveState)" in
        active | reloading) echo running ;;
        inactive | deactivating) echo stopped ;;
        *) echo sick ;;
    esac
}

restart_service() {
    systemctl reset-failed "$SERVICE" 2> /dev/null || true # starts that failed before must not count against this one
    systemctl restart "$SERVICE" || show_journal_and_die "$SERVICE does not start"
}

stop_service() {
    systemctl stop "$SERVICE"
}

# Ends the script unless the service is active, stays the same process for a while, and answers where it is known how to ask.
expect_service_well() { # SECONDS_TO_STAY_UP
    local began up first now
    began="$(uptime_s)"
    first="$(property MainPID) $(property NRestarts)"
    while :; do
        up="$(($(uptime_s) - began))"
        now="$(property MainPID) $(property NRestarts)"
        [[ "$(property ActiveState)" == active && "$now" == "$first" ]] ||
            show_journal_and_die "$SERVICE does not stay up: it is $(property ActiveState) ($(property SubState))," \
                "restarted $(property NRestarts) times"
        if ((up >= $1)) && answers; then
            return 0
        fi
        ((up < ${HEALTH_TIMEOUT_S:-60} + $1)) ||
            show_journal_and_die "$SERVICE runs, but does not answer ${HEALTH_URL:-}${HEALTH_COMMAND:-}" \
                "within ${HEALTH_TIMEOUT_S:-60} s (HEALTH_TIMEOUT_S)"
        sleep 0.5
    done
}

# Whether the application itself says that it works; one that names no way to ask is believed.
answers() {
    [[ -z "${HEALTH_URL:-}" ]] || curl --fail --silent --max-time 5 --output /dev/null --url "$HEALTH_URL" || return 1
    [[ -z "${HEALTH_COMMAND:-}" ]] || (cd "$ROOT" && timeout 10 bash -c "$HEALTH_COMMAND" > /dev/null 2>&1) || return 1
}

show_journal_and_die() { # WORDS
    if command -v journalctl > /dev/null; then
        warn "its last lines:"
        journalctl --unit "$SERVICE" --lines 20 --no-pager --output cat 2> /dev/null | sed 's/^/  | /' >&2 || true
    fi
    die "$*; the whole log: journalctl -u $SERVICE"
}
