#!/usr/bin/env bash
# Write requirements.lock, requirements-dev.lock and package-lock.json anew: newest versions that fit, for every
# Python from 3.11 on and every architecture, with the hashes of all files and no word of where they came from.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet uv
compile() {
  # Nothing of this machine's own package settings may leak into a lock file.
  env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL -u UV_FIND_LINKS -u UV_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null UV_NO_CONFIG=1 \
    "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --no-emit-index-url --no-emit-find-links --no-header pyproject.toml "$@"
}
compile --upgrade -o requirements.lock
compile --extra dev --constraint requirements.lock -o requirements-dev.lock
npm install --package-lock-only --ignore-scripts --no-audit --no-fund --loglevel=error
