# shellcheck shell=bash
# shellcheck disable=SC2034 # names that the other files of install.sh read
# Starting and stopping the service, and seeing that it stays up.

readonly _WATCHED_S=5 # a release that cannot live falls within its first seconds
NEVER_READY=1    # a service that was never ready has taken nothing up

# Starts the service, or restarts it when something it runs has changed; fails when it does not stay up.
start_if_needed() {
    systemctl --quiet is-enabled "$UNIT" 2> /dev/null || systemctl --quiet enable "$UNIT"
    if is_active && ((!SERVICE_CHANGED)); then
        say "the service is active, and nothing it runs has changed"
        return
    fi
    if is_active; then
        say "stopping the service: something it runs has changed"
        systemctl stop "$UNIT"
    fi
    start_service
}

is_active() {
    systemctl --quiet is-active "$UNIT"
}

# Fails when the service does not become ready, or does not stay up.
start_service() {
    local left main
    say "starting the service"
    systemctl reset-failed "$UNIT" 2> /dev/null || true
    NEVER_READY=0 # so it is unless systemd says otherwise
    systemctl start "$UNIT" || {
        NEVER_READY=1
        return 1
    }
    main=$(systemctl show --property MainPID --value "$UNIT")
    for ((left = _WATCHED_S; left > 0; left--)); do
        sleep 1
        is_active && [ "$(systemctl show --property MainPID --value "$UNIT")" = "$main" ] || return 1
    done
    SERVICE_CHANGED=0
}
