#!/bin/sh
# Run by systemd before it starts the service: waits the longer, the more often the service died, 10 s to 2 minutes with
# RestartSec=10. RestartSteps= would do it from systemd 254 on; Debian 12 has 252. What somebody starts by hand starts at
# once, for systemd then counts from 0; what was up for ten minutes before it died is not held to have died again.
# Argument: the unit.
set -eu

unit=$1
long_us=600000000
just_now_us=20000000 # more than RestartSec; were it longer ago, a start since then failed

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
