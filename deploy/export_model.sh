#!/bin/sh
# Export a stored model, its hash beside it: what a release carries. Usage: export_model.sh TAG FOLDER; TAG may be
# credit_scoring:champion.
set -eu
folder=$2
rm -rf "$folder"
mkdir -p "$folder"
tag=$(credit-scoring models resolve "$1")
file=$(echo "$tag" | tr : -).bentomodel
bentoml models export "$tag" "$folder/$file" >&2
cd "$folder"
sha256sum "$file" > "$file.sha256"
cat "$file.sha256"
