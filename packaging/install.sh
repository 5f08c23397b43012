#!/usr/bin/env bash
# Installs the update coordinator on a Debian 12 or Raspberry Pi OS host, upgrades it, and takes it off again.
# The walk is at the end of this file; each step lives in install/. Every step may be repeated: after a power cut,
# run the same command again.
# shellcheck source-path=SCRIPTDIR disable=SC2153 # RELEASE and RELEASES are two names
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8

HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
CHECKOUT=$(dirname "$HERE")
PYTHON=${PYTHON:-/usr/bin/python3} # Debian's own: apt keeps it safe, and no operator's tool removes it

readonly UNIT=dunebugger-update-coordinator.service
readonly BASE=/opt/dunebugger
readonly HOME_FOLDER=$BASE/update-coordinator
readonly RELEASES=$HOME_FOLDER/releases
readonly CURRENT=$HOME_FOLDER/current
readonly RECORD=$HOME_FOLDER/installed.sha256
readonly KEPT=$HOME_FOLDER/before-upgrade
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

Without options: installs this checkout, or completes an installation of it. Changes nothing that is in order.

  --wheelhouse DIR  take all packages from DIR and use no network; make wheelhouse fills one
  --upgrade         replace the installed release by this checkout, keeping configuration and journal;
                    if the new release does not start, the old one runs again
  --uninstall       remove everything but the journal
  --purge           with --uninstall: the journal, too
  --help            this text

The environment variable PYTHON names another interpreter than /usr/bin/python3.
Exit codes: 0 done, 1 cannot be done, 2 wrong usage.
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
    choose_release
    refuse_other_release
    finish_interrupted_upgrade
    build_release
    switch_to "$RELEASE"
    place_host_files "$RELEASE"
    start_if_needed || die_with_log "the service does not start" "mend what it says, then run this again"
    report
}

upgrade() {
    check_host
    check_checkout
    require_installed
    finish_interrupted_upgrade
    choose_release
    build_release
    if [ "$(current_release)" != "$RELEASE" ]; then
        rehearse "$RELEASE"
        replace_release "$RELEASE"
    else
        place_host_files "$RELEASE"
    fi
    start_if_needed || die_with_log "the service does not start" "mend what it says, then run this again"
    prune_releases
    report
}

uninstall() {
    check_systemd
    refuse_running_scripts
    stop_for_good
    remove_all
    if ((PURGE)); then purge_journal; fi
    tell_what_stays
}

main() {
    local walk=install
    WHEELHOUSE='' PURGE=0
    while (($#)); do
        case $1 in
            --wheelhouse)
                (($# > 1)) || wrong_usage "--wheelhouse needs a folder"
                WHEELHOUSE=$2
                shift
                ;;
            --wheelhouse=*) WHEELHOUSE=${1#*=} ;;
            --upgrade) walk=upgrade ;;
            --uninstall) walk=uninstall ;;
            --purge) PURGE=1 ;;
            --help | -h)
                usage
                return 0
                ;;
            *) wrong_usage "unknown option $1" ;;
        esac
        shift
    done
    if ((PURGE)) && [ $walk != uninstall ]; then wrong_usage "--purge goes with --uninstall"; fi
    readonly WHEELHOUSE PURGE
    check_root
    be_alone
    case $walk in
        install) install_first ;;
        upgrade) upgrade ;;
        uninstall) uninstall ;;
    esac
}

main "$@"
exit # the file may be gone by now: bash must not read on
