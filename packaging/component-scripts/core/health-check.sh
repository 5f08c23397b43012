#!/usr/bin/env bash
# Exits 0 when core is healthy. Changes nothing.
set -euo pipefail
HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
# shellcheck source=component.env
source "$HERE/component.env"
# shellcheck source=../library/python_app.sh
source "$LIBRARY/python_app.sh"
python_app_health
