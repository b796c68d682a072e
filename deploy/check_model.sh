#!/bin/sh
# Check that a model may go to production, and that it is no worse than the one that was released last, which the newest
# vX.Y.Z.sha256 beside FILE names. MODEL_UNCOMPARED, or that of FILE, says why it need not be compared. Usage:
# check_model.sh MODEL FILE
set -eu
why=${MODEL_UNCOMPARED:-$(sed -n 's/^MODEL_UNCOMPARED=//p' "$2")}
last=$(find "$(dirname "$2")" -name 'v*.sha256' | sort --version-sort | tail -n 1)
if [ -z "$last" ]; then
    echo "No model has been released yet: there is none to compare with." >&2
    exec credit-scoring models check "$1"
fi
released=$(sed -n 's/^[0-9a-f]\{64\} [ *]credit_scoring-\(.*\)\.bentomodel$/credit_scoring:\1/p' "$last")
[ -n "$released" ] || {
    echo "error: $last names no model: expected a line of sha256sum for credit_scoring-TAG.bentomodel." >&2
    exit 1
}
if [ -n "$why" ]; then
    echo "Not compared with $released, which is released: $why" >&2
    exec credit-scoring models check "$1"
fi
exec credit-scoring models check "$1" --against "$released"
