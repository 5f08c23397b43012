# Run by systemd whenever the unit of a run stops. A script that ended on its own is left as it is, with all it started:
# its exit code is recorded. Else the unit was stopped, its time limit has passed, or its worker was killed: unit_stop.py
# ends the run.
# Arguments: the run's directory, the interpreter, the grace in seconds.
[ -e "$1/session" ] || exit 0  # settled and removed meanwhile
while IFS= read -r line; do
  case $line in "exit "*) exit 0 ;; esac
done <"$1/session"
exec "$2" -m executors.unit_stop "$1" "$3"
