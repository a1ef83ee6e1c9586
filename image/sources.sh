#!/usr/bin/env bash
# Print the apt sources of the image's release, at the mirrors this machine itself uses.
# Usage: image/sources.sh RELEASE.  No mirror is named in this repository, none gets into the image.
set -euo pipefail

readonly release=${1:?"usage: image/sources.sh RELEASE"}
readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() { printf 'sources.sh: %s\n' "$1" >&2; exit 1; }

# One URI a label; the first one apt knows.
mirror_of() {
    # shellcheck disable=SC2016 # apt expands them
    apt-get indextargets --format '$(LABEL)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
        awk -F '|' -v label="$1" '$1 == label && $2 == "main" { print $3; exit }'
}

main() {
    local debian security
    debian=$(mirror_of Debian)
    security=$(mirror_of Debian-Security)
    [[ -n $debian ]] || die "apt knows no Debian mirror: run apt-get update on a Debian machine"
    [[ -e $keyring ]] || die "missing $keyring: apt-get install debian-archive-keyring"
    printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$debian" "$release"
    printf 'deb [signed-by=%s] %s %s-updates main\n' "$keyring" "$debian" "$release"
    [[ -z $security ]] ||
        printf 'deb [signed-by=%s] %s %s-security main\n' "$keyring" "$security" "$release"
}

main
