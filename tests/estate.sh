#!/usr/bin/env bash
# An emulated AWS estate on 127.0.0.1, on which the shipped runbooks recover for real. No cloud is touched.
#
#   bash tests/estate.sh up FOLDER              brings it up; FOLDER gets drctl.toml and env
#   bash tests/estate.sh status FOLDER          where it listens and what it holds
#   bash tests/estate.sh lose FOLDER REGION     cuts every connection for a region
#   bash tests/estate.sh return FOLDER REGION   gives it back
#   bash tests/estate.sh down FOLDER            ends it
set -euo pipefail

usage() {
  sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
  exit 2
}

verb="${1:-}"
case "$verb" in
  up | status | down) [ $# -eq 2 ] || usage ;;
  lose | return) [ $# -eq 3 ] || usage ;;
  *) usage ;;
esac
folder="$2"
mkdir -p "$folder"
folder="$(cd "$folder" && pwd)"
cd "$(dirname "$0")/.."

field() {
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$folder/estate.json" "$1"
}

# The process that holds this estate, if it does: a number alone may belong to somebody else by now.
holder() {
  local pid
  [ -f "$folder/estate.json" ] || return 1
  pid="$(field pid)"
  ps -o args= -p "$pid" 2>/dev/null | grep -qF -- "stage.py $folder" && echo "$pid"
}

up() {
  local pid
  if pid="$(holder)"; then
    echo "it is up already (pid $pid)"
    return
  fi
  . tests/emulators.sh
  emulators
  rm -f "$folder/estate.json"
  nohup target/aws/venv/bin/python tests/estate/stage.py "$folder" >"$folder/stage.log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 600); do
    if [ -f "$folder/estate.json" ]; then
      echo "an emulated AWS estate is up (pid $pid). Now:"
      echo "  cd $folder && . ./env"
      return
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.2
  done
  echo "it does not come up; $folder/stage.log says why:" >&2
  tail -n 5 "$folder/stage.log" >&2
  exit 1
}

down() {
  local pid
  if ! pid="$(holder)"; then
    echo "it is not up"
    return
  fi
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
  echo "it is down"
}

case "$verb" in
  up) up ;;
  down) down ;;
  status)
    pid="$(holder)" || { echo "it is not up"; exit 1; }
    echo "up (pid $pid)"
    echo "  AWS           $(field aws)"
    echo "  applications  $(field applications), an HTTPS proxy"
    echo "  runbooks      $(field runbooks | tr -d "[]'")"
    ;;
  lose | return)
    holder >/dev/null || { echo "it is not up" >&2; exit 1; }
    python3 - "$(field control)/$verb/$3" <<'END'
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1], method="POST"), timeout=10)
END
    [ "$verb" = lose ] && echo "$3 is lost" || echo "$3 is back"
    ;;
esac
