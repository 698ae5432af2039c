#!/usr/bin/env bash
# What the tests need of Debian: installed when root or sudo may, else named in one line to copy. Nothing is skipped.
set -euo pipefail

# command=package
tools="baresip=baresip-core chromium=chromium"
missing=
for pair in $tools; do
  command -v "${pair%%=*}" >/dev/null || missing="$missing ${pair#*=}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
  root=
elif sudo -n true 2>/dev/null; then
  root="sudo"
else
  echo "The tests need some of Debian's tools. Run: sudo apt-get install --no-install-recommends$missing" >&2
  exit 1
fi
echo "Installing the tests' tools:$missing …"
export DEBIAN_FRONTEND=noninteractive
$root apt-get update -qq
# shellcheck disable=SC2086 # the list is meant to be split
$root apt-get install -y -qq --no-install-recommends $missing >/dev/null
