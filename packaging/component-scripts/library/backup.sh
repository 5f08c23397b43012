# shellcheck shell=bash
# Backups: one folder per request under the component's backups/, holding what was there before that request.
# A folder that bears a request's name is whole: it is written under another name, made durable, then renamed.

BACKUP_FOLDER="$HERE/backups"
PRUNED_LIST="$BACKUP_FOLDER/.pruned"
PRUNED_KEPT=1000

backup_of() { # ID
    printf '%s/%s\n' "$BACKUP_FOLDER" "$1"
}

# Prints one recorded value of a backup.
recorded() { # BACKUP NAME
    cat "$1/$2"
}

# Starts a backup; its files are then written into $BACKUP_DRAFT.
begin_backup() {
    local newest serial=0
    mkdir -p "$BACKUP_FOLDER"
    chmod 0700 "$BACKUP_FOLDER" # a compose file may hold secrets
    newest="$(backups_newest_first)"
    newest="${newest%%$'\n'*}"
    [[ -z "$newest" ]] || serial="$(recorded "$newest" serial)"
    BACKUP_DRAFT="$BACKUP_FOLDER/.draft"
    rm -rf "$BACKUP_DRAFT"
    mkdir "$BACKUP_DRAFT"
    # Counted, not dated: the clock of a host without a battery jumps.
    printf '%s\n' "$((serial + 1))" > "$BACKUP_DRAFT/serial"
}

finish_backup() { # ID
    sync "$BACKUP_DRAFT"/* "$BACKUP_DRAFT"
    mv -T "$BACKUP_DRAFT" "$(backup_of "$1")"
    sync "$BACKUP_FOLDER" "$HERE"
}

backups_newest_first() {
    local folder
    for folder in "$BACKUP_FOLDER"/*; do
        if [[ -f "$folder/serial" ]]; then
            printf '%s %s\n' "$(< "$folder/serial")" "$folder"
        fi
    done | sort -rn | cut -d ' ' -f 2-
}

# Prints the backups beyond the newest $BACKUPS, but never that of the running request.
backups_to_prune() {
    backups_newest_first | tail -n "+$((${BACKUPS:-5} + 1))" | grep -vxF -- "$(backup_of "$REQUEST")" || true
}

# Removes a backup, remembering its id: a rollback of it must not say that nothing had been changed.
prune_backup() { # BACKUP
    local list="$PRUNED_LIST.new"
    { cat "$PRUNED_LIST" 2> /dev/null || true; printf '%s\n' "${1##*/}"; } | tail -n "$PRUNED_KEPT" > "$list"
    sync "$list"
    mv -T "$list" "$PRUNED_LIST"
    rm -rf "$BACKUP_FOLDER/.gone"
    mv -T "$1" "$BACKUP_FOLDER/.gone" # at once: half a backup never bears a request's name
    sync "$BACKUP_FOLDER"
    rm -rf "$BACKUP_FOLDER/.gone"
}

# Sets BACKUP to what was there before the request that is to be undone. Ends the script where nothing is to be done.
find_backup_to_restore() {
    local of="${UPDATE_ROLLBACK_OF:-}" known
    if [[ -z "$of" ]]; then
        known="$(backups_newest_first | sed 's:.*/:  :')"
        die "cannot roll back: UPDATE_ROLLBACK_OF names no request. Those with a backup here, newest first:"$'\n'"${known:-  none}"
    fi
    check_id "$of"
    BACKUP="$(backup_of "$of")"
    if [[ -d "$BACKUP" ]]; then
        return
    fi
    if grep -qsxF -- "$of" "$PRUNED_LIST"; then
        die "cannot roll back request $of: its backup made room for newer ones (BACKUPS=${BACKUPS:-5} are kept);" \
            "ask for an update to the wanted version instead"
    fi
    say "request $of changed nothing here, so nothing is put back"
    exit 0
}
