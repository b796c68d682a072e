#!/usr/bin/env bash
# Make stand-ins for public images on the engine that DOCKER_HOST names, from Debian packages: no registry is reached.
set -euo pipefail
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

bare() {  # TAG PACKAGES: an image of these packages, in which pip may install and this machine's certificates are trusted
  docker image inspect "$1" >/dev/null 2>&1 && return
  mmdebstrap --quiet --variant=minbase --include="ca-certificates,$2" bookworm "$folder/root" >/dev/null
  rm -f "$folder"/root/usr/lib/python3.*/EXTERNALLY-MANAGED
  if [ -e "$folder/root/usr/bin/python3" ]; then ln -s /usr/bin/python3 "$folder/root/usr/local/bin/python"; fi
  if [ -d /usr/local/share/ca-certificates ]; then
    mkdir -p "$folder/root/usr/local/share/ca-certificates"
    cp -r /usr/local/share/ca-certificates/. "$folder/root/usr/local/share/ca-certificates/"
    chroot "$folder/root" update-ca-certificates >/dev/null 2>&1
  fi
  tar -C "$folder/root" -c . | docker import - "$1" >/dev/null
  rm -rf "$folder/root"
}

bare python:3.11-slim python3,python3-venv,python3-pip
bare standins postgresql-15,prometheus,prometheus-alertmanager,wget
for each in postgres prometheus alertmanager; do
  docker build --quiet --target "$each" --tag "standin-$each" - <standins.Dockerfile >/dev/null
done
