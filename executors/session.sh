# The worker: runs scripts, one after the other. Arguments: pid and start of the launcher, "" in a systemd unit, which has
# none; and launcher.sh's mark. The files are described in run_directory.py.
# PIPE: a coordinator that died must not end a run. The others: a script may run "kill 0", meant for its own processes.
# A trap with a command, unlike an ignored signal, is not passed on to the script.
trap : PIPE TERM INT HUP QUIT USR1 USR2 ALRM
IFS= read -r stat </proc/self/stat || exit 9  # part of a number would be another process
fields() { shift 19; start=$1; }
fields ${stat##*) }  # from field 3 of proc(5) on
me="$$ $start ${1:-$$ $start}"

while IFS= read -r run; do
  echo "$me" >>"$run/session"  # may fail halfway, too: the file shows it, and its first line decides
  claim=
  IFS= read -r claim <"$run/session"
  [ "$claim" = revoked ] && continue
  [ "$claim" = "$me" ] || exit 9       # no space, or the disk fails: the worker's end notifies the coordinator
  echo

  whole=
  . "$run/command"  # the shell takes a failed read for the end of the file
  [ "$whole" ] || exit 9  # part of a command would be another command, or the last one
  began=
  { cd "$1" && unset OLDPWD && shift && began=y && "$@"; } </dev/null >>"$run/stdout" 2>>"$run/stderr"
  code=$?
  [ "$began" ] || exit 9                        # no stream, or no directory: this is not an exit code of the script
  echo "exit $code" >>"$run/session" || exit 9  # a worker that cannot record this end must not wait for the next run
  echo
  cd /  # a component's directory may be moved away or unmounted while nothing runs
done
exit 9
