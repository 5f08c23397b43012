# shellcheck shell=bash
# The systemd service of a Python application.

service_property() { # NAME
    systemctl show --property="$1" --value "$SERVICE"
}

require_service() {
    require_commands systemctl=systemd
    [[ "$(service_property LoadState)" == loaded ]] ||
        die "cannot find the service $SERVICE; install its unit, then: systemctl daemon-reload"
}

# Prints running, stopped or failed; failed also for a service that systemd keeps restarting.
service_state() {
    case "$(service_property ActiveState)" in
        active | reloading) echo running ;;
        inactive | deactivating) echo stopped ;;
        *) echo failed ;;
    esac
}

restart_service() {
    systemctl reset-failed "$SERVICE" 2> /dev/null || true # earlier failures must not count against this start
    systemctl restart "$SERVICE" || show_journal_and_die "cannot start $SERVICE"
}

stop_service() {
    systemctl stop "$SERVICE"
    systemctl reset-failed "$SERVICE" 2> /dev/null || true # its state is then inactive, not failed
}

# Waits until the service has stayed the same active process for SECONDS_TO_STAY_UP and responds. Exits when it does not
# within HEALTH_TIMEOUT_S more seconds.
wait_until_service_healthy() { # SECONDS_TO_STAY_UP
    local began up first now
    began="$(uptime_s)"
    first="$(service_property MainPID) $(service_property NRestarts)"
    while :; do
        up="$(($(uptime_s) - began))"
        now="$(service_property MainPID) $(service_property NRestarts)"
        [[ "$(service_property ActiveState)" == active && "$now" == "$first" ]] ||
            show_journal_and_die "cannot accept $SERVICE: it does not stay up, it is" \
                "$(service_property ActiveState) ($(service_property SubState))," \
                "restarted $(service_property NRestarts) times"
        if ((up >= $1)) && is_responding; then
            return 0
        fi
        ((up < ${HEALTH_TIMEOUT_S:-60} + $1)) ||
            show_journal_and_die "cannot accept $SERVICE: it runs, but does not respond to" \
                "${HEALTH_URL:-}${HEALTH_COMMAND:-} within ${HEALTH_TIMEOUT_S:-60} s (HEALTH_TIMEOUT_S)"
        sleep 0.5
    done
}

# Whether the application passes its own health check; true when component.env names none.
is_responding() {
    [[ -z "${HEALTH_URL:-}" ]] || curl --fail --silent --max-time 5 --output /dev/null --url "$HEALTH_URL" || return 1
    [[ -z "${HEALTH_COMMAND:-}" ]] || (cd "$ROOT" && timeout 10 bash -c "$HEALTH_COMMAND" > /dev/null 2>&1) || return 1
}

show_journal_and_die() { # MESSAGE
    if command -v journalctl > /dev/null; then
        warn "the last lines of its log:"
        journalctl --unit "$SERVICE" --lines 20 --no-pager --output cat 2> /dev/null | sed 's/^/  | /' >&2 || true
    fi
    die "$*; for the whole log run: journalctl -u $SERVICE"
}
