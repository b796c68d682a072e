#!/bin/sh
# Build the Bento that carries MODEL and its image, IMAGE, labelled with both; what `make image` runs.
# BASE_IMAGE: by digest (python:3.11-slim@sha256:…) the same again. BUILD_OPTIONS: more for `bentoml containerize`.
set -eu
# bentoml takes no template from outside the folder it is called in, and makes its context in TMPDIR.
TMPDIR=$PWD/build/tmp
export TMPDIR CREDIT_SCORING_MODEL="$MODEL"
mkdir -p "$TMPDIR"
bento=$(bentoml build --output tag | sed -n 's/^__tag__://p')
model=$(bentoml get "$bento" --output json | python -c 'import json, sys; print(json.load(sys.stdin)["services"][0]["models"][0]["tag"])')
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# shellcheck disable=SC2086 # several options
bentoml containerize "$bento" --image-tag "$IMAGE" \
    --opt build-arg=BASE_IMAGE="$BASE_IMAGE" --opt build-arg=VERSION="$VERSION" \
    --opt build-arg=REVISION="$revision" --opt build-arg=MODEL="$model" ${BUILD_OPTIONS:-}
echo "$IMAGE carries $model."
