# Keeps one worker (session.sh) warm, so that a script starts without forking the coordinator. Arguments: session.sh, and
# the runs folder, which is only a mark: by it a coordinator without any files finds these shells in /proc.
# stdin: run directories, read by the worker. stdout: a line break whenever something happened.
trap : PIPE
IFS= read -r stat </proc/self/stat || exit  # part of a number would be another process
fields() { shift 19; start=$1; }
fields ${stat##*) }  # from field 3 of proc(5) on

for _ in 1 2 3 4 5 6 7 8 9 10; do  # bounded: where workers are killed again and again, the coordinator starts anew
  setsid /bin/sh "$1" "$$ $start" "$2"
  case $? in
    129 | 1[3-8]? | 19[0-2]) echo ;;  # a signal ended it, 1 to 64: notify, and start the next one
    *) exit ;;                        # 9: its input has ended, or no room; others: no worker can be started
  esac
done
