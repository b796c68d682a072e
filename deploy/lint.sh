#!/bin/sh
# What `make lint-deploy` checks, with the tools of deploy/lint-requirements.txt on the PATH. Usage: lint.sh OVERLAY…
set -eu
folder=build/kubernetes/lint
digest=sha256:0000000000000000000000000000000000000000000000000000000000000000
mkdir -p "$folder"

for overlay; do
    kubectl kustomize "deploy/kubernetes/overlays/$overlay" > "$folder/$overlay.yaml"
    # As `make deploy` applies it, with everything that can be added.
    whole=$(python deploy/kubernetes/rollout.py render "$overlay" --image "registry.example/credit-scoring@$digest" \
        --canary "registry.example/credit-scoring@$digest" --train "registry.example/credit-scoring-train@$digest")
    mkdir -p "$folder/gateway"
    printf 'resources: [../../../../deploy/kubernetes/overlays/%s]\ncomponents: [../../../../deploy/kubernetes/components/gateway]\n' \
        "$overlay" > "$folder/gateway/kustomization.yaml"
    kubectl kustomize "$folder/gateway" > "$folder/$overlay-gateway.yaml"
    for manifests in "$folder/$overlay.yaml" "$folder/$overlay-gateway.yaml" "$whole"; do
        echo "kubernetes-validate $manifests"
        # Custom resources (Prometheus' operator, the Gateway API) have no schema there; tests/deploy looks at them.
        kubernetes-validate --strict --no-warn --quiet "$manifests"
    done
done
echo "kubernetes-validate deploy/kubernetes/deployer.yaml"
kubernetes-validate --strict --quiet deploy/kubernetes/deployer.yaml

echo actionlint
actionlint
echo zizmor
zizmor --offline --quiet --pedantic .github
echo hadolint
hadolint deploy/image/Dockerfile.train
# The template, without what bentoml fills in.
sed -e '/{[%#]/d' -e 's/{{ bento__uid_gid }}/1034/g' -e 's|{{[^}]*}}|/filled-in|g' deploy/image/Dockerfile.j2 | hadolint -
echo yamllint
yamllint --strict deploy .github .yamllint.yaml bentofile.yaml docker-compose.yml
