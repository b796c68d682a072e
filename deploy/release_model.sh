#!/bin/sh
# Import the model that a release is to carry, and make it champion: MODEL_ADDRESS and MODEL_SHA256 where they are set, else
# those of the file, else the demo model. Usage: release_model.sh FILE DEMO_MODEL
set -eu
address=${MODEL_ADDRESS:-} sha256=${MODEL_SHA256:-}
if [ -z "$address" ]; then
    # shellcheck source=deploy/models/release.env
    . "./$1"
    address=${MODEL_ADDRESS:-} sha256=${MODEL_SHA256:-}
fi
if [ -n "$address" ]; then
    tag=$(credit-scoring models import "$address" --sha256 "$sha256")
else
    tag=$(credit-scoring models import "$2")
fi
credit-scoring models promote "$tag" --reason "carried by a release"
