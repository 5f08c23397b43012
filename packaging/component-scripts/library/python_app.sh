# shellcheck shell=bash
# A component that is a Python application run by a systemd service: update, rollback, health check.

# shellcheck source=common.sh
source "$LIBRARY/common.sh"
require_keys PYTHON ROOT SERVICE
# shellcheck source=backup.sh
source "$LIBRARY/backup.sh"
# shellcheck source=service.sh
source "$LIBRARY/service.sh"
# shellcheck source=download.sh
source "$LIBRARY/download.sh"
# shellcheck source=release.sh
source "$LIBRARY/release.sh"

# A backup holds: target (of the link `current`, empty when there was no link) and state (running, stopped, failed).

python_app_update() { # VERSION
    local before
    read_version "${1:-}"
    read_request
    phase check 0
    require_keys API REPOSITORY TAG ASSET
    require_commands curl=curl flock=util-linux
    check_and_lock
    if is_current "$VERSION" && [[ "$(service_state)" == running ]] && is_responding; then
        say "$SERVICE already runs $VERSION"
        exit 0
    fi
    before="$(current_target)"
    phase release 5
    fetch_release "$VERSION"
    phase backup 35
    create_backup "$before"
    leave_undo_to_rollback
    run_checked switch_release "$VERSION" "$DIGEST"
    if ((RESULT != 0)); then
        warn "the update failed; the state before it is restored"
        matches_backup "$(backup_path "$REQUEST")" || restore_backup "$(backup_path "$REQUEST")"
        prune_backups_and_releases
        die "cannot update $SERVICE to $VERSION; it was restored to ${before:-no release}"
    fi
    sync --file-system "$ROOT"
    prune_backups_and_releases
    progress 100
    say "$SERVICE runs $VERSION (before: ${before:-nothing})"
}

switch_release() { # VERSION DIGEST
    select_release "$1" "$2"
    is_built "$RELEASE" "$1" "$2" || build_release "$RELEASE" "$1" "$2"
    phase switch 80
    switch_current "releases/$RELEASE"
    phase restart 82
    restart_service
    clear_restart_due
    phase verify 85
    wait_until_service_healthy "${STABLE_S:-10}"
}

python_app_rollback() {
    phase check 0
    find_backup_to_restore
    check_and_lock
    if matches_backup "$BACKUP"; then
        prune_releases # removes the partial build of an interrupted update
        say "$SERVICE is as it was before request $UPDATE_ROLLBACK_OF, so nothing is restored"
        exit 0
    fi
    restore_backup "$BACKUP"
    prune_releases
    progress 100
    say "$SERVICE was restored to $(current_target)"
}

python_app_health() {
    local target
    phase check 0
    require_service
    target="$(current_target)"
    [[ -n "$target" && -d "$ROOT/current/" ]] ||
        die "cannot find a release of $SERVICE: $ROOT/current does not lead to a folder; request an update"
    wait_until_service_healthy 0
    progress 100
    say "$SERVICE runs ${target##*/}"
}

check_and_lock() {
    require_service
    mkdir -p "$ROOT/releases"
    acquire_lock "$ROOT/releases/.lock"
    [[ ! -e "$ROOT/current" || -L "$ROOT/current" ]] ||
        die "cannot use $ROOT/current: it is not a link to a release; move it away, then repeat the request"
}

create_backup() { # TARGET
    [[ ! -d "$(backup_path "$REQUEST")" ]] || return 0 # the request's first run created it, before any change
    begin_backup
    printf '%s\n' "$1" > "$BACKUP_DRAFT/target"
    service_state > "$BACKUP_DRAFT/state"
    finish_backup "$REQUEST"
}

# Prints the service state of a backup.
backup_state() { # BACKUP
    local state
    state="$(backup_value "$1" state)"
    [[ "$state" != sick ]] || state=failed # the value in backups of earlier releases
    printf '%s\n' "$state"
}

matches_backup() { # BACKUP
    local was
    was="$(backup_state "$1")"
    [[ ! -e "$RESTART_DUE" && "$(current_target)" == "$(backup_value "$1" target)" && "$(service_state)" == "$was" ]]
}

# Restores a backup. Idempotent: it may be interrupted at any point and run again.
restore_backup() { # BACKUP
    local target was
    target="$(backup_value "$1" target)"
    was="$(backup_state "$1")"
    phase restore 60
    [[ -z "$target" ]] || (cd "$ROOT" && [[ -d "$target" ]]) ||
        die "cannot restore $target: that folder is missing in $ROOT; request an update to a version instead"
    switch_current "$target"
    if [[ "$was" == stopped || -z "$target" ]]; then
        stop_service
        clear_restart_due
        sync --file-system "$ROOT"
        return 0
    fi
    restart_service
    clear_restart_due
    phase verify-restored 80
    if [[ "$was" == running ]]; then
        wait_until_service_healthy "${STABLE_S:-10}"
    else
        say "$SERVICE had failed before the update, too, so it is started without a health check"
    fi
    sync --file-system "$ROOT"
}

prune_backups_and_releases() {
    local backup pruned
    pruned="$(list_backups_to_prune)"
    while read -r backup; do
        [[ -z "$backup" ]] || prune_backup "$backup"
    done <<< "$pruned"
    prune_releases
}
