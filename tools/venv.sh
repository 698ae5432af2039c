#!/usr/bin/env bash
# Make the folder $1 a Python environment that has exactly what the lock file $2 names. Can be repeated.
set -euo pipefail
venv=$1 lock=$2

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  python=
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
      python=$candidate
      break
    fi
  done
  if [ -z "$python" ]; then
    echo "pbxweb needs Python 3.11 or newer. Install it: sudo apt-get install python3 python3-venv" >&2
    exit 1
  fi
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "Python's venv module is not complete here. Run: sudo apt-get install python$version-venv" >&2
    exit 1
  fi
  echo "Making the Python environment in $venv …"
  rm -rf "$venv"
  "$python" -m venv "$venv"
fi
echo "Installing $(grep -c '^[a-z].*==' "$lock") Python packages from $lock …"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r "$lock"
