# shellcheck shell=bash
# A component that is a Python application run by a systemd service: update, rollback, health check.

# shellcheck source=common.sh
source "$LIBRARY/common.sh"
need_keys PYTHON ROOT SERVICE
# shellcheck source=backup.sh
source "$LIBRARY/backup.sh"
# shellcheck source=service.sh
source "$LIBRARY/service.sh"
# shellcheck source=download.sh
source "$LIBRARY/download.sh"
# shellcheck source=release.sh
source "$LIBRARY/release.sh"

# A backup holds: target (what `current` led to, empty when there was no link) and state (running, stopped, sick).

python_app_update() { # VERSION
    local before
    read_version "${1:-}"
    read_request
    phase check 0
    need_keys API REPOSITORY TAG ASSET
    need_commands curl=curl flock=util-linux
    prepare
    if is_current "$VERSION" && [[ "$(service_state)" == running ]] && answers; then
        say "$SERVICE runs $VERSION already"
        exit 0
    fi
    before="$(current_target)"
    phase release 5
    fetch_release "$VERSION"
    phase backup 35
    back_up "$before"
    leave_undoing_to_rollback
    attempt change_app "$VERSION" "$DIGEST"
    if ((RESULT != 0)); then
        warn "the update failed; what was there before is put back"
        put_back "$(backup_of "$REQUEST")"
        prune
        die "cannot update $SERVICE to $VERSION; it is back at ${before:-nothing}"
    fi
    sync
    prune
    progress 100
    say "$SERVICE runs $VERSION (before: ${before:-nothing})"
}

change_app() { # VERSION DIGEST
    choose_release "$1" "$2"
    holds "$RELEASE" "$1" "$2" || build_release "$RELEASE" "$1" "$2"
    phase switch 80
    switch_current "releases/$RELEASE"
    phase restart 82
    restart_service
    restart_is_done
    phase verify 85
    expect_service_well "${STABLE_S:-10}"
}

python_app_rollback() {
    read_request
    phase check 0
    find_backup_to_restore
    prepare
    if is_as_before "$BACKUP"; then
        say "$SERVICE is as it was before request $UPDATE_ROLLBACK_OF, so nothing is put back"
        exit 0
    fi
    put_back "$BACKUP"
    prune_releases
    progress 100
    say "$SERVICE is back at $(current_target)"
}

python_app_health() {
    local target
    phase check 0
    need_service
    target="$(current_target)"
    [[ -n "$target" && -d "$ROOT/current/" ]] ||
        die "$SERVICE has no release: $ROOT/current leads nowhere; ask for an update"
    expect_service_well 0
    progress 100
    say "$SERVICE runs ${target##*/}"
}

prepare() {
    need_service
    mkdir -p "$ROOT/releases"
    lock "$ROOT/releases/.lock"
    [[ ! -e "$ROOT/current" || -L "$ROOT/current" ]] ||
        die "cannot use $ROOT/current: it is no link to a release; move it away, then ask again"
}

back_up() { # TARGET
    [[ ! -d "$(backup_of "$REQUEST")" ]] || return 0 # of this request's first run: it tells what was there before
    begin_backup
    printf '%s\n' "$1" > "$BACKUP_DRAFT/target"
    service_state > "$BACKUP_DRAFT/state"
    finish_backup "$REQUEST"
}

is_as_before() { # BACKUP
    local was
    was="$(recorded "$1" state)"
    [[ ! -e "$RESTART_DUE" && "$(current_target)" == "$(recorded "$1" target)" && "$(service_state)" == "$was" ]]
}

# Brings back what was there before; may be cut off at any point and started again.
put_back() { # BACKUP
    local target was
    target="$(recorded "$1" target)"
    was="$(recorded "$1" state)"
    phase restore 60
    [[ -z "$target" ]] || (cd "$ROOT" && [[ -d "$target" ]]) ||
        die "cannot put back $target: that folder is gone from $ROOT; ask for an update to a version instead"
    switch_current "$target"
    if [[ "$was" == stopped || -z "$target" ]]; then
        stop_service
        restart_is_done
        sync
        return 0
    fi
    restart_service
    restart_is_done
    phase verify-restored 80
    if [[ "$was" == running ]]; then
        expect_service_well "${STABLE_S:-10}"
    else
        say "$SERVICE was not well before either, so it is only started again"
    fi
    sync
}

prune() {
    local backup pruned
    pruned="$(backups_to_prune)"
    while read -r backup; do
        [[ -z "$backup" ]] || prune_backup "$backup"
    done <<< "$pruned"
    prune_releases
}
