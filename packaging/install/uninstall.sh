# shellcheck shell=bash
# Uninstalls the coordinator. The record of installed files is removed last, so that a second run completes the first.

LEFTOVERS=()

# A script runs in a unit of its own and survives the stop of the service, but needs its files and the coordinator.
refuse_running_scripts() {
    local running
    running=$(systemctl list-units --plain --no-legend --state active,activating,deactivating,reloading \
        'dunebugger-request-*.service' | cut -d' ' -f1 | paste -sd' ')
    [ -z "$running" ] || die "uninstall: a script is running ($running)" \
        "wait until it has ended (systemctl status $running), then run this again"
}

stop_and_disable() {
    say "stopping the service"
    if ! systemctl stop "$UNIT" 2> /dev/null && is_service_active; then
        die "stop $UNIT" "see: systemctl status $UNIT"
    fi
    ( refuse_running_scripts ) || {
        systemctl start "$UNIT"
        exit 1
    }
    systemctl --quiet disable "$UNIT" 2> /dev/null || true
}

remove_all() {
    say "removing unit, configuration, log, shared folders, unchanged component scripts and releases"
    remove_scripts
    rm -rf "$UNIT_FILE" "$UNIT_FILE.d" "$UNIT_FILE.part"
    systemctl daemon-reload
    systemctl reset-failed "$UNIT" 2> /dev/null || true
    find_custom_folders
    rm -rf /var/dunebugger/updates
    rm -f "$CONFIGURATION" "$CONFIGURATION.part" "$TMPFILES_FILE" "$SYSUSERS_FILE"
    rm -f /var/log/dunebugger/update-coordinator{,.*}.log
    rmdir --ignore-fail-on-non-empty \
        /var/dunebugger /var/log/dunebugger /etc/dunebugger /etc/sysusers.d 2> /dev/null || true
    if [ "$(readlink "$COMMAND_LINK")" = "$CURRENT/bin/update-coordinator" ]; then rm -f "$COMMAND_LINK"; fi
    remove_group
    rm -rf "$HOME_FOLDER"
    rmdir --ignore-fail-on-non-empty "$BASE" 2> /dev/null || true
}

remove_scripts() {
    local component name file
    for component in "${COMPONENTS[@]}"; do
        for name in "${SCRIPT_NAMES[@]}"; do
            file=$BASE/$component/$name
            rm -f "$file.new" "$file.part"
            if [ ! -e "$file" ]; then continue; fi
            if is_unmodified "$file"; then
                rm -f "$file"
            else
                LEFTOVERS+=("$file: you changed it")
            fi
        done
        rmdir --ignore-fail-on-non-empty "$BASE/$component" 2> /dev/null || true
    done
}

# Folders that the operator chose are not removed.
find_custom_folders() {
    local key path release
    release=$(current_release)
    if [ -z "$release" ]; then return; fi
    while read -r key path; do
        case $path in
            /var/dunebugger/updates/requests | /var/dunebugger/updates/status | "$STATE") ;;
            /var/log/dunebugger/update-coordinator.log) ;;
            *) LEFTOVERS+=("$path: configured as paths.$key") ;;
        esac
    done < <(run_journal_tool "$release" paths "$CONFIGURATION" 2> /dev/null || true)
}

remove_group() {
    if getent group "$GROUP" > /dev/null && ! groupdel "$GROUP" 2> /dev/null; then
        LEFTOVERS+=("group $GROUP: it is the primary group of a user; change that, then remove it with groupdel $GROUP")
    fi
}

purge_journal() {
    say "removing the journal"
    rm -rf "$STATE"
    rmdir --ignore-fail-on-non-empty "$(dirname "$STATE")" 2> /dev/null || true
}

report_leftovers() {
    local path
    if [ -d "$STATE" ]; then LEFTOVERS+=("$STATE: the journal; --uninstall --purge removes it"); fi
    for path in "$BASE/docker-compose.yml" "$BASE"/*/backups "$BASE"/core/{releases,current}; do
        if [ -e "$path" ]; then LEFTOVERS+=("$path: it belongs to the components"); fi
    done
    say "the update coordinator is uninstalled"
    if ((${#LEFTOVERS[@]})); then
        note "Not removed:"
        for path in "${LEFTOVERS[@]}"; do note "  $path"; done
    fi
}
