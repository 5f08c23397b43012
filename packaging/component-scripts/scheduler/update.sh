#!/usr/bin/env bash
# Updates scheduler: update.sh VERSION
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
# shellcheck source=component.env
source "$HERE/component.env"
# shellcheck source=../library/container.sh
source "$LIBRARY/container.sh"
container_update "$@"
