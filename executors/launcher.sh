# Keeps one session parked, so that a script starts without forking the coordinator. Arguments: session.sh, and the runs
# folder, which is only a mark: by it a coordinator that lost everything else finds these shells in /proc.
# stdin: run directories, read by the parked session. stdout: a line break whenever something happened.
trap : PIPE
IFS= read -r stat </proc/self/stat || exit  # part of a number would be another process
fields() { shift 19; start=$1; }
fields ${stat##*) }  # from field 3 of proc(5) on

while :; do
  setsid /bin/sh "$1" "$$ $start" "$2"
  case $? in
    0 | 129 | 1[3-9]? | 2??) echo ;;  # it ran, or a signal ended it: park the next one
    *) exit ;;                        # 9: nobody asks any more, or no room; others: no session can be started
  esac
done
