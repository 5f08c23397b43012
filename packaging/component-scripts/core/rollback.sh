#!/usr/bin/env bash
# Restores the state before the request $UPDATE_ROLLBACK_OF.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
# shellcheck source=component.env
source "$HERE/component.env"
# shellcheck source=../library/python_app.sh
source "$LIBRARY/python_app.sh"
python_app_rollback
