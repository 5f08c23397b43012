# shellcheck shell=bash
# shellcheck disable=SC2034 # names that the other files of install.sh read
# Puts what a release brings where the host looks for it. What is in order already is left alone.

readonly SCRIPT_NAMES=(update.sh rollback.sh health-check.sh component.env)
SERVICE_CHANGED=0 # whether something that the service runs is another than before

# $1: the release whose share/ is placed.
place_host_files() {
    local share=$1/share
    say "placing group, folders, configuration, component scripts and unit"
    place "$share/sysusers.conf" "$SYSUSERS_FILE"
    systemd-sysusers "$SYSUSERS_FILE"
    place "$share/tmpfiles.conf" "$TMPFILES_FILE"
    systemd-tmpfiles --create "$TMPFILES_FILE"
    if [ ! -e "$CONFIGURATION" ]; then
        place "$share/update-coordinator.toml" "$CONFIGURATION"
        SERVICE_CHANGED=1
    fi
    place_scripts "$share/component-scripts"
    place_command
    place_unit "$share/$UNIT"
}

# $1: source, $2: target, $3: mode. Replaces the target whole, unless it is the same already. PLACED tells.
place() {
    local mode=${3:-0644}
    PLACED=0
    if cmp --silent "$1" "$2" && [ "$(stat -c '0%a %u %g' "$2")" = "$mode 0 0" ]; then return 0; fi
    mkdir -p "$(dirname "$2")"
    install -m "$mode" -o root -g root "$1" "$2.part"
    sync "$2.part"
    mv -T "$2.part" "$2"
    sync "$(dirname "$2")"
    PLACED=1
    note "$2"
}

# $1: source. systemd looks at a changed unit only when told to.
place_unit() {
    place "$1" "$UNIT_FILE"
    if ((PLACED)) || [ "$(systemctl show --property NeedDaemonReload --value "$UNIT")" = yes ]; then
        systemctl daemon-reload
        SERVICE_CHANGED=1
    fi
}

place_command() {
    local target=$CURRENT/bin/update-coordinator
    if [ "$(readlink "$COMMAND_LINK")" = "$target" ]; then return; fi
    if [ -e "$COMMAND_LINK" ] && [ ! -L "$COMMAND_LINK" ]; then
        die "make the link $COMMAND_LINK: a file that is not ours has the name" "move it away and run this again"
    fi
    mkdir -p "$(dirname "$COMMAND_LINK")"
    ln -sfn "$target" "$COMMAND_LINK.part"
    mv -T "$COMMAND_LINK.part" "$COMMAND_LINK"
    note "$COMMAND_LINK"
}

# $1: the folder with a folder per component.
place_scripts() {
    local component name
    for component in "${COMPONENTS[@]}"; do
        mkdir -p "$BASE/$component"
        for name in "${SCRIPT_NAMES[@]}"; do
            if [ -e "$1/$component/$name" ]; then place_script "$1/$component/$name" "$BASE/$component/$name"; fi
        done
    done
}

# As dpkg treats configuration files: what the operator changed since we placed it is kept, and ours is put beside it.
place_script() {
    local ours=$1 theirs=$2 mode=0755
    if [[ $theirs == *.env ]]; then mode=0644; fi
    if [ ! -e "$theirs" ] || is_as_recorded "$theirs"; then
        place "$ours" "$theirs" "$mode"
        rm -f "$theirs.new"
    elif cmp --silent "$ours" "$theirs"; then
        rm -f "$theirs.new"
    elif [ "$(digest_of "$ours")" != "$(recorded "$theirs")" ]; then
        place "$ours" "$theirs.new" "$mode"
        note "kept $theirs, which you changed; this release's is $theirs.new: compare them"
    fi
    record "$theirs" "$(digest_of "$ours")"
}

digest_of() {
    sha256sum "$1" | cut -d' ' -f1
}

is_as_recorded() {
    [ "$(digest_of "$1")" = "$(recorded "$1")" ]
}

# Prints the digest of what was last placed, or offered, under this name.
recorded() {
    if [ -f "$RECORD" ]; then sed -n "s|^\([0-9a-f]\{64\}\)  $1\$|\1|p" "$RECORD"; fi
}

# $1: the file, $2: the digest of what the release has for it.
record() {
    if [ "$(recorded "$1")" = "$2" ]; then return; fi
    {
        if [ -f "$RECORD" ]; then grep --invert-match --fixed-strings "  $1" "$RECORD" || true; fi
        printf '%s  %s\n' "$2" "$1"
    } | sort --key 2 > "$RECORD.part"
    sync "$RECORD.part"
    mv "$RECORD.part" "$RECORD"
}
