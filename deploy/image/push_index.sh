#!/bin/sh
# Push IMAGE-PLATFORM for each platform to a registry, and there IMAGE, the list of them from which each machine takes its own.
# Prints the list's reference by digest. Usage: push_index.sh REGISTRY IMAGE PLATFORM…; MANIFEST_OPTIONS: --insecure for a
# registry without TLS.
set -eu
name=$1/$2
image=$2
shift 2
[ $# -gt 0 ] || { echo "error: PLATFORMS is empty: expected what was built, like PLATFORMS='amd64 arm64'." >&2 && exit 1; }
for platform; do
    docker tag "$image-$platform" "$name-$platform"
    docker push --quiet "$name-$platform" >&2
    shift
    set -- "$@" "$name-$platform"
done
# shellcheck disable=SC2086 # several options
docker manifest create ${MANIFEST_OPTIONS:-} --amend "$name" "$@" >&2
# shellcheck disable=SC2086
digest=$(docker manifest push ${MANIFEST_OPTIONS:-} --purge "$name")
echo "${name%:*}@$digest"
