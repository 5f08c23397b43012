#!/usr/bin/env bash
# Installs, upgrades and uninstalls the update coordinator on a Debian 12 or Raspberry Pi OS host.
# This file orders the steps of install/. Every step is idempotent: after a power cut, run the same
# command again.
# shellcheck source-path=SCRIPTDIR disable=SC2153 # RELEASE and RELEASES are two names
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8

HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
CHECKOUT=$(dirname "$HERE")
PYTHON=${PYTHON:-/usr/bin/python3} # Debian's own: apt updates it, and no other tool removes it

readonly UNIT=dunebugger-update-coordinator.service
readonly BASE=/opt/dunebugger
readonly HOME_FOLDER=$BASE/update-coordinator
readonly RELEASES=$HOME_FOLDER/releases
readonly CURRENT=$HOME_FOLDER/current
readonly RECORD=$HOME_FOLDER/installed.sha256
readonly SNAPSHOT=$HOME_FOLDER/before-upgrade
readonly COMMAND_LINK=/usr/local/bin/update-coordinator
readonly UNIT_FILE=/etc/systemd/system/$UNIT
readonly SYSUSERS_FILE=/etc/sysusers.d/dunebugger.conf
readonly TMPFILES_FILE=/etc/tmpfiles.d/dunebugger.conf
readonly CONFIGURATION=/etc/dunebugger/update-coordinator.toml
readonly STATE=/var/lib/dunebugger/update-coordinator
readonly GROUP=dunebugger
readonly COMPONENTS=(core scheduler remote)

usage() {
    cat << END
Usage: sudo packaging/install.sh [--wheelhouse DIR] [--upgrade]
       sudo packaging/install.sh --uninstall [--purge]

Without options: installs this checkout, or completes an interrupted installation of it. Changes only what differs.

  --wheelhouse DIR  take all packages from DIR without network; make wheelhouse fills one
  --upgrade         replace the installed release by this checkout and keep configuration and journal;
                    if the new release does not start, roll back to the old one
  --uninstall       remove everything except the journal
  --purge           with --uninstall: also remove the journal
  --help            this text

The environment variable PYTHON selects another interpreter than /usr/bin/python3.
Exit codes: 0 success, 1 failure, 2 usage error.
END
}

source "$HERE/install/output.sh"
source "$HERE/install/checks.sh"
source "$HERE/install/release.sh"
source "$HERE/install/files.sh"
source "$HERE/install/service.sh"
source "$HERE/install/upgrade.sh"
source "$HERE/install/uninstall.sh"

install_first() {
    check_host
    check_checkout
    select_release
    refuse_other_release
    finish_interrupted_upgrade
    build_release
    activate_release "$RELEASE"
    install_host_files "$RELEASE"
    start_if_needed || die_with_log "the service does not start" "fix the cause, then run this again"
    report
}

upgrade() {
    check_host
    check_checkout
    require_installed
    finish_interrupted_upgrade
    select_release
    build_release
    if [ "$(current_release)" != "$RELEASE" ]; then
        preflight_migration "$RELEASE"
        replace_release "$RELEASE"
    else
        install_host_files "$RELEASE"
    fi
    start_if_needed || die_with_log "the service does not start" "fix the cause, then run this again"
    prune_releases
    report
}

uninstall() {
    check_systemd
    refuse_running_scripts
    stop_and_disable
    remove_all
    if ((PURGE)); then purge_journal; fi
    report_leftovers
}

main() {
    local mode=install
    WHEELHOUSE='' PURGE=0
    while (($#)); do
        case $1 in
            --wheelhouse)
                (($# > 1)) || usage_error "--wheelhouse needs a folder"
                WHEELHOUSE=$2
                shift
                ;;
            --wheelhouse=*) WHEELHOUSE=${1#*=} ;;
            --upgrade) mode=upgrade ;;
            --uninstall) mode=uninstall ;;
            --purge) PURGE=1 ;;
            --help | -h)
                usage
                return 0
                ;;
            *) usage_error "unknown option $1" ;;
        esac
        shift
    done
    if ((PURGE)) && [ $mode != uninstall ]; then usage_error "--purge needs --uninstall"; fi
    readonly WHEELHOUSE PURGE
    check_root
    acquire_lock
    case $mode in
        install) install_first ;;
        upgrade) upgrade ;;
        uninstall) uninstall ;;
    esac
}

main "$@"
exit # uninstall may have removed this file: bash must not read further
