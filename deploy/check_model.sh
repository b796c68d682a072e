#!/bin/sh
# Check that a model may go to production, and that it is no worse than the one that was released last, which the newest
# vX.Y.Z.sha256 beside FILE names. MODEL_UNCOMPARED, `TAG: reason`, says why model TAG need not be compared; that of FILE
# counts where the model is that of FILE, too. Usage: check_model.sh MODEL FILE
set -eu
why=${MODEL_UNCOMPARED:-}
if [ -z "$why${MODEL_ADDRESS:-}" ]; then
    why=$(sed -n 's/^MODEL_UNCOMPARED=//p' "$2")
fi
# Without candidates of a release (v1.2.3-rc1), which would sort after it.
last=$(find "$(dirname "$2")" -name 'v*.sha256' ! -name 'v*-*' | sort --version-sort | tail -n 1)
if [ -z "$last" ]; then
    echo "No model has been released yet: there is none to compare with." >&2
    exec credit-scoring models check "$1"
fi
released=$(sed -n 's/^[0-9a-f]\{64\} [ *]credit_scoring-\(.*\)\.bentomodel$/credit_scoring:\1/p' "$last")
[ -n "$released" ] || {
    echo "error: $last names no model: expected a line of sha256sum for credit_scoring-TAG.bentomodel." >&2
    exit 1
}
tag=$(credit-scoring models check "$1")
case $why in
    "") ;;
    "$tag: "?*)
        echo "Not compared with $released, which is released: ${why#"$tag: "}" >&2
        echo "$tag"
        exit 0
        ;;
    *) echo "MODEL_UNCOMPARED is ignored: expected '$tag: reason', found '$why'." >&2 ;;
esac
exec credit-scoring models check "$tag" --against "$released"
