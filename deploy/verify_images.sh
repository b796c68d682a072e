#!/bin/sh
# Refuse images that the release workflow of a repository did not build from this commit, or whose list of parts it did not
# sign. Needs gh, and to be logged in to the registry. Usage: verify_images.sh OWNER/REPOSITORY COMMIT IMAGE@DIGEST…
set -eu
repository=$1 commit=$2
shift 2
case $repository in
    ?*/?*) ;;
    *) echo "error: REPOSITORY is '$repository': expected owner/name of the repository that built the images." >&2 && exit 1 ;;
esac
workflow=$repository/.github/workflows/release.yml
for image; do
    case $image in
        *?@sha256:?*) ;;
        *) echo "error: '$image': expected an image by digest, like ghcr.io/owner/credit-scoring@sha256:…." >&2 && exit 1 ;;
    esac
    for kind in https://slsa.dev/provenance/v1 https://cyclonedx.org/bom; do
        gh attestation verify "oci://$image" --repo "$repository" --signer-workflow "$workflow" --source-digest "$commit" \
            --predicate-type "$kind" >/dev/null || {
            echo "error: $image: no $kind signed by $workflow for commit $commit could be verified. Do not deploy it." >&2
            exit 1
        }
    done
    echo "$image was built by $workflow from commit $commit; its list of parts is signed."
done
