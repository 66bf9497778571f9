#!/bin/sh
# Sees to it that the programs which the real tests start are there: root gets Debian's, others are told what is missing.
# Who names programs needs those only.
set -eu
missing=
named=" $* "
need() {
  case "$named" in '  ' | *" $1 "*) command -v "$1" > /dev/null || missing="$missing $2" ;; esac
}
need prometheus prometheus
need promtool prometheus
need prometheus-alertmanager prometheus-alertmanager
need amtool prometheus-alertmanager
need chromium chromium
need node nodejs
need npm npm
need docker-compose docker-compose
need redis-server redis-server
need redis-cli redis-tools
ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1 || missing="$missing postgresql"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
  echo "missing, as Debian's packages:$missing" >&2
  exit 1
fi
# The packages would start their services; the tests start their own, on free ports.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod +x "$policy"
  trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
[ "$named" != '  ' ] || missing="$missing fonts-inter"   # what Grafana writes with
# shellcheck disable=SC2086 -- a list of packages
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing > /dev/null
