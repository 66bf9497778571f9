#!/bin/sh
# Runs a command with what the containers of docker-compose.yml share and nobody else knows: the secret that alerts are
# signed with, the tokens of agents and of Prometheus, the certificate of the collector. All of it is made here once,
# in a volume of theirs, so that it stands in no file of the project. Who brings a secret of his own keeps it.
set -eu
made=${SHARED_FOLDER:-/shared}/secrets
if [ ! -e "$made" ]; then
  making=$(mktemp -d "$made.XXXXXX")
  (
    umask 077
    cd "$making"
    random() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }
    printf 'whsec_%s' "$(head -c 24 /dev/urandom | base64)" > webhook
    for name in agents metrics; do random > "$name.token"; done
    rights() { [ "$1" = agents ] && echo '"agent", "ingest"' || echo '"reader"'; }
    for name in agents metrics; do
      printf '[[token]]\nname = "%s"\nrights = [%s]\nsha256 = "%s"\n' \
        "$name" "$(rights $name)" "$(sha256sum < $name.token | cut -d ' ' -f 1)"
    done > tokens.toml
    # An authority that signs one certificate, and whose key is thrown away.
    key='ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes'
    # shellcheck disable=SC2086 -- a list of options
    openssl req -x509 -newkey $key -keyout ca.key -out ca.pem -days 3650 -subj '/CN=llmcost of this machine' \
      -addext keyUsage=critical,keyCertSign 2> /dev/null
    printf 'subjectAltName = DNS:collector, DNS:localhost, IP:127.0.0.1\nbasicConstraints = critical, CA:FALSE\n%s\n' \
      'authorityKeyIdentifier = keyid' > extensions
    # shellcheck disable=SC2086
    openssl req -newkey $key -keyout collector.key -subj '/CN=collector' 2> /dev/null \
      | openssl x509 -req -CA ca.pem -CAkey ca.key -days 3650 -extfile extensions -out collector.crt 2> /dev/null
    cat collector.crt collector.key > collector.pem
    cat /etc/ssl/certs/ca-certificates.crt ca.pem > authorities.pem 2> /dev/null || cat ca.pem > authorities.pem
    rm ca.key collector.key collector.crt extensions
    chmod 644 ca.pem authorities.pem metrics.token   # Prometheus is another user
  )
  chmod 755 "$making"
  mv -T "$making" "$made" 2> /dev/null || rm -r "$making"   # of containers that start together the first wins
fi
LLMCOST_WEBHOOK_SECRET=${LLMCOST_WEBHOOK_SECRET:-$(cat "$made/webhook")}
LLMCOST_TOKEN=${LLMCOST_TOKEN:-$(cat "$made/agents.token")}
OTEL_EXPORTER_OTLP_HEADERS=${OTEL_EXPORTER_OTLP_HEADERS:-authorization=Bearer%20$LLMCOST_TOKEN}
export LLMCOST_WEBHOOK_SECRET LLMCOST_TOKEN OTEL_EXPORTER_OTLP_HEADERS
exec "$@"
