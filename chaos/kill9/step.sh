#!/bin/sh
# A step whose effect is a pair of lines in `effects`: `begin` and `end`, each with run, node, attempt, fencing
# token and name. $1: name, $2: seconds it takes, $3: `flaky` fails the first time, `broken` always. Asked to
# `observe`, it says what the lines say; asked to `undo`, it writes lines of another name.
name=$1
for verb; do :; done
[ "$verb" = undo ] && name=undo-$1

write() { echo "$1 $DRCTL_RUN $name $DRCTL_NODE $DRCTL_ATTEMPT $DRCTL_FENCING_TOKEN" >>effects; }
wrote() { grep -qs "^$1 $DRCTL_RUN $name " effects; }

if [ "$verb" = observe ]; then
  state=not_applied
  wrote begin && ! wrote failed && state=in_progress
  wrote end && state=applied
  echo "{\"state\": \"$state\"}"
  exit
fi

if [ "$3" = broken ] || { [ "$3" = flaky ] && ! wrote failed; }; then
  write begin
  write failed
  [ "$3" = broken ] && exit 1
  exit 75
fi
write begin
sleep "$2"
write end
