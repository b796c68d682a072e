#!/usr/bin/env bash
# Run a command with a container engine of its own that has stand-ins for public images. Usage: engine.sh COMMAND…
set -euo pipefail
folder=$(mktemp -d)
export DOCKER_HOST="unix://$folder/docker.sock"
# Debian's client and server of one version; a newer client may stand first on the path and ask for more than the server has.
export PATH="/usr/bin:/usr/sbin:$PATH" DOCKER_BUILDKIT=0

dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/pid" --host "$DOCKER_HOST" \
  --storage-driver overlay2 >"$folder/log" 2>&1 &
engine=$!
stop() {
  kill "$engine" 2>/dev/null && wait "$engine" || true
  umount "$folder"/exec/netns/* 2>/dev/null || true # the engine leaves its own there
  rm -rf "$folder" || true
}
trap stop EXIT
until docker info >/dev/null 2>&1; do
  kill -0 "$engine" 2>/dev/null || { tail -20 "$folder/log" >&2; exit 1; }
  sleep 0.5
done

bash "$(dirname "$0")/standins.sh"
export BASE_IMAGE=python:3.11-slim # made here, so it has a tag and no digest
export POSTGRES_IMAGE=standin-postgres PROMETHEUS_IMAGE=standin-prometheus ALERTMANAGER_IMAGE=standin-alertmanager
export SERVICES="service monitor prometheus alertmanager" # no stand-in for Grafana
export BUILD_OPTIONS="network=host build-arg=PIP_CERT=/etc/ssl/certs/ca-certificates.crt"
"$@"
