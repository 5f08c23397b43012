# shellcheck shell=bash
# shellcheck disable=SC2153 # RELEASE and RELEASES are two names, both set in other files
# Upgrade from one release to the next, with rollback. Everything that can fail is tried before the running service is
# stopped; $SNAPSHOT keeps what is changed after that until the new release stays up.

# Every file outside the releases that an upgrade may write.
HOST_FILES=("$UNIT_FILE" "$SYSUSERS_FILE" "$TMPFILES_FILE" "$RECORD" "$HOME_FOLDER/previous")
for _component in "${COMPONENTS[@]}"; do
    for _name in "${SCRIPT_NAMES[@]}"; do HOST_FILES+=("$BASE/$_component/$_name"{,.new}); done
done
readonly HOST_FILES

refuse_other_release() {
    local present
    present=$(current_release)
    [ -z "$present" ] || [ "$present" = "$RELEASE" ] ||
        die "install: release $(basename "$present") is installed, and this checkout differs from it" \
            "run: sudo $0 --upgrade"
}

require_installed() {
    [ -n "$(current_release)" ] || die "upgrade: no update coordinator is installed here" "run: sudo $0"
}

# $1: the new release. Migrates a copy of the journal, while the running coordinator keeps using the original.
preflight_migration() {
    say "checking configuration and journal with release $(basename "$1")"
    run_journal_tool "$1" rehearse "$CONFIGURATION" "$HOME_FOLDER/rehearsal" ||
        die "upgrade to release $(basename "$1"): it cannot use the configuration or journal (see the error above)" \
            "the current release keeps running; fix the cause, then run this again"
}

# $1: the release; the rest: the arguments of its own journal.py, which imports that release's modules.
run_journal_tool() {
    local release=$1
    shift
    "$release/bin/python" -I "$release/share/install/journal.py" "$@"
}

# $1: the new release. After the stop, every exit except success runs rollback.
replace_release() {
    say "stopping release $(basename "$(current_release)")"
    trap rollback EXIT
    trap 'exit 1' INT TERM HUP
    STOPPED_AT=$(date +%s)
    systemctl stop "$UNIT"
    snapshot "$1"
    basename "$(current_release)" > "$HOME_FOLDER/previous"
    activate_release "$1"
    install_host_files "$1"
    start_service || exit 1
    trap - EXIT INT TERM HUP
    discard_snapshot
}

# $1: the new release. The service is stopped, so that journal and host files do not change.
snapshot() {
    local file
    rm -rf "$SNAPSHOT" "$SNAPSHOT.part"
    mkdir -m 0700 "$SNAPSHOT.part" "$SNAPSHOT.part/host"
    run_journal_tool "$1" keep "$CONFIGURATION" "$SNAPSHOT.part"
    basename "$(current_release)" > "$SNAPSHOT.part/present"
    for file in "${HOST_FILES[@]}"; do
        if [ -f "$file" ]; then install -D -m "0$(stat -c %a "$file")" "$file" "$SNAPSHOT.part/host$file"; fi
    done
    sync --file-system "$SNAPSHOT.part"
    mv -T "$SNAPSHOT.part" "$SNAPSHOT"
    sync "$HOME_FOLDER"
}

discard_snapshot() {
    rm -rf "$SNAPSHOT" "$SNAPSHOT.part" "$HOME_FOLDER/rehearsal"
    sync "$HOME_FOLDER"
}

# The exit trap of a failed upgrade.
rollback() {
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    printf 'cannot upgrade to release %s: it could not be installed or did not stay up. %s\n' \
        "$(basename "$RELEASE")" "The last lines of the service's log:" >&2
    systemctl stop "$UNIT" # first: systemd must not restart it meanwhile
    journalctl --unit "$UNIT" --since "@$STOPPED_AT" --lines 20 --no-pager --output cat >&2
    if [ -d "$SNAPSHOT" ]; then restore "$RELEASE" "$RELEASES/$(< "$SNAPSHOT/present")" || exit 1; fi
    if start_service; then
        printf 'Release %s runs again, with the previous configuration and journal. %s\n' \
            "$(basename "$(current_release)")" "Fix the cause in the log, then run this again." >&2
        discard_snapshot
        exit 1
    fi
    die_with_log "release $(basename "$(current_release)") does not start again either" \
        "fix the cause, then: systemctl start $UNIT"
}

# $1: the new release, $2: the old one. The old journal is restored only when the new release has recorded nothing: a
# journal without a script that ran would let it run twice (I3).
restore() {
    if ((NEVER_READY)) || run_journal_tool "$1" unchanged "$CONFIGURATION" "$SNAPSHOT"; then
        run_journal_tool "$1" restore "$CONFIGURATION" "$SNAPSHOT" || note "the journal is left unchanged"
    elif ! run_journal_tool "$2" rehearse "$CONFIGURATION" "$HOME_FOLDER/rehearsal"; then
        printf 'cannot roll back to release %s: release %s has written to the journal, %s; %s\n' \
            "$(basename "$2")" "$(basename "$1")" "and the old one cannot read it" \
            "fix the cause in the log, then: systemctl start $UNIT" >&2
        systemctl start "$UNIT"
        return 1
    fi
    activate_release "$2"
    restore_host_files
}

restore_host_files() {
    local file
    for file in "${HOST_FILES[@]}"; do
        if [ -f "$SNAPSHOT/host$file" ]; then
            install_file "$SNAPSHOT/host$file" "$file" "0$(stat -c %a "$SNAPSHOT/host$file")"
        elif [[ $file == *.new || $file == "$HOME_FOLDER/previous" ]]; then
            rm -f "$file"
        fi
    done
    systemctl daemon-reload
}

# Completes or rolls back an upgrade that a power cut interrupted. The boot has started the release in `current`.
finish_interrupted_upgrade() {
    local old
    rm -rf "$SNAPSHOT.part" "$HOME_FOLDER/rehearsal"
    if [ ! -d "$SNAPSHOT" ]; then return; fi
    old=$RELEASES/$(< "$SNAPSHOT/present")
    say "an upgrade from release $(basename "$old") was interrupted"
    if ! is_service_active; then
        note "the service is down: rolling back to that release first"
        systemctl stop "$UNIT"
        NEVER_READY=0 # it may have been ready after the boot
        restore "$(current_release)" "$old" || exit 1
        start_service ||
            die_with_log "release $(basename "$old") does not start" "fix the cause, then run this again"
    elif [ "$(current_release)" = "$old" ]; then
        restore_host_files
    else
        note "the service is active with release $(basename "$(current_release)"): continuing from there"
    fi
    discard_snapshot
}
