# shellcheck shell=bash
# Whether this host can have the coordinator. Nothing is changed here.

readonly _NEEDED_MB=300 # a release takes about 80 MB; a second one beside it, pip's work and the journal's copy

check_root() {
    ((EUID == 0)) || die "install: this needs root" "run: sudo $0"
}

# Two installations at once would build into each other's folders.
be_alone() {
    exec {_lock}> /run/dunebugger-install.lock
    flock --nonblock "$_lock" || die "go on: another install.sh runs" "wait until it has ended"
}

check_host() {
    check_debian
    check_systemd
    check_python
    check_space "$BASE"
    check_space /var/lib
}

check_debian() {
    local ids
    ids=$(. /etc/os-release 2> /dev/null && echo "${ID-} ${ID_LIKE-}") || ids=''
    case " $ids " in
        *" debian "* | *" raspbian "*) ;;
        *) die "install: this host is no Debian (/etc/os-release says ID ${ids:-nothing})" \
            "take Debian 12, Raspberry Pi OS or a newer one" ;;
    esac
}

check_systemd() {
    local version
    [ -d /run/systemd/system ] || die "install: systemd does not run this host (it is not process 1)" \
        "boot with systemd: apt-get install systemd-sysv, then reboot; in a container there is no way"
    version=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    ((version >= 250)) || die "install: systemd is ${version:-of unknown version}, and 250 is needed" \
        "upgrade the host to Debian 12 or newer"
}

check_python() {
    local found
    found=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null) ||
        die "install: $PYTHON does not run" "run: apt-get install python3 python3-venv"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "install: $PYTHON is Python $found, and 3.11 is needed" \
            "upgrade the host to Debian 12, or name another: sudo PYTHON=/path/to/python3.11 $0"
    "$PYTHON" -c 'import ensurepip, venv' 2> /dev/null ||
        die "make a virtual environment: $PYTHON lacks venv or ensurepip" "run: apt-get install python3-venv"
}

# $1: a folder that may not exist yet.
check_space() {
    local folder=$1 free
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    free=$(df --output=avail --block-size=1M "$folder" | tail -n 1)
    ((free >= _NEEDED_MB)) || die "install: $folder has $((free)) MB free, and $_NEEDED_MB are needed" \
        "free space there; apt-get clean, journalctl --vacuum-size=50M and docker image prune often help"
}

check_checkout() {
    local part
    for part in "${SOURCES[@]}"; do
        [ -e "$CHECKOUT/$part" ] || die "install from $CHECKOUT: $part is missing" \
            "run packaging/install.sh of a whole checkout"
    done
    if [ -n "$WHEELHOUSE" ]; then
        compgen -G "$WHEELHOUSE/*.whl" > /dev/null || die "install from the wheelhouse $WHEELHOUSE: no wheel is in it" \
            "fill it on a machine with network: make wheelhouse, then copy dist/wheelhouse here"
    fi
}
