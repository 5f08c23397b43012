# shellcheck shell=bash
# shellcheck disable=SC2034 # the other files of install.sh read these names
# Installs the files of a release on the host. Files that are up to date are not touched.

readonly SCRIPT_NAMES=(update.sh rollback.sh health-check.sh component.env)
SERVICE_CHANGED=0 # whether something that the service runs has changed

# $1: the release whose share/ is installed.
install_host_files() {
    local share=$1/share
    say "installing group, folders, configuration, component scripts and unit"
    install_file "$share/sysusers.conf" "$SYSUSERS_FILE"
    systemd-sysusers "$SYSUSERS_FILE"
    install_file "$share/tmpfiles.conf" "$TMPFILES_FILE"
    systemd-tmpfiles --create "$TMPFILES_FILE"
    if [ ! -e "$CONFIGURATION" ]; then
        install_file "$share/update-coordinator.toml" "$CONFIGURATION"
        SERVICE_CHANGED=1
    fi
    install_component_scripts "$share/component-scripts"
    install_command_link
    install_unit "$share/$UNIT"
}

# $1: source, $2: target, $3: mode. Replaces the target atomically unless it is the same. Sets FILE_CHANGED.
install_file() {
    local mode=${3:-0644}
    FILE_CHANGED=0
    if cmp --silent "$1" "$2" && [ "$(stat -c '0%a %u %g' "$2")" = "$mode 0 0" ]; then return 0; fi
    mkdir -p "$(dirname "$2")"
    install -m "$mode" -o root -g root "$1" "$2.part"
    sync "$2.part"
    mv -T "$2.part" "$2"
    sync "$(dirname "$2")"
    FILE_CHANGED=1
    note "$2"
}

# $1: source. systemd reads a changed unit only after daemon-reload.
install_unit() {
    install_file "$1" "$UNIT_FILE"
    if ((FILE_CHANGED)) || [ "$(systemctl show --property NeedDaemonReload --value "$UNIT")" = yes ]; then
        systemctl daemon-reload
        SERVICE_CHANGED=1
    fi
}

install_command_link() {
    local target=$CURRENT/bin/update-coordinator
    if [ "$(readlink "$COMMAND_LINK")" = "$target" ]; then return; fi
    if [ -e "$COMMAND_LINK" ] && [ ! -L "$COMMAND_LINK" ]; then
        die "create the link $COMMAND_LINK: a file with this name exists" "move it away and run this again"
    fi
    mkdir -p "$(dirname "$COMMAND_LINK")"
    ln -sfn "$target" "$COMMAND_LINK.part"
    mv -T "$COMMAND_LINK.part" "$COMMAND_LINK"
    note "$COMMAND_LINK"
}

# $1: the folder that has a folder per component.
install_component_scripts() {
    local component name
    for component in "${COMPONENTS[@]}"; do
        mkdir -p "$BASE/$component"
        for name in "${SCRIPT_NAMES[@]}"; do
            if [ -e "$1/$component/$name" ]; then
                install_component_script "$1/$component/$name" "$BASE/$component/$name"
            fi
        done
    done
}

# Like dpkg with configuration files: a file that the operator changed is kept, the release's own becomes FILE.new.
install_component_script() {
    local packaged=$1 installed=$2 mode=0755
    if [[ $installed == *.env ]]; then mode=0644; fi
    if [ ! -e "$installed" ] || is_unmodified "$installed"; then
        install_file "$packaged" "$installed" "$mode"
        rm -f "$installed.new"
    elif cmp --silent "$packaged" "$installed"; then
        rm -f "$installed.new"
    elif [ "$(file_digest "$packaged")" != "$(recorded_digest "$installed")" ]; then
        install_file "$packaged" "$installed.new" "$mode"
        note "kept $installed, which you changed; the new version is $installed.new: compare them"
    fi
    record_digest "$installed" "$(file_digest "$packaged")"
}

file_digest() {
    sha256sum "$1" | cut -d' ' -f1
}

is_unmodified() {
    [ "$(file_digest "$1")" = "$(recorded_digest "$1")" ]
}

# Prints the digest of the packaged file that was last installed, or offered as .new, under this name.
recorded_digest() {
    if [ -f "$RECORD" ]; then sed -n "s|^\([0-9a-f]\{64\}\)  $1\$|\1|p" "$RECORD"; fi
}

# $1: the file, $2: the digest of the packaged file.
record_digest() {
    if [ "$(recorded_digest "$1")" = "$2" ]; then return; fi
    {
        if [ -f "$RECORD" ]; then grep --invert-match --fixed-strings "  $1" "$RECORD" || true; fi
        printf '%s  %s\n' "$2" "$1"
    } | sort --key 2 > "$RECORD.part"
    sync "$RECORD.part"
    mv "$RECORD.part" "$RECORD"
}
