#!/usr/bin/env bash
# Put kktd and its locked dependencies into one directory, as the image carries them.
# Usage, inside the tools tree, whose Python is the image's: image/site.sh DIRECTORY
set -euo pipefail

readonly target=${1:?"usage: image/site.sh DIRECTORY"}
readonly lock=requirements/runtime.txt

# Sources are built with Debian's setuptools: an isolated build would fetch an unlocked one.
install_locked() {
    PYTHONDONTWRITEBYTECODE=1 pip install --quiet --root-user-action=ignore --no-compile --no-deps \
        --no-build-isolation --require-hashes --target "$target" --requirement "$lock"
}

# Only what the daemon reads: no console scripts, no tests of others, no traces of this build.
strip_site() {
    rm --recursive --force "${target:?}/bin"
    find "$target" -type d \( -name tests -o -name test -o -name __pycache__ \) -prune \
        -exec rm --recursive --force {} +
    find "$target" -path '*.dist-info/*' \
        \( -name RECORD -o -name direct_url.json -o -name INSTALLER -o -name REQUESTED \) -delete
}

main() {
    rm --recursive --force "$target"
    mkdir --parents "$target"
    install_locked
    strip_site
    cp --recursive kktd "$target/kktd"
    find "$target/kktd" -name __pycache__ -prune -exec rm --recursive --force {} +
    # Checked by hash of nothing: the root is read-only, and time stamps would differ by build.
    python3 -m compileall -q -s "$target" -p /usr/lib/kktd --invalidation-mode unchecked-hash "$target"
}

main
