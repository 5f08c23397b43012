#!/usr/bin/env bash
# Healthy when something is installed whose version does not say that it is broken, such as 2.0.0-broken.
set -euo pipefail

printf '%s health-check.sh %s\n' "${UPDATE_REQUEST_ID:?is set by the coordinator}" "${UPDATE_VERSION:--}" >> runs.log

if [[ ! -s installed/VERSION ]]; then
    echo "nothing is installed" >&2
    exit 1
fi
version="$(cat installed/VERSION)"
if [[ "$version" == *[-+]*broken* ]]; then
    echo "$(basename "$PWD") $version does not answer" >&2
    exit 1
fi
echo "$(basename "$PWD") $version is healthy"
