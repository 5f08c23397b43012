# shellcheck shell=bash
# Backups: one folder per request under the component's backups/, holding what was there before that request.
# A folder that has its name is whole: it is written under another name, made durable, then renamed.

BACKUP_FOLDER="$HERE/backups"

backup_of() { # ID
    printf '%s/%s\n' "$BACKUP_FOLDER" "$1"
}

# Prints one recorded value of a backup.
recorded() { # BACKUP NAME
    cat "$1/$2"
}

# Starts a backup; its files are then written into $BACKUP_DRAFT.
begin_backup() {
    BACKUP_DRAFT="$BACKUP_FOLDER/.draft"
    mkdir -p "$BACKUP_FOLDER"
    chmod 0700 "$BACKUP_FOLDER" # a compose file may hold secrets
    rm -rf "$BACKUP_DRAFT"
    mkdir "$BACKUP_DRAFT"
    next_serial > "$BACKUP_DRAFT/serial"
}

finish_backup() { # ID
    sync "$BACKUP_DRAFT"/* "$BACKUP_DRAFT"
    mv -T "$BACKUP_DRAFT" "$(backup_of "$1")"
    sync "$BACKUP_FOLDER" "$HERE"
}

# The order of backups is counted, for the clock of a host without a battery jumps.
next_serial() {
    local newest
    newest="$(backups_newest_first | head -n 1)"
    printf '%s\n' "$(($(recorded "${newest:-/dev}" "${newest:+serial}${newest:-null}" 2> /dev/null || true) + 1))"
}

backups_newest_first() {
    local folder
    for folder in "$BACKUP_FOLDER"/*/; do
        [[ -f "$folder/serial" ]] && printf '%s %s\n' "$(< "$folder/serial")" "${folder%/}"
    done | sort -rn | cut -d ' ' -f 2-
}
