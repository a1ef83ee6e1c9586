#!/usr/bin/env bash
# Build the image.  Usage: image/build.sh [--version V] [mkosi options...]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here build=build

die() { printf 'image: %s\n' "$1" >&2; exit 1; }

version_of() { sed --quiet 's/^version = "\(.*\)"/\1/p' pyproject.toml; }

# mkosi writes Debian's own hosts unless this very file is there.
stage_sandbox() {
    local file=$build/sandbox/etc/apt/sources.list.d/mkosi.sources kind options uri suite component
    rm --recursive --force "$build/sandbox"
    mkdir --parents "${file%/*}"
    "$here/sources.sh" trixie | while read -r kind options uri suite component; do
        options=${options#'[signed-by='}
        printf 'Types: %s\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n\n' \
            "$kind" "$uri" "$suite" "$component" "${options%']'}"
    done >"$file"
}

main() {
    [[ $EUID -eq 0 ]] || die "root is needed"
    cd "$here/.."
    local version
    version=$(version_of)
    mkdir --parents "$build/image" "$build/packages" "$build/cache"
    "$here/tools.sh" make
    stage_sandbox
    "$here/tools.sh" run image/site.sh "$build/site"
    "$here/tools.sh" run bash -c 'cd image && exec mkosi "$@"' mkosi \
        --force --image-version="$version" \
        --source-date-epoch="$(git log -1 --format=%ct)" "$@" build
    ln --symbolic --force "kktd_$version.raw" "$build/image/kktd.raw"
}

main "$@"
