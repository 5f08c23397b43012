#!/usr/bin/env bash
# Installs VERSION into ./installed, with a backup under the request id.
#
# A sample: a real script pulls an image or unpacks an archive here. Copy its order: back up under $UPDATE_REQUEST_ID, then
# change, so that rollback.sh finds a backup exactly when there may be a change.
set -euo pipefail

version="${1:?usage: update.sh VERSION}"
request="${UPDATE_REQUEST_ID:?is set by the coordinator}"
backup="installed/backups/$request"

printf '%s update.sh %s\n' "$request" "$version" >> runs.log

echo "PHASE:download"
for percent in 5 15 25; do
    echo "PROGRESS:$percent"
    sleep 0.2
done

echo "PHASE:backup"
echo "PROGRESS:35"
mkdir -p installed/backups
cp -p installed/VERSION "$backup.new"
mv "$backup.new" "$backup"
sleep 0.3

echo "PHASE:install"
for percent in 50 65 80; do
    echo "PROGRESS:$percent"
    sleep 0.25
done
printf '%s\n' "$version" > installed/VERSION.new
mv installed/VERSION.new installed/VERSION

echo "PHASE:start"
echo "PROGRESS:90"
sleep 0.4
echo "PROGRESS:100"
echo "$(basename "$PWD") runs $version now (before: $(cat "$backup"))"
