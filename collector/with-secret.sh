#!/bin/sh
# Runs a command with the secret that alerts are signed with. Who brings none shares one that is made here once,
# in a volume of all containers: so it stands in no file of the project.
set -eu
kept=${SHARED_FOLDER:-/shared}/webhook-secret
if [ -z "${LLMCOST_WEBHOOK_SECRET:-}" ]; then
  if [ ! -e "$kept" ]; then
    made=$(mktemp "$kept.XXXXXX")
    printf 'whsec_%s' "$(head -c 24 /dev/urandom | base64)" > "$made"
    ln "$made" "$kept" 2>/dev/null || true   # of containers that start together the first wins
    rm "$made"
  fi
  LLMCOST_WEBHOOK_SECRET=$(cat "$kept")
  export LLMCOST_WEBHOOK_SECRET
fi
exec "$@"
