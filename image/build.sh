#!/usr/bin/env bash
# Build the image and what is released of it.
# Usage: image/build.sh [--version V] [--fresh] [--long] [mkosi options...]
#   --version  a label of its own (an update for a test); lands in build/image-V, kktd.raw stays
#   --fresh    build although no input changed: Debian has newer packages
#   --long     build twice, the second time without mkosi's caches, and compare the bits
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here build=build
# All that goes into the image; the packages of Debian are in the manifest beside it.
readonly inputs=(image rootfs-overlay systemd udev apcupsd kktd requirements/runtime.txt pyproject.toml)

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

# One line that changes when an input does: the files by content and mode, time and options.
stamp_of() {
    {
        cat "$KKTD_KEYS"/public/* "$KKTD_KEYS"/enrol/*
        git ls-files --cached --others --exclude-standard -z -- "${inputs[@]}" |
            xargs --null stat --printf '%a %n\0' 2>/dev/null | sort --zero-terminated --unique
        git ls-files --cached --others --exclude-standard -z -- "${inputs[@]}" |
            sort --zero-terminated --unique | xargs --null sha256sum 2>/dev/null
        printf '%s\n' "$@"
    } | sha256sum | cut --delimiter=' ' --fields=1
}

# The time of the last commit that touched an input: a page about something else changes no bit.
epoch() { git log -1 --format=%ct -- "${inputs[@]}"; }

# Throw-away ones, unless KKTD_KEYS names the folder of the real ones (./build.sh keys).
stage_keys() {
    export KKTD_KEYS=${KKTD_KEYS:-$PWD/$build/keys}
    [[ $KKTD_KEYS == "$PWD/$build/keys" || -e $KKTD_KEYS/update.key ]] || die "no keys in $KKTD_KEYS"
    mkdir --parents "$KKTD_KEYS"
    [[ -e $KKTD_KEYS/update.key ]] || "$here/tools.sh" run image/keys.sh
}

sign() {
    "$here/tools.sh" run openssl pkeyutl -sign -rawin -inkey /keys/update.key -in "$1" -out "$1.sig"
}

build_image() {
    local version=$1 folder=$2
    shift 2
    rm --force "$build/$folder/"*"_$version"*
    mkdir --parents "$build/$folder" "$build/packages" "$build/cache"
    stage_sandbox
    "$here/tools.sh" run image/site.sh "$build/site"
    "$here/tools.sh" run bash -c 'cd image && exec mkosi "$@"' mkosi \
        --force --image-version="$version" --output-directory="../$build/$folder" \
        --source-date-epoch="$(epoch)" --extra-tree=/keys/public:/usr/lib/kktd-update \
        --secure-boot=yes --secure-boot-key=/keys/db.key --secure-boot-certificate=/keys/db.pem \
        --secure-boot-auto-enroll=no --extra-tree=/keys/enrol:/efi/loader/keys/auto \
        "$@" build
    "$here/tools.sh" run python3 image/release.py --version "$version" \
        --image "$build/$folder" --site "$build/site" --into "$build" --epoch "$(epoch)"
    sign "$build/kktd_$version.SHA256SUMS"
    sign "$build/kktd_$version.update/SHA256SUMS"
}

# The sums name every file that is released, the update's by its own sums.
sums_of() { cat "$build/kktd_$1.SHA256SUMS" "$build/kktd_$1.update/SHA256SUMS"; }

build_again() {
    local version=$1 first
    first=$(sums_of "$version")
    build_image "$@" --force
    diff <(printf '%s\n' "$first") <(sums_of "$version") >&2 ||
        die "two builds of the same inputs differ"
    printf 'image: two builds, the same bits\n' >&2
}

main() {
    [[ $EUID -eq 0 ]] || die "root is needed"
    cd "$here/.."
    local version folder=image fresh='' twice='' stamp
    version=$(version_of)
    while [[ ${1:-} =~ ^--(version|fresh|long)$ ]]; do
        case $1 in
            --fresh) fresh=yes; shift ;;
            --long) fresh=yes; twice=yes; shift ;;
            --version) version=${2:?}; folder=image-$version; shift 2 ;;
        esac
    done
    [[ ${1:-} != -- ]] || shift
    "$here/tools.sh" make
    stage_keys
    stamp=$(stamp_of "$version" "$(epoch)" "$@")
    if [[ -z $fresh && -e $build/kktd_$version.img.zst && -e $build/$folder.stamp &&
        $(<"$build/$folder.stamp") == "$stamp" ]]; then
        printf 'image: nothing changed: build/kktd_%s.img.zst\n' "$version" >&2
        return
    fi
    rm --force "$build/$folder.stamp"
    build_image "$version" "$folder" "$@"
    [[ -z $twice ]] || build_again "$version" "$folder" "$@"
    [[ $folder != image ]] || ln --symbolic --force "kktd_$version.raw" "$build/image/kktd.raw"
    printf '%s\n' "$stamp" >"$build/$folder.stamp"
}

main "$@"
