# shellcheck shell=bash
# What was there before an update of a container, and putting it back.
#
# A backup holds: file-image (what the compose file named), new-image (what the request wanted), state (absent, running,
# sick, stopped), and, unless absent, container (its id), name, ran-as (the image's name when it was made), image-id.
# The copy of the compose file is for people: putting back changes one image and never undoes what others edited since.

# Takes down what the service's container is, before anything is pulled: pulling may give its image's name another meaning.
look_at_present() {
    WAS=absent RUNS_ID="" RUNS_NAME="" NAME=""
    [[ -n "$CONTAINER" ]] || return 0
    look_at "$CONTAINER"
    case "$STATE/$HEALTH" in
        running/healthy | running/none | running/starting) WAS=running ;;
        running/* | restarting/*) WAS=sick ;;
        created/* | exited/*) WAS=stopped ;;
        *) die "cannot update $SERVICE while its container $NAME is $STATE; first: docker unpause or docker rm $NAME" ;;
    esac
}

back_up() { # FILE_IMAGE NEW_IMAGE
    local part
    [[ ! -d "$(backup_of "$REQUEST")" ]] || return 0 # of this request's first run: it tells what was there before
    begin_backup
    for part in file-image="$1" new-image="$2" state="$WAS" container="$CONTAINER" name="$NAME" ran-as="$RUNS_NAME" \
        image-id="$RUNS_ID"; do
        printf '%s\n' "${part#*=}" > "$BACKUP_DRAFT/${part%%=*}"
    done
    cp -- "$COMPOSE_YAML" "$BACKUP_DRAFT/docker-compose.yml"
    finish_backup "$REQUEST"
}

# Sets what a backup recorded.
read_backup() { # BACKUP
    FILE_IMAGE="$(recorded "$1" file-image)"
    WAS="$(recorded "$1" state)"
    WAS_CONTAINER="$(recorded "$1" container)"
    WAS_NAME="$(recorded "$1" name)"
    RAN_AS="$(recorded "$1" ran-as)"
    WAS_IMAGE="$(recorded "$1" image-id)"
}

# Whether file, container and the meaning of the image's name are what they were.
is_as_before() { # BACKUP
    local ids
    read_backup "$1"
    [[ "$(file_image)" == "$FILE_IMAGE" ]] || return 1
    ids="$(service_containers)" || die "cannot tell the containers of $SERVICE"
    if [[ "$WAS" == absent ]]; then
        [[ -z "$ids" ]]
        return
    fi
    [[ -n "$ids" && "$ids" != *$'\n'* ]] || return 1
    look_at "$ids"
    [[ "$RUNS_ID" == "$WAS_IMAGE" && "$NAME" == "$WAS_NAME" ]] || return 1
    [[ "$RUNS_NAME" == "$RAN_AS" && "$(image_id "$RAN_AS")" == "$WAS_IMAGE" ]] || return 1
    case "$WAS/$STATE" in
        running/running) [[ "$HEALTH" != unhealthy ]] ;;
        sick/running | sick/restarting | stopped/created | stopped/exited) ;;
        *) return 1 ;;
    esac
}

# Brings back what was there before; may be cut off at any point and started again.
put_back() { # BACKUP
    read_backup "$1"
    phase restore 60
    if [[ "$WAS" == absent ]]; then
        set_file_image "$FILE_IMAGE"
        remove_containers_but none
        sync
        return
    fi
    give_name_back
    remove_containers_but "$WAS_CONTAINER"
    # As a rule these two are one. Where the container had been made before the file was edited, it is made so again.
    set_file_image "$RAN_AS"
    if [[ "$WAS" == stopped ]]; then
        up "$RAN_AS" --no-start
        compose stop "$SERVICE"
    else
        up "$RAN_AS" -d
    fi
    set_file_image "$FILE_IMAGE"
    phase verify-restored 80
    expect_restored
    sync
}

# Lets the image's name mean the image again that ran: a moving tag may have gone on.
give_name_back() {
    if [[ "$(image_id "$RAN_AS")" == "$WAS_IMAGE" ]]; then
        return
    fi
    if [[ "$RAN_AS" == *@* || "$RAN_AS" == sha256:* ]] || ! docker tag "$WAS_IMAGE" "$RAN_AS"; then
        docker pull "$RAN_AS" ||
            die "cannot put back $RAN_AS: its image $WAS_IMAGE is gone from this host and cannot be pulled"
    fi
}

# Removes what compose may leave when it is killed while it replaces a container; the old one gets its name back.
remove_containers_but() { # CONTAINER
    local ids id
    ids="$(service_containers)"
    for id in $ids; do
        [[ "$id" == "$1" ]] || docker rm -f "$id" > /dev/null
    done
    if grep -qxF -- "$1" <<< "$ids"; then
        look_at "$1"
        [[ "$NAME" == "$WAS_NAME" ]] || docker rename "$1" "$WAS_NAME"
    fi
}

expect_restored() {
    if [[ "$WAS" == running ]]; then
        expect_well "$WAS_IMAGE" "${STABLE_S:-10}"
        return
    fi
    find_container
    [[ -n "$CONTAINER" ]] || die "cannot put back $SERVICE: compose made no container"
    look_at "$CONTAINER"
    [[ "$RUNS_ID" == "$WAS_IMAGE" ]] || die "cannot put back $SERVICE: container $NAME runs $RUNS_ID, not $WAS_IMAGE"
    [[ "$WAS" == stopped ]] || say "container $NAME was not well before either, so it is only started again"
}

# Keeps the newest backups; removes the images that only the others named.
prune_containers_backups() {
    local pruned backup part images=()
    pruned="$(backups_to_prune)"
    while read -r backup; do
        [[ -n "$backup" ]] || continue
        for part in file-image new-image ran-as; do
            images+=("$(recorded "$backup" "$part")")
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
