# shellcheck shell=bash
# Backup of a container's state before an update, and its restore.
#
# A backup holds: file-image (named by the compose file), new-image (requested), state (absent, running, failed or
# stopped) and, unless absent, container (its id), name, ran-as (the image name it was created with), image-id.
# The copy of the compose file is for the operator: a restore sets one image and keeps all later edits of the file.

# Reads the state of the service's container before the pull: a pull may move its image name to another image.
record_present_state() {
    WAS=absent RUNS_ID="" RUNS_NAME="" NAME=""
    [[ -n "$CONTAINER" ]] || return 0
    inspect_container "$CONTAINER"
    case "$STATE/$HEALTH" in
        running/healthy | running/none | running/starting) WAS=running ;;
        running/* | restarting/*) WAS=failed ;;
        created/* | exited/*) WAS=stopped ;;
        *)
            die "cannot update $SERVICE: its container $NAME is $STATE;" \
                "run docker unpause $NAME or docker rm $NAME first"
            ;;
    esac
}

create_backup() { # FILE_IMAGE NEW_IMAGE
    local part
    [[ ! -d "$(backup_path "$REQUEST")" ]] || return 0 # the request's first run created it, before any change
    begin_backup
    for part in file-image="$1" new-image="$2" state="$WAS" container="$CONTAINER" name="$NAME" ran-as="$RUNS_NAME" \
        image-id="$RUNS_ID"; do
        printf '%s\n' "${part#*=}" > "$BACKUP_DRAFT/${part%%=*}"
    done
    cp -- "$COMPOSE_YAML" "$BACKUP_DRAFT/docker-compose.yml"
    finish_backup "$REQUEST"
}

# Sets FILE_IMAGE WAS WAS_CONTAINER WAS_NAME RAN_AS WAS_IMAGE from a backup.
read_backup() { # BACKUP
    FILE_IMAGE="$(backup_value "$1" file-image)"
    WAS="$(backup_value "$1" state)"
    [[ "$WAS" != sick ]] || WAS=failed # the value in backups of earlier releases
    WAS_CONTAINER="$(backup_value "$1" container)"
    WAS_NAME="$(backup_value "$1" name)"
    RAN_AS="$(backup_value "$1" ran-as)"
    WAS_IMAGE="$(backup_value "$1" image-id)"
}

# Whether compose file, container and the image that the name refers to are as the backup recorded them.
matches_backup() { # BACKUP
    local ids
    read_backup "$1"
    [[ "$(compose_file_image)" == "$FILE_IMAGE" ]] || return 1
    ids="$(list_containers)" || die "cannot list the containers of $SERVICE; see the error above"
    if [[ "$WAS" == absent ]]; then
        [[ -z "$ids" ]]
        return
    fi
    [[ -n "$ids" && "$ids" != *$'\n'* ]] || return 1
    inspect_container "$ids"
    [[ "$RUNS_ID" == "$WAS_IMAGE" && "$NAME" == "$WAS_NAME" ]] || return 1
    [[ "$RUNS_NAME" == "$RAN_AS" && "$(image_id "$RAN_AS")" == "$WAS_IMAGE" ]] || return 1
    case "$WAS/$STATE" in
        running/running) [[ "$HEALTH" != unhealthy ]] ;;
        failed/running | failed/restarting | stopped/created | stopped/exited) ;;
        *) return 1 ;;
    esac
}

# Restores a backup. Idempotent: it may be interrupted at any point and run again.
restore_backup() { # BACKUP
    read_backup "$1"
    phase restore 60
    if [[ "$WAS" == absent ]]; then
        set_compose_file_image "$FILE_IMAGE"
        remove_other_containers none
        sync
        return
    fi
    restore_image_name
    remove_other_containers "$WAS_CONTAINER"
    # Usually both are the same image. They differ when the file was edited after the container was created.
    set_compose_file_image "$RAN_AS"
    if [[ "$WAS" == stopped ]]; then
        compose_up "$RAN_AS" --no-start
        compose stop "$SERVICE"
    else
        compose_up "$RAN_AS" -d
    fi
    set_compose_file_image "$FILE_IMAGE"
    phase verify-restored 80
    verify_restored
    sync
}

# Gives the image that ran its name again: a moving tag may refer to a newer image by now.
restore_image_name() {
    if [[ "$(image_id "$RAN_AS")" == "$WAS_IMAGE" ]]; then
        return
    fi
    if [[ "$RAN_AS" == *@* || "$RAN_AS" == sha256:* ]] || ! docker tag "$WAS_IMAGE" "$RAN_AS"; then
        docker pull "$RAN_AS" ||
            die "cannot restore $RAN_AS: its image $WAS_IMAGE is not on this host and cannot be pulled;" \
                "make its registry reachable, then repeat the rollback"
    fi
}

# Removes what compose leaves when it is killed while it replaces a container, and renames the old one back.
remove_other_containers() { # CONTAINER
    local ids id
    ids="$(list_containers)"
    for id in $ids; do
        [[ "$id" == "$1" ]] || docker rm -f "$id" > /dev/null
    done
    if grep -qxF -- "$1" <<< "$ids"; then
        inspect_container "$1"
        [[ "$NAME" == "$WAS_NAME" ]] || docker rename "$1" "$WAS_NAME"
    fi
}

verify_restored() {
    if [[ "$WAS" == running ]]; then
        wait_until_healthy "$WAS_IMAGE" "${STABLE_S:-10}"
        return
    fi
    find_container
    [[ -n "$CONTAINER" ]] || die "cannot restore $SERVICE: compose created no container; see its output above"
    inspect_container "$CONTAINER"
    [[ "$RUNS_ID" == "$WAS_IMAGE" ]] ||
        die "cannot restore $SERVICE: container $NAME runs $RUNS_ID, not $WAS_IMAGE; see the output of compose above"
    [[ "$WAS" == stopped ]] ||
        say "container $NAME had failed before the update, too, so it is started without a health check"
}

# Removes old backups and the images that only they name.
prune_container_backups() {
    local pruned backup part images=()
    pruned="$(list_backups_to_prune)"
    while read -r backup; do
        [[ -n "$backup" ]] || continue
        for part in file-image new-image ran-as; do
            images+=("$(backup_value "$backup" "$part")")
        done
        prune_backup "$backup"
    done <<< "$pruned"
    for part in "${images[@]}"; do
        [[ -z "$part" ]] || remove_unused_image "$part"
    done
}

remove_unused_image() { # IMAGE
    local id
    id="$(image_id "$1")"
    if [[ -z "$id" ]] || grep -qF -- "$1" "$COMPOSE_YAML" || grep -qrxF -e "$1" -e "$id" "$BACKUP_FOLDER"; then
        return
    fi
    if docker ps -a --no-trunc --format '{{.Image}}' | grep -qxF -- "$1"; then
        return
    fi
    docker image rm "$1" > /dev/null 2>&1 || true
}
