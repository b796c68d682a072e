#!/bin/sh
# Export a stored model, its hash beside it: what a release carries. Usage: export_model.sh TAG FOLDER
set -eu
folder=$2
rm -rf "$folder"
mkdir -p "$folder"
tag=$(bentoml models get "$1" --output json | python -c 'import json, sys; m = json.load(sys.stdin); print(m["name"] + ":" + m["version"])')
file=$(echo "$tag" | tr : -).bentomodel
bentoml models export "$tag" "$folder/$file" >&2
cd "$folder"
sha256sum "$file" > "$file.sha256"
cat "$file.sha256"
