#!/usr/bin/env bash
# Healthy when a version is installed whose name does not contain "broken" as 2.0.0-broken does.
set -euo pipefail

printf '%s health-check.sh %s\n' "${UPDATE_REQUEST_ID:?is set by the coordinator}" "${UPDATE_VERSION:--}" >> runs.log

if [[ ! -s installed/VERSION ]]; then
    echo "nothing is installed" >&2
    exit 1
fi
version="$(cat installed/VERSION)"
if [[ "$version" == *[-+]*broken* ]]; then
    echo "$(basename "$PWD") $version does not respond" >&2
    exit 1
fi
echo "$(basename "$PWD") $version is healthy"
