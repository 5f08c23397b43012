# shellcheck shell=bash
# A component that is one service of a compose file: update, rollback, health check.

# shellcheck source=common.sh
source "$LIBRARY/common.sh"
# shellcheck source=backup.sh
source "$LIBRARY/backup.sh"
# shellcheck source=docker.sh
source "$LIBRARY/docker.sh"
# shellcheck source=container_backup.sh
source "$LIBRARY/container_backup.sh"

container_update() { # VERSION
    local tag wanted before
    read_version "${1:-}"
    read_request
    phase check 0
    check_and_lock
    # shellcheck disable=SC2153  # TAG comes from component.env
    tag="${TAG//'{version}'/$VERSION}"
    [[ "$VERSION" != *+* ]] || die "cannot update to $VERSION: an image tag must not contain +; publish it without"
    ((${#tag} <= 128)) ||
        die "cannot update to $VERSION: its image tag has ${#tag} characters, and Docker allows 128;" \
            "publish a shorter version"
    # shellcheck disable=SC2153  # IMAGE comes from component.env
    wanted="$IMAGE:$tag"
    if is_running_image "$wanted"; then
        say "$SERVICE already runs $wanted"
        exit 0
    fi
    if [[ -d "$(backup_path "$REQUEST")" ]]; then
        say "an earlier run of this request was interrupted; its backup is restored first"
        restore_backup "$(backup_path "$REQUEST")"
    fi
    before="$(compose_file_image)"
    [[ "$(image_repository "$before")" == "$IMAGE" ]] ||
        die "cannot update: $COMPOSE_YAML gives $SERVICE the image $before, component.env has IMAGE=$IMAGE;" \
            "make the two agree"
    find_container
    record_present_state

    phase pull 5
    docker pull "$wanted" ||
        die "cannot pull $wanted; nothing was changed. Does that version exist, and is its registry reachable?" \
            "A private registry needs: sudo docker login"
    phase backup 50
    create_backup "$before" "$wanted"
    leave_undo_to_rollback
    run_checked switch_image "$wanted"
    if ((RESULT != 0)); then
        warn "the update failed; the state before it is restored"
        matches_backup "$(backup_path "$REQUEST")" || restore_backup "$(backup_path "$REQUEST")"
        prune_container_backups
        die "cannot update $SERVICE to $wanted; it was restored to $(compose_file_image)"
    fi
    sync
    prune_container_backups
    progress 100
    say "$SERVICE runs $wanted (before: $before)"
}

switch_image() { # IMAGE
    phase set-image 55
    set_compose_file_image "$1"
    phase start 60
    compose_up "$1" -d
    phase verify 80
    wait_until_healthy "$(image_id "$1")" "${STABLE_S:-10}"
}

container_rollback() {
    phase check 0
    find_backup_to_restore
    check_and_lock
    if matches_backup "$BACKUP"; then
        say "$SERVICE is as it was before request $UPDATE_ROLLBACK_OF, so nothing is restored"
        exit 0
    fi
    restore_backup "$BACKUP"
    progress 100
    say "$SERVICE was restored to $(compose_file_image)"
}

container_health() {
    local named
    phase check 0
    check_settings
    require_docker
    named="$(compose_file_image)"
    find_container
    [[ -n "$CONTAINER" ]] ||
        die "cannot find a container of $SERVICE; start it: ${COMPOSE[*]} -f $COMPOSE_YAML up -d $SERVICE"
    inspect_container "$CONTAINER"
    # A moving tag may name a newer image by now; the container then still matches the compose file.
    [[ "$RUNS_NAME" == "$named" || "$RUNS_ID" == "$(image_id "$named")" ]] ||
        die "cannot accept container $NAME: it runs $RUNS_NAME, and $COMPOSE_YAML names $named;" \
            "recreate it: ${COMPOSE[*]} -f $COMPOSE_YAML up -d $SERVICE"
    wait_until_healthy "$RUNS_ID" 0
    progress 100
    say "container $NAME runs $named$([[ "$HEALTH" == none ]] || printf ' and is healthy')"
}

check_settings() {
    require_keys COMPOSE_YAML SERVICE IMAGE TAG PYTHON
    [[ -f "$COMPOSE_YAML" ]] ||
        die "cannot find the compose file $COMPOSE_YAML; write it, or name another in component.env: COMPOSE_YAML=..."
}

# Checks the preconditions of a change and locks the compose file against other updates.
check_and_lock() {
    local file
    check_settings
    require_docker
    file="$(realpath -e -- "$COMPOSE_YAML")"
    acquire_lock "${file%/*}/.${file##*/}.lock"
}

compose_file_image() {
    "$PYTHON" "$LIBRARY/compose_image.py" get "$COMPOSE_YAML" "$SERVICE"
}

set_compose_file_image() { # IMAGE
    "$PYTHON" "$LIBRARY/compose_image.py" set "$COMPOSE_YAML" "$SERVICE" "$1"
}

image_repository() { # IMAGE
    local name="${1%%@*}"
    [[ "${name##*/}" != *:* ]] || name="${name%:*}"
    printf '%s\n' "$name"
}

# Whether the compose file names IMAGE and the one container runs exactly that image and is healthy.
is_running_image() { # IMAGE
    local ids
    [[ "$(compose_file_image)" == "$1" ]] || return 1
    ids="$(list_containers)"
    [[ -n "$ids" && "$ids" != *$'\n'* ]] || return 1
    inspect_container "$ids"
    [[ "$STATE" == running && "$RUNS_ID" == "$(image_id "$1")" && "$HEALTH" =~ ^(none|healthy)$ ]]
}
