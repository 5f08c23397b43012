#!/usr/bin/env bash
# Exits 0 when remote is healthy. Changes nothing.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
# shellcheck source=component.env
source "$HERE/component.env"
# shellcheck source=../library/container.sh
source "$LIBRARY/container.sh"
container_health
