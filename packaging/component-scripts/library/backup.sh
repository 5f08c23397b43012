# shellcheck shell=bash
# Backups: one folder per request under the component's backups/, with the state before that request.
# A folder named after a request is complete: it is written under another name, synced to disk, then renamed.

BACKUP_FOLDER="$HERE/backups"
PRUNED_LIST="$BACKUP_FOLDER/.pruned"
PRUNED_KEPT=1000

backup_path() { # ID
    printf '%s/%s\n' "$BACKUP_FOLDER" "$1"
}

# Prints one value that a backup recorded.
backup_value() { # BACKUP NAME
    cat "$1/$2"
}

# Starts a backup; the caller writes its files into $BACKUP_DRAFT.
begin_backup() {
    local newest serial=0
    mkdir -p "$BACKUP_FOLDER"
    chmod 0700 "$BACKUP_FOLDER" # a compose file may hold secrets
    newest="$(list_backups)"
    newest="${newest%%$'\n'*}"
    [[ -z "$newest" ]] || serial="$(backup_value "$newest" serial)"
    BACKUP_DRAFT="$BACKUP_FOLDER/.draft"
    rm -rf "$BACKUP_DRAFT"
    mkdir "$BACKUP_DRAFT"
    # A counter, not a date: the clock of a host without a battery jumps.
    printf '%s\n' "$((serial + 1))" > "$BACKUP_DRAFT/serial"
}

# Makes the draft durable and renames it to the backup of ID.
finish_backup() { # ID
    sync "$BACKUP_DRAFT"/* "$BACKUP_DRAFT"
    mv -T "$BACKUP_DRAFT" "$(backup_path "$1")"
    sync "$BACKUP_FOLDER" "$HERE"
}

# Prints the folders of all complete backups, newest first.
list_backups() {
    local folder
    for folder in "$BACKUP_FOLDER"/*; do
        if [[ -f "$folder/serial" ]]; then
            printf '%s %s\n' "$(< "$folder/serial")" "$folder"
        fi
    done | sort -rn | cut -d ' ' -f 2-
}

# Prints the backups beyond the newest $BACKUPS, never that of the current request.
list_backups_to_prune() {
    list_backups | tail -n "+$((${BACKUPS:-5} + 1))" | grep -vxF -- "$(backup_path "$REQUEST")" || true
}

# Removes a backup and records its id: a later rollback of that request must not report that nothing was changed.
prune_backup() { # BACKUP
    local list="$PRUNED_LIST.new"
    { cat "$PRUNED_LIST" 2> /dev/null || true; printf '%s\n' "${1##*/}"; } | tail -n "$PRUNED_KEPT" > "$list"
    sync "$list"
    mv -T "$list" "$PRUNED_LIST"
    rm -rf "$BACKUP_FOLDER/.gone"
    mv -T "$1" "$BACKUP_FOLDER/.gone" # atomic: a partly removed backup never has a request's name
    sync "$BACKUP_FOLDER"
    rm -rf "$BACKUP_FOLDER/.gone"
}

# Sets BACKUP to the backup of $UPDATE_ROLLBACK_OF. Exits with 0 when that request changed nothing.
find_backup_to_restore() {
    local of="${UPDATE_ROLLBACK_OF:-}" known
    if [[ -z "$of" ]]; then
        known="$(list_backups | sed 's:.*/:  :')"
        warn "cannot roll back: UPDATE_ROLLBACK_OF names no request. Those with a backup here, newest first:"
        die "${known:-  none}"
    fi
    validate_request_id "$of"
    BACKUP="$(backup_path "$of")"
    if [[ -d "$BACKUP" ]]; then
        return
    fi
    if grep -qsxF -- "$of" "$PRUNED_LIST"; then
        die "cannot roll back request $of: its backup was removed, the newest BACKUPS=${BACKUPS:-5} are kept;" \
            "request an update to the wanted version instead"
    fi
    say "request $of changed nothing, so nothing is restored"
    exit 0
}
