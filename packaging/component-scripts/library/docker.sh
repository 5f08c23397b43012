# shellcheck shell=bash
# The Docker engine, and docker compose or docker-compose.

COMPOSE=() # docker compose, or docker-compose

# Waits for the Docker engine, at most DOCKER_WAIT_S seconds: it may still start after a boot. Sets COMPOSE.
require_docker() {
    local began
    require_commands docker=docker.io flock=util-linux
    detect_compose
    began="$(uptime_s)"
    until docker version > /dev/null 2>&1; do
        if (($(uptime_s) - began >= ${DOCKER_WAIT_S:-30})); then
            docker version > /dev/null || true # once more, for its error text
            die "cannot reach the Docker engine within ${DOCKER_WAIT_S:-30} s (DOCKER_WAIT_S);" \
                "see: systemctl status docker"
        fi
        sleep 1
    done
}

detect_compose() {
    if docker compose version > /dev/null 2>&1; then
        COMPOSE=(docker compose)
    elif command -v docker-compose > /dev/null; then
        COMPOSE=(docker-compose)
    else
        die "cannot find compose: neither 'docker compose' nor 'docker-compose' is installed;" \
            "install one: apt-get install docker-compose (with Docker's own packages: docker-compose-plugin)"
    fi
}

compose() { # ARGUMENT...
    local override files=(-f "$COMPOSE_YAML")
    # With -f, compose does not read the override file that it reads by default.
    for override in "${COMPOSE_YAML%.*}".override.{yml,yaml}; do
        [[ ! -f "$override" ]] || files+=(-f "$override")
    done
    [[ -z "${PROJECT:-}" ]] || files+=(-p "$PROJECT")
    "${COMPOSE[@]}" "${files[@]}" "$@"
}

# Starts the service from the image that the compose file names; the image must be on the host.
compose_up() { # IMAGE [OPTION...]
    local options=(--no-deps --no-build)
    [[ -n "$(image_id "$1")" ]] || die "cannot start $SERVICE: the image $1 is not on this host; docker pull $1"
    if [[ "$("${COMPOSE[@]}" up --help)" == *--pull* ]]; then
        options+=(--pull never) # docker-compose 1 never pulls an image that is present, and has no such option
    fi
    compose up "${@:2}" "${options[@]}" "$SERVICE"
}

# Prints the id of the image that a name refers to on this host, or nothing.
image_id() { # IMAGE
    docker image inspect --format '{{.Id}}' -- "$1" 2> /dev/null || true
}

# Prints the ids of the service's containers, including stopped ones, without those of `compose run`.
list_containers() {
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
    ids="$(list_containers)"
    [[ "$ids" != *$'\n'* ]] ||
        die "cannot choose a container of $SERVICE: there are $(wc -l <<< "$ids"); keep one:" \
            "docker ps -a, then docker rm"
    CONTAINER="$ids"
}

# Sets STATE HEALTH RESTARTS EXIT_CODE RUNS_ID RUNS_NAME NAME of a container.
inspect_container() { # CONTAINER
    local seen format='{{.State.Status}}|{{with .State.Health}}{{.Status}}{{else}}none{{end}}|{{.RestartCount}}'
    format+='|{{.State.ExitCode}}|{{.Image}}|{{.Config.Image}}|{{.Name}}'
    seen="$(docker container inspect --format "$format" "$1")" || return 1
    # shellcheck disable=SC2034  # the caller reads them
    IFS='|' read -r STATE HEALTH RESTARTS EXIT_CODE RUNS_ID RUNS_NAME NAME <<< "$seen"
    NAME="${NAME#/}"
}

# Waits, at most HEALTH_TIMEOUT_S seconds, until the container is healthy, or has stayed up when it has no health
# check. Exits when that fails, or when the container runs another image.
wait_until_healthy() { # IMAGE_ID SECONDS_TO_STAY_UP
    local image="$1" stay="$2" began restarts up
    find_container
    [[ -n "$CONTAINER" ]] || die "cannot find a container of $SERVICE; start it: ${COMPOSE[*]} up -d $SERVICE"
    inspect_container "$CONTAINER"
    [[ "$RUNS_ID" == "$image" ]] ||
        die "cannot accept container $NAME: it runs the image $RUNS_ID, not $image;" \
            "check whether an override file names an image for it"
    restarts="$RESTARTS"
    began="$(uptime_s)"
    while inspect_container "$CONTAINER"; do
        up="$(($(uptime_s) - began))"
        [[ "$STATE" == running && "$RESTARTS" == "$restarts" ]] ||
            show_logs_and_die "cannot accept container $NAME:" \
                "it does not stay up, it is $STATE, exit code $EXIT_CODE," \
                "$RESTARTS restarts"
        [[ "$HEALTH" != unhealthy ]] || show_logs_and_die "cannot accept container $NAME: its health check fails"
        [[ "$HEALTH" != healthy ]] || return 0
        [[ "$HEALTH" != none || "$up" -lt "$stay" ]] || return 0
        [[ "$up" -lt "${HEALTH_TIMEOUT_S:-120}" ]] ||
            show_logs_and_die "cannot accept container $NAME:" \
                "it is not healthy within ${HEALTH_TIMEOUT_S:-120} s (HEALTH_TIMEOUT_S)"
        sleep 0.5
    done
    die "cannot accept container $NAME of $SERVICE: it was removed meanwhile; repeat the request"
}

show_logs_and_die() { # MESSAGE
    warn "the last lines of its log:"
    docker logs --tail 20 "$CONTAINER" 2>&1 | sed 's/^/  | /' >&2 || true
    docker container inspect --format '{{with .State.Health}}{{range .Log}}{{println .Output}}{{end}}{{end}}' \
        "$CONTAINER" | sed '/^$/d; s/^/  health check | /' | tail -n 5 >&2 || true
    die "$*; for the whole log run: docker logs $NAME"
}
