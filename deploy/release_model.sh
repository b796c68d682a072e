#!/bin/sh
# Import the model that a release is to carry, and make it champion: MODEL_ADDRESS and MODEL_SHA256 where they are set, else
# those of the file, else the demo model. Usage: release_model.sh FILE DEMO_MODEL
set -eu
address=${MODEL_ADDRESS:-} sha256=${MODEL_SHA256:-}
if [ -z "$address$sha256" ]; then
    address=$(sed -n 's/^MODEL_ADDRESS=//p' "$1")
    sha256=$(sed -n 's/^MODEL_SHA256=//p' "$1")
fi
if [ -z "$address" ] && [ -n "$sha256" ]; then
    echo "error: MODEL_SHA256 is set and MODEL_ADDRESS is not: set both, or none for the demo model." >&2
    exit 1
fi
if [ -n "$address" ]; then
    tag=$(credit-scoring models import "$address" --sha256 "$sha256")
else
    tag=$(credit-scoring models import "$2")
fi
credit-scoring models promote "$tag" --reason "carried by a release"
