#!/usr/bin/env bash
# Bring translations/ up to date with the texts in pbxweb/ and templates/, then name every message without a translation.
set -euo pipefail
cd "$(dirname "$0")/.."
babel=.venv/bin/pybabel
pot=$(mktemp --suffix=.pot)
trap 'rm -f "$pot"' EXIT
"$babel" -q extract -F babel.cfg --no-default-keywords -k _ -k gettext -k lazy_gettext -k ngettext:1,2 -k lazy_ngettext:1,2 \
  -k pgettext:1c,2 -k lazy_pgettext:1c,2 --sort-by-file --add-location=file --project=pbxweb -o "$pot" .
for po in translations/*/LC_MESSAGES/messages.po; do
  language=$(basename "$(dirname "$(dirname "$po")")")
  "$babel" -q update -i "$pot" -o "$po" -l "$language" --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date --width=110
  .venv/bin/python - "$po" <<'PYTHON'
import sys
from babel.messages.pofile import read_po

with open(sys.argv[1], "rb") as file:
    messages = [message for message in read_po(file) if message.id]
empty = [m for m in messages if not all(m.string if isinstance(m.string, tuple) else (m.string,))]
for message in empty:
    print(f"{sys.argv[1]}: {message.locations[0][0]}: {message.id}")
print(f"{sys.argv[1]}: {len(messages)} messages, {len(empty)} without a translation")
PYTHON
done
