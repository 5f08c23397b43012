#!/bin/sh
# Run by systemd before it starts the service: back-off from 10 s to 2 minutes in total, with RestartSec=10, by the
# number of automatic restarts. systemd 254 has RestartSteps= for this; Debian 12 has 252. A manual start has no pause,
# because systemd resets its counter; nor has a crash after ten minutes of uptime. Argument: the unit.
set -eu

unit=$1
long_us=600000000
just_now_us=20000000 # more than RestartSec; a longer time means that a start has failed since

value() { # NAME
    systemctl show --property="$1" --value "$unit"
}

restarts=$(value NRestarts)
case $restarts in
    0 | 1) exit 0 ;;
    2) more_s=10 ;;
    3) more_s=30 ;;
    *) more_s=110 ;;
esac
up_until_us=$(value ActiveExitTimestampMonotonic)
up_us=$((up_until_us - $(value ActiveEnterTimestampMonotonic)))
since_us=$(($(value InactiveEnterTimestampMonotonic) - up_until_us))
if [ "$up_us" -ge "$long_us" ] && [ "$since_us" -lt "$just_now_us" ]; then exit 0; fi
echo "restart $restarts: waiting $more_s s more"
exec sleep "$more_s"
