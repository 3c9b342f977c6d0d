#!/usr/bin/env bash
# Installs what the tests need, where it is missing, and runs all of them. Arguments go to the test runner.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# The programs of a PostgreSQL 13 or newer: the tests start real pairs of servers, as the user `postgres` when run as root.
has_postgres() {
  local folder
  for folder in /usr/lib/postgresql/*/bin ${PATH//:/ }; do
    if [ -x "$folder/pg_rewind" ] && [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ] &&
      [ -x "$folder/pg_basebackup" ]; then
      return 0
    fi
  done
  return 1
}

# A browser: the tests open the pages that drctl writes.
has_chromium() {
  command -v chromium || command -v chromium-headless-shell || command -v chromium-browser || command -v google-chrome
} >/dev/null

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v setpriv >/dev/null || missing+=(util-linux)
has_postgres || missing+=(postgresql)
has_chromium || missing+=(chromium)
command -v systemd-analyze >/dev/null || missing+=(systemd)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  echo "installing ${missing[*]}"
  as_root apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
fi
has_postgres || { echo "PostgreSQL could not be installed: initdb, postgres, pg_basebackup, pg_rewind" >&2; exit 1; }
has_chromium || { echo "Chromium could not be installed: the tests open reports and forecasts in it" >&2; exit 1; }

# Emulators of AWS. The tests start them on 127.0.0.1 and end them.
. tests/emulators.sh
emulators

# What checks metrics, alert rules and traces, and an Alertmanager.
. tests/monitoring.sh
monitoring

# What holds the document of the API against the API.
. tests/contract.sh
contract

# Snapshots are compared, never written; a wrong one is a failure.
export INSTA_UPDATE="${INSTA_UPDATE:-no}"
if cargo nextest --version >/dev/null 2>&1; then
  exec cargo nextest run --locked --profile "${NEXTEST_PROFILE:-default}" "$@"
fi
echo "cargo-nextest is not installed: running cargo test, which is slower" >&2
exec cargo test --locked "$@"
