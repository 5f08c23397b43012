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
    local wanted before
    read_version "${1:-}"
    read_request
    phase check 0
    prepare
    [[ "$VERSION" != *+* ]] || die "cannot update to $VERSION: an image's tag cannot hold a +; publish it without"
    # shellcheck disable=SC2153  # IMAGE and TAG come from component.env
    wanted="$IMAGE:${TAG//'{version}'/$VERSION}"
    if runs_already "$wanted"; then
        say "$SERVICE runs $wanted already"
        exit 0
    fi
    if [[ -d "$(backup_of "$REQUEST")" ]]; then
        say "this request was begun before; what was there then is put back first"
        put_back "$(backup_of "$REQUEST")"
    fi
    before="$(file_image)"
    [[ "$(repository_of "$before")" == "$IMAGE" ]] ||
        die "cannot update: $COMPOSE_YAML gives $SERVICE the image $before, component.env says IMAGE=$IMAGE;" \
            "make the two agree"
    find_container
    look_at_present

    phase pull 5
    docker pull "$wanted" ||
        die "cannot pull $wanted; nothing was changed. Does that version exist, and is its registry within reach?" \
            "A private one needs: sudo docker login"
    phase backup 50
    back_up "$before" "$wanted"
    leave_undoing_to_rollback
    attempt change_container "$wanted"
    if ((RESULT != 0)); then
        warn "the update failed; what was there before is put back"
        put_back "$(backup_of "$REQUEST")"
        prune_containers_backups
        die "cannot update $SERVICE to $wanted; it is back at $(file_image)"
    fi
    sync
    prune_containers_backups
    progress 100
    say "$SERVICE runs $wanted (before: $before)"
}

change_container() { # IMAGE
    phase set-image 55
    set_file_image "$1"
    phase start 60
    up "$1" -d
    phase verify 80
    expect_well "$(image_id "$1")" "${STABLE_S:-10}"
}

container_rollback() {
    read_request
    phase check 0
    find_backup_to_restore
    prepare
    if is_as_before "$BACKUP"; then
        say "$SERVICE is as it was before request $UPDATE_ROLLBACK_OF, so nothing is put back"
        exit 0
    fi
    put_back "$BACKUP"
    progress 100
    say "$SERVICE is back at $(file_image)"
}

container_health() {
    local named
    phase check 0
    check_settings
    need_docker
    named="$(file_image)"
    find_container
    [[ -n "$CONTAINER" ]] || die "$SERVICE has no container; start it: ${COMPOSE[*]} -f $COMPOSE_YAML up -d $SERVICE"
    look_at "$CONTAINER"
    # A moving tag may mean a newer image by now; the container is then still the one that the file asked for.
    [[ "$RUNS_NAME" == "$named" || "$RUNS_ID" == "$(image_id "$named")" ]] ||
        die "container $NAME runs $RUNS_NAME, but $COMPOSE_YAML names $named;" \
            "bring it in line: ${COMPOSE[*]} -f $COMPOSE_YAML up -d $SERVICE"
    expect_well "$RUNS_ID" 0
    progress 100
    say "container $NAME runs $named$([[ "$HEALTH" == none ]] || printf ' and is healthy')"
}

check_settings() {
    need_keys COMPOSE_YAML SERVICE IMAGE TAG PYTHON
    [[ -f "$COMPOSE_YAML" ]] ||
        die "cannot find the compose file $COMPOSE_YAML; write it, or name another in component.env: COMPOSE_YAML=..."
}

# Checks what a change needs, and keeps others from changing the same compose file meanwhile.
prepare() {
    local file
    check_settings
    need_docker
    file="$(realpath -e -- "$COMPOSE_YAML")"
    lock "${file%/*}/.${file##*/}.lock"
}

file_image() {
    "$PYTHON" "$LIBRARY/compose_image.py" get "$COMPOSE_YAML" "$SERVICE"
}

set_file_image() { # IMAGE
    "$PYTHON" "$LIBRARY/compose_image.py" set "$COMPOSE_YAML" "$SERVICE" "$1"
}

repository_of() { # IMAGE
    local name="${1%%@*}"
    [[ "${name##*/}" != *:* ]] || name="${name%:*}"
    printf '%s\n' "$name"
}

# Whether the file names IMAGE, and exactly that image runs and is well.
runs_already() { # IMAGE
    local ids
    [[ "$(file_image)" == "$1" ]] || return 1
    ids="$(service_containers)"
    [[ -n "$ids" && "$ids" != *$'\n'* ]] || return 1
    look_at "$ids"
    [[ "$STATE" == running && "$RUNS_ID" == "$(image_id "$1")" && "$HEALTH" =~ ^(none|healthy)$ ]]
}
