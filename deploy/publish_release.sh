#!/bin/sh
# Make the release TAG with the models and lists of parts in FOLDER, and a pull request that brings the model's hash to main.
# What is there already is brought up to date, so a run that failed, or one with a model named by hand, can follow another.
# Usage: publish_release.sh TAG FOLDER IMAGE_DIGEST
set -eu
tag=$1 folder=$2
image="Image: \`$3\`"
branch="model-$tag"
file="deploy/models/$tag.sha256"

if notes=$(gh release view "$tag" --json body --jq .body); then
    case $notes in
        *"$image"*) ;;
        *) gh release edit "$tag" --notes "$notes

$image" ;;
    esac
else
    gh release create "$tag" --verify-tag --generate-notes --notes "$image"
fi
gh release upload "$tag" --clobber "$folder"/model/* "$folder"/sbom-*.json

if ! gh api "repos/{owner}/{repo}/git/ref/heads/$branch" --silent; then
    main=$(gh api "repos/{owner}/{repo}/git/ref/heads/main" --jq .object.sha)
    gh api "repos/{owner}/{repo}/git/refs" --silent -f ref="refs/heads/$branch" -f sha="$main"
fi
there=$(gh api "repos/{owner}/{repo}/contents/$file?ref=$branch" --jq .sha) || there=
gh api --method PUT "repos/{owner}/{repo}/contents/$file" --silent -f branch="$branch" ${there:+-f sha="$there"} \
    -f message="Hash of the model of $tag" -f content="$(base64 --wrap=0 "$folder"/model/*.sha256)"
if [ -z "$(gh pr list --head "$branch" --base main --json number --jq '.[].number')" ]; then
    gh pr create --head "$branch" --base main --title "Hash of the model of $tag" \
        --body "Made by the release; \`sha256sum --check $file\` beside the release's model."
fi
