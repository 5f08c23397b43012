# Keeps one worker (session.sh) warm, so that a script starts without a fork of the coordinator. Arguments: session.sh and
# the runs folder, which is only a mark: a coordinator that has lost its files finds these shells in /proc by it.
# stdin: run directories, read by the worker. stdout: a line break whenever something happened.
trap : PIPE
IFS= read -r stat </proc/self/stat || exit  # part of a number would be another process
fields() { shift 19; start=$1; }
fields ${stat##*) }  # from field 3 of proc(5) on

for _ in 1 2 3 4 5 6 7 8 9 10; do  # bounded: if workers are killed repeatedly, the coordinator starts a new launcher
  setsid /bin/sh "$1" "$$ $start" "$2"
  case $? in
    129 | 1[3-8]? | 19[0-2]) echo ;;  # a signal ended it, 1 to 64: notify, and start the next one
    *) exit ;;                        # 9: its input has ended, or no space; others: no worker can be started
  esac
done
