#!/bin/sh
# Take out of a virtual environment what a service never opens: a third of it.
set -eu
packages=$(echo "$1"/lib/python3.*/site-packages)
"$1"/bin/python -m pip uninstall --quiet --yes --root-user-action=ignore setuptools pip
find "$packages" -type d \( -name tests -o -name test -o -name testing_data \) -prune -exec rm -rf {} +
find "$packages" -type f \( -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' -o -name '*.h' -o -name '*.c' -o -name '*.cpp' \
    -o -name '*.a' -o -name '*.f90' \) -delete
# A library that two packages bring in the same version is kept once.
find "$packages" -path '*.libs/*' -name '*.so*' -type f -exec sha256sum {} + | sort | while read -r hash file; do
    if [ "$hash" = "${last:-}" ]; then ln -sf "../$(basename "$(dirname "$kept")")/$(basename "$kept")" "$file"; else kept=$file; fi
    last=$hash
done
if command -v strip >/dev/null; then
    # Only what Python itself loads: libraries that auditwheel has patched do not survive it.
    find "$packages" -name '*.so' -not -path '*.libs/*' -exec strip --strip-unneeded {} +
fi
