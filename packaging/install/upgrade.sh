# shellcheck shell=bash
# shellcheck disable=SC2153 # RELEASE and RELEASES are two names, both set elsewhere
# From one release to the next, and back. All that can fail is tried before the running service is touched; what is
# touched then is kept in $KEPT until the new release has shown that it lives.

# Every file outside the releases that an upgrade may write.
HOST_FILES=("$UNIT_FILE" "$SYSUSERS_FILE" "$TMPFILES_FILE" "$RECORD" "$HOME_FOLDER/previous"
    "$BASE"/{core,scheduler,remote}/{update.sh,rollback.sh,health-check.sh,component.env}{,.new})
readonly HOST_FILES

refuse_other_release() {
    local present
    present=$(current_release)
    [ -z "$present" ] || [ "$present" = "$RELEASE" ] ||
        die "install: release $(basename "$present") is installed, and this checkout is another" \
            "run: sudo $0 --upgrade"
}

require_installed() {
    [ -n "$(current_release)" ] || die "upgrade: no update coordinator is installed here" "run: sudo $0"
}

# $1: the release. The journal is copied while the present coordinator works on it.
rehearse() {
    say "trying configuration and journal with release $(basename "$1")"
    journal_tool "$1" rehearse "$CONFIGURATION" "$HOME_FOLDER/rehearsal" ||
        die "upgrade to release $(basename "$1"): it cannot go on with what is here (its words are above)" \
            "the present release runs on unchanged; mend that, then run this again"
}

# $1: the release whose interpreter and libraries do it; the rest: the tool's arguments.
journal_tool() {
    local release=$1
    shift
    "$release/bin/python" -I "$HERE/install/journal.py" "$@"
}

# $1: the new release. From the stop on, every way out but success leads back.
replace_release() {
    say "stopping release $(basename "$(current_release)")"
    trap go_back EXIT
    trap 'exit 1' INT TERM HUP
    STOPPED_AT=$(date +%s)
    systemctl stop "$UNIT"
    keep_present "$1"
    basename "$(current_release)" > "$HOME_FOLDER/previous"
    switch_to "$1"
    place_host_files "$1"
    start_service || exit 1
    trap - EXIT INT TERM HUP
    forget_kept
}

# $1: the release to come. The service is stopped: journal and host files stand still.
keep_present() {
    local file
    rm -rf "$KEPT" "$KEPT.part"
    mkdir -m 0700 "$KEPT.part" "$KEPT.part/host"
    journal_tool "$1" keep "$CONFIGURATION" "$KEPT.part"
    basename "$(current_release)" > "$KEPT.part/present"
    for file in "${HOST_FILES[@]}"; do
        if [ -f "$file" ]; then install -D -m "0$(stat -c %a "$file")" "$file" "$KEPT.part/host$file"; fi
    done
    sync --file-system "$KEPT.part"
    mv -T "$KEPT.part" "$KEPT"
    sync "$HOME_FOLDER"
}

forget_kept() {
    rm -rf "$KEPT" "$KEPT.part" "$HOME_FOLDER/rehearsal"
    sync "$HOME_FOLDER"
}

# On the way out of a replacement that failed.
go_back() {
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    printf 'cannot upgrade to release %s: it could not be put in place, or did not stay up. %s\n' \
        "$(basename "$RELEASE")" "The last lines of the service's log:" >&2
    systemctl stop "$UNIT" # first: it must not come up by itself meanwhile
    journalctl --unit "$UNIT" --since "@$STOPPED_AT" --lines 20 --no-pager --output cat >&2
    if [ -d "$KEPT" ]; then put_back "$RELEASE" "$RELEASES/$(< "$KEPT/present")" || exit 1; fi
    if start_service; then
        printf 'Release %s runs again, with configuration and journal as before. %s\n' \
            "$(basename "$(current_release)")" "Mend what the log says, then run this again." >&2
        forget_kept
        exit 1
    fi
    die_with_log "release $(basename "$(current_release)") does not start again either" \
        "mend what it says, then: systemctl start $UNIT"
}

# $1: the new release, $2: the old one. The old journal is put back only when the new release has done nothing with it:
# a journal that forgets a script that ran would let it run twice (I3).
put_back() {
    if ((NEVER_READY)) || journal_tool "$1" unchanged "$CONFIGURATION" "$KEPT"; then
        journal_tool "$1" restore "$CONFIGURATION" "$KEPT" || note "the journal stays as it is"
    elif ! journal_tool "$2" rehearse "$CONFIGURATION" "$HOME_FOLDER/rehearsal"; then
        printf 'cannot go back to release %s: release %s has worked with the journal, %s; %s\n' \
            "$(basename "$2")" "$(basename "$1")" "and the old one cannot read it" \
            "mend what the log says, then: systemctl start $UNIT" >&2
        systemctl start "$UNIT"
        return 1
    fi
    switch_to "$2"
    put_host_files_back
}

put_host_files_back() {
    local file
    for file in "${HOST_FILES[@]}"; do
        if [ -f "$KEPT/host$file" ]; then
            place "$KEPT/host$file" "$file" "0$(stat -c %a "$KEPT/host$file")"
        elif [[ $file == *.new || $file == "$HOME_FOLDER/previous" ]]; then
            rm -f "$file"
        fi
    done
    systemctl daemon-reload
}

# An upgrade that a power cut ended: the boot has started whichever release `current` named then.
finish_interrupted_upgrade() {
    local old
    rm -rf "$KEPT.part" "$HOME_FOLDER/rehearsal"
    if [ ! -d "$KEPT" ]; then return; fi
    old=$RELEASES/$(< "$KEPT/present")
    say "an upgrade from release $(basename "$old") was cut off"
    if ! is_active; then
        note "the service is down: going back to that release first"
        systemctl stop "$UNIT"
        NEVER_READY=0 # the boot may have seen it ready
        put_back "$(current_release)" "$old" || exit 1
        start_service ||
            die_with_log "release $(basename "$old") does not start" "mend what it says, then run this again"
    elif [ "$(current_release)" = "$old" ]; then
        put_host_files_back
    else
        note "the service is up with release $(basename "$(current_release)"): going on from there"
    fi
    forget_kept
}
