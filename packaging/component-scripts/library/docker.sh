# shellcheck shell=bash
# Docker and compose, whichever of its two commands is there.

COMPOSE=() # docker compose, or docker-compose

# Waits for the Docker engine, which may still be starting after a boot, and chooses the compose command.
need_docker() {
    local began
    need_commands docker=docker.io flock=util-linux
    choose_compose
    began="$(uptime_s)"
    until docker version > /dev/null 2>&1; do
        if (($(uptime_s) - began >= ${DOCKER_WAIT_S:-30})); then
            docker version > /dev/null || true # once more, for its words
            die "cannot reach the Docker engine; see: systemctl status docker"
        fi
        sleep 1
    done
}

choose_compose() {
    if docker compose version > /dev/null 2>&1; then
        COMPOSE=(docker compose)
    elif command -v docker-compose > /dev/null; then
        COMPOSE=(docker-compose)
    else
        die "cannot find compose: neither 'docker compose' nor 'docker-compose' is there;" \
            "install one: apt-get install docker-compose (with Docker's own packages: docker-compose-plugin)"
    fi
}

compose() { # ARGUMENT...
    local override files=(-f "$COMPOSE_YAML")
    # With -f, compose no longer looks for the override file that it takes by itself without.
    for override in "${COMPOSE_YAML%.*}".override.{yml,yaml}; do
        [[ ! -f "$override" ]] || files+=(-f "$override")
    done
    [[ -z "${PROJECT:-}" ]] || files+=(-p "$PROJECT")
    "${COMPOSE[@]}" "${files[@]}" "$@"
}

# Starts the service from the image that the compose file names, which must be here already.
up() { # IMAGE [OPTION...]
    local options=(--no-deps --no-build)
    [[ -n "$(image_id "$1")" ]] || die "cannot start $SERVICE: the image $1 is not on this host; docker pull $1"
    if [[ "$("${COMPOSE[@]}" up --help)" == *--pull* ]]; then
        options+=(--pull never) # docker-compose 1 never pulls an image that is there, and knows no such option
    fi
    compose up "${@:2}" "${options[@]}" "$SERVICE"
}

# Prints the id that an image's name means on this host, or nothing.
image_id() { # IMAGE
    docker image inspect --format '{{.Id}}' -- "$1" 2> /dev/null || true
}

# Prints the ids of the service's containers, stopped ones too; not those of `compose run`.
service_containers() {
    local ids id label=com.docker.compose.oneoff
    ids="$(compose ps -a -q "$SERVICE")" || return 1
    for id in $ids; do
        docker container inspect --format "{{if ne (index .Config.Labels \"$label\") \"True\"}}{{.Id}}{{end}}" "$id" ||
            return 1
    done | sort -u | sed '/^$/d'
}

# Sets CONTAINER to the id of the service's container, or to nothing.
find_container() {
    local ids
    ids="$(service_containers)"
    [[ "$ids" != *$'\n'* ]] ||
        die "cannot tell which container of $SERVICE is meant: there are $(wc -l <<< "$ids"); keep one:" \
            "docker ps -a, then docker rm"
    CONTAINER="$ids"
}

# Sets STATE HEALTH RESTARTS EXIT_CODE RUNS_ID RUNS_NAME NAME from what the engine tells of a container.
look_at() { # CONTAINER
    local seen format='{{.State.Status}}|{{with .State.Health}}{{.Status}}{{else}}none{{end}}|{{.RestartCount}}'
    format+='|{{.State.ExitCode}}|{{.Image}}|{{.Config.Image}}|{{.Name}}'
    seen="$(docker container inspect --format "$format" "$1")" || return 1
    # shellcheck disable=SC2034  # they are read where this is called
    IFS='|' read -r STATE HEALTH RESTARTS EXIT_CODE RUNS_ID RUNS_NAME NAME <<< "$seen"
    NAME="${NAME#/}"
}

# Ends the script unless the container runs that image and is healthy, or stays up where it has no health check.
expect_well() { # IMAGE_ID SECONDS_TO_STAY_UP
    local image="$1" stay="$2" began restarts up
    find_container
    [[ -n "$CONTAINER" ]] || die "cannot find a container of $SERVICE; start it: ${COMPOSE[*]} up -d $SERVICE"
    look_at "$CONTAINER"
    [[ "$RUNS_ID" == "$image" ]] ||
        die "cannot accept container $NAME: it runs the image $RUNS_ID, not $image;" \
            "does another file name an image for it?"
    restarts="$RESTARTS"
    began="$(uptime_s)"
    while look_at "$CONTAINER"; do
        up="$(($(uptime_s) - began))"
        [[ "$STATE" == running && "$RESTARTS" == "$restarts" ]] ||
            show_logs_and_die "container $NAME does not stay up: it is $STATE, exit code $EXIT_CODE," \
                "$RESTARTS restarts"
        [[ "$HEALTH" != unhealthy ]] || show_logs_and_die "container $NAME runs, but its health check fails"
        [[ "$HEALTH" != healthy ]] || return 0
        [[ "$HEALTH" != none || "$up" -lt "$stay" ]] || return 0
        [[ "$up" -lt "${HEALTH_TIMEOUT_S:-120}" ]] ||
            show_logs_and_die "container $NAME is not healthy within ${HEALTH_TIMEOUT_S:-120} s (HEALTH_TIMEOUT_S)"
        sleep 0.5
    done
    die "container $NAME of $SERVICE is gone; did somebody remove it?"
}

show_logs_and_die() { # WORDS
    warn "its last lines:"
    docker logs --tail 20 "$CONTAINER" 2>&1 | sed 's/^/  | /' >&2 || true
    docker container inspect --format '{{with .State.Health}}{{range .Log}}{{println .Output}}{{end}}{{end}}' \
        "$CONTAINER" | sed '/^$/d; s/^/  health check | /' | tail -n 5 >&2 || true
    die "$*; the whole log: docker logs $NAME"
}
