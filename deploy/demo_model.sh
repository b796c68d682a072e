#!/bin/sh
# Train the demo model in a store of its own and export it, its hash beside it, as it is versioned with the code.
# Usage: demo_model.sh FILE
set -eu
mkdir -p "$(dirname "$1")"
file=$(realpath "$1")
BENTOML_HOME=$(mktemp -d)
export BENTOML_HOME
trap 'rm -rf "$BENTOML_HOME"' EXIT
credit-scoring train --source embedded
bentoml models export credit_scoring:latest "$file" >&2
cd "$(dirname "$file")"
sha256sum "$(basename "$file")" > "$file.sha256"
cat "$file.sha256"
