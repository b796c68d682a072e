#!/bin/sh
# Write the way to a cluster, for a job of GitHub Actions: by OpenID Connect where CLUSTER_SERVER, CLUSTER_CA (a PEM) and
# CLUSTER_AUDIENCE are set, else KUBECONFIG_CONTENT. Usage: kubeconfig.sh FILE
set -eu
umask 077
mkdir -p "$(dirname "$1")"
if [ -n "${CLUSTER_SERVER:-}" ]; then
    [ -n "${CLUSTER_CA:-}" ] && [ -n "${CLUSTER_AUDIENCE:-}" ] || {
        echo "error: CLUSTER_SERVER is set and CLUSTER_CA or CLUSTER_AUDIENCE is not: set all three, or the secret KUBECONFIG alone." >&2
        exit 1
    }
    folder=$(cd "$(dirname "$0")" && pwd)
    printf '%s\n' "$CLUSTER_CA" > "$1.ca"
    cat > "$1" << EOF
apiVersion: v1
kind: Config
clusters: [{name: cluster, cluster: {server: "$CLUSTER_SERVER", certificate-authority: "$1.ca"}}]
contexts: [{name: cluster, context: {cluster: cluster, user: github}}]
current-context: cluster
users:
  - name: github
    user:
      exec:
        apiVersion: client.authentication.k8s.io/v1
        interactiveMode: Never
        command: python3
        args: ["$folder/github_credential.py", "$CLUSTER_AUDIENCE", "$1.token"]
EOF
elif [ -n "${KUBECONFIG_CONTENT:-}" ]; then
    printf '%s\n' "$KUBECONFIG_CONTENT" > "$1"
else
    echo "error: this environment has neither the variable CLUSTER_SERVER nor the secret KUBECONFIG; docs/deployment.md says how to set it up." >&2
    exit 1
fi
