#!/usr/bin/env bash
# Restores the state before the request $UPDATE_ROLLBACK_OF.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
# shellcheck source=component.env
source "$HERE/component.env"
# shellcheck source=../library/container.sh
source "$LIBRARY/container.sh"
container_rollback
