# shellcheck shell=bash
# Preconditions of an installation. Changes nothing except the lock file.

readonly _NEEDED_MB=300 # two releases of about 80 MB, pip's temporary files, a copy of the journal

check_root() {
    ((EUID == 0)) || die "install: this command needs root" "run: sudo $0"
}

# Two concurrent installations would write into the same folders.
acquire_lock() {
    exec {_lock}> /run/dunebugger-install.lock
    flock --nonblock "$_lock" || die "continue: another install.sh is running" "wait until it has ended"
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
        *) die "install: this host is not Debian (/etc/os-release has ID ${ids:-nothing})" \
            "use Debian 12, Raspberry Pi OS or a newer release" ;;
    esac
}

check_systemd() {
    local version
    [ -d /run/systemd/system ] || die "install: systemd does not run this host (it is not process 1)" \
        "boot with systemd: apt-get install systemd-sysv, then reboot; a container cannot be the host"
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
            "upgrade the host to Debian 12, or select another interpreter: sudo PYTHON=/path/to/python3.11 $0"
    "$PYTHON" -c 'import ensurepip, venv' 2> /dev/null ||
        die "create a virtual environment: $PYTHON lacks venv or ensurepip" "run: apt-get install python3-venv"
}

# $1: a folder, which may not exist yet.
check_space() {
    local folder=$1 free
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    free=$(df --output=avail --block-size=1M "$folder" | tail -n 1)
    ((free >= _NEEDED_MB)) || die "install: $folder has $((free)) MB free, and $_NEEDED_MB are needed" \
        "free space there, for example with apt-get clean, journalctl --vacuum-size=50M or docker image prune"
}

check_checkout() {
    local part
    for part in "${SOURCES[@]}"; do
        [ -e "$CHECKOUT/$part" ] || die "install from $CHECKOUT: $part is missing" \
            "run packaging/install.sh of a complete checkout"
    done
    if [ -n "$WHEELHOUSE" ]; then
        compgen -G "$WHEELHOUSE/*.whl" > /dev/null ||
            die "install from the wheelhouse $WHEELHOUSE: it contains no wheel" \
            "fill it on a machine with network: make wheelhouse, then copy dist/wheelhouse here"
    fi
}
