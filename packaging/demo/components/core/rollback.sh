#!/usr/bin/env bash
# Restores the version before the request $UPDATE_ROLLBACK_OF. Changes nothing if that request changed nothing.
set -euo pipefail

of="${UPDATE_ROLLBACK_OF:-}"
if [[ -z "$of" ]]; then
    echo "cannot roll back: UPDATE_ROLLBACK_OF names no request; set it to a request id" >&2
    exit 1
fi
backup="installed/backups/$of"

printf '%s rollback.sh %s\n' "${UPDATE_REQUEST_ID:?is set by the coordinator}" "${UPDATE_VERSION:--}" >> runs.log

echo "PHASE:restore"
if [[ ! -f "$backup" ]]; then
    echo "request $of changed nothing, so nothing is restored"
    exit 0
fi
sleep 0.4
cp -p "$backup" installed/VERSION.new
mv installed/VERSION.new installed/VERSION
echo "$(basename "$PWD") was restored to $(cat installed/VERSION)"
