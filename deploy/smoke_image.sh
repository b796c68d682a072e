#!/bin/sh
# Start IMAGE as hardened as it is in Kubernetes, its decisions in SQLite, smoke-test it, and see it end on SIGTERM.
# Arguments go to smoke.py.
set -eu
folder=$(mktemp -d)
container=
clean() {
    [ -z "$container" ] || docker rm --force "$container" >/dev/null
    rm -rf "$folder"
}
trap clean EXIT

KEY=$(credit-scoring keys new smoke --scope predict --scope read --file "$folder/keys.toml" 2>/dev/null)
export KEY
chmod 755 "$folder"
chmod 644 "$folder/keys.toml" # the user in the container is another one; the file holds a hash

container=$(docker run --detach --read-only --cap-drop ALL --security-opt no-new-privileges --memory 1g \
    --tmpfs /tmp --tmpfs /home/bentoml/bentoml:uid=1034,gid=1034 \
    --volume "$folder/keys.toml:/run/secrets/keys.toml:ro" --env CREDIT_SCORING_API_KEYS_FILE=/run/secrets/keys.toml \
    --publish 127.0.0.1::3000 "$IMAGE")
address=$(docker port "$container" 3000/tcp | head -n 1)
python deploy/smoke.py "http://$address" --ready-within 60 "$@" || {
    docker logs "$container" >&2
    exit 1
}
docker stop --time 30 "$container" >/dev/null
code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
[ "$code" = 0 ] || {
    echo "FAILED  end         SIGTERM: expected exit code 0, found $code" >&2
    exit 1
}
echo "ok      end         exit code 0 on SIGTERM"
