#!/bin/sh
# Build the Bento that carries MODEL and its image, IMAGE, labelled with both; what `make image` runs. Prints the model's
# own tag and, if it is the champion, by whom it was promoted and why.
# BASE_IMAGE: `make` takes it from deploy/image/base. BUILD_OPTIONS: more for `bentoml containerize`.
set -eu
# bentoml takes no template from outside the folder it is called in, and makes its context in TMPDIR.
TMPDIR=$PWD/build/tmp
export TMPDIR CREDIT_SCORING_MODEL="$MODEL"
mkdir -p "$TMPDIR"
built=$(bentoml build --output tag)
bento=$(printf '%s\n' "$built" | sed -n 's/^__tag__://p')
# Two lines: the model's own tag, and what is to be told of it.
carried=$(bentoml get "$bento" --output json | python -c '
import json, sys
model = json.load(sys.stdin)["services"][0]["models"][0]
promotion = model.get("metadata", {}).get("promotion")
told = "champion since {at}, promoted by {by}: {reason}" if promotion else "not the champion of this store"
print(model["tag"], told.format_map(promotion or {}), sep="\n")')
model=$(printf '%s\n' "$carried" | head -n 1)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# shellcheck disable=SC2086 # several options
bentoml containerize "$bento" --image-tag "$IMAGE" \
    --opt build-arg=BASE_IMAGE="$BASE_IMAGE" --opt build-arg=VERSION="$VERSION" \
    --opt build-arg=REVISION="$revision" --opt build-arg=MODEL="$model" ${BUILD_OPTIONS:-}
printf '%s carries %s (%s).\n' "$IMAGE" "$model" "$(printf '%s\n' "$carried" | tail -n 1)"
