# shellcheck shell=bash
# shellcheck disable=SC2034 # the other files of install.sh read these names
# Starts and stops the service, and checks that it stays up.

readonly _OBSERVATION_S=5 # a release that cannot run exits within its first seconds
NEVER_READY=1          # a service that was never ready has accepted no request

# Starts the service, or restarts it when something it runs has changed; fails when it does not stay up.
start_if_needed() {
    systemctl --quiet is-enabled "$UNIT" 2> /dev/null || systemctl --quiet enable "$UNIT"
    if is_service_active && ((!SERVICE_CHANGED)); then
        say "the service is active and up to date"
        return
    fi
    if is_service_active; then
        say "stopping the service to apply the changes"
        systemctl stop "$UNIT"
    fi
    start_service
}

is_service_active() {
    systemctl --quiet is-active "$UNIT"
}

# Fails when the service does not become ready, or does not stay up.
start_service() {
    local left main
    say "starting the service"
    systemctl reset-failed "$UNIT" 2> /dev/null || true
    NEVER_READY=0
    systemctl start "$UNIT" || {
        NEVER_READY=1
        return 1
    }
    main=$(systemctl show --property MainPID --value "$UNIT")
    for ((left = _OBSERVATION_S; left > 0; left--)); do
        sleep 1
        is_service_active && [ "$(systemctl show --property MainPID --value "$UNIT")" = "$main" ] || return 1
    done
    SERVICE_CHANGED=0
}
