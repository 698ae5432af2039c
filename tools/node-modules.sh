#!/usr/bin/env bash
# Fetch what package-lock.json names into node_modules; no package may run a script of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v npm >/dev/null; then
  echo "The pages' assets come from npm, which is not here. Run: sudo apt-get install npm" >&2
  exit 1
fi
echo "Fetching the pages' assets with npm …"
npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error "$@"
