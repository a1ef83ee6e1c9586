#!/usr/bin/env bash
# The tools tree: a Debian of the image's own release that builds and boots it, the same on every host.
# Usage: image/tools.sh make | run COMMAND...   As root; `run` sees the repository at /src and, if it
# is set, the folder KKTD_KEYS at /keys.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$here")
readonly here repository release=trixie
readonly tree=$repository/build/tools

die() { printf 'tools.sh: %s\n' "$1" >&2; exit 1; }

packages() { grep --invert-match --extended-regexp '^(#|$)' "$here/tools.packages"; }

stamp() { { packages; echo "$release"; } | sha256sum | cut --delimiter=' ' --fields=1; }

make_tree() {
    local wanted
    wanted=$(stamp)
    [[ ! -e $tree.stamp || $(<"$tree.stamp") != "$wanted" ]] || return 0
    command -v mmdebstrap >/dev/null || die "missing: apt-get install mmdebstrap"
    rm --recursive --force --one-file-system "$tree" "$tree.stamp"
    mkdir --parents "$(dirname "$tree")"
    "$here/sources.sh" "$release" |
        mmdebstrap --quiet --variant=apt --mode=root --include="$(packages | paste --serial --delimiters=,)" \
            "$release" "$tree" - >&2
    printf '%s\n' "$wanted" >"$tree.stamp"
}

# A plain chroot is not enough: mkosi's sandbox wants "/" to be a mount point.
run_inside() {
    [[ $EUID -eq 0 ]] || die "root is needed: it makes file systems and device nodes"
    # shellcheck disable=SC2016 # expanded by the shell inside
    exec unshare --mount --propagation slave -- bash -ec '
        tree=$1 repository=$2; shift 2
        mount --rbind "$tree" "$tree"
        mount --rbind /dev "$tree/dev"
        mount -t proc proc "$tree/proc"
        mount --rbind /sys "$tree/sys"
        mount -t tmpfs tmpfs "$tree/run"; mkdir -p "$tree/run/lock"
        mount -t tmpfs tmpfs "$tree/tmp"
        mkdir -p "$tree/src"; mount --rbind "$repository" "$tree/src"
        mkdir -p "$tree/keys"
        [[ -z ${KKTD_KEYS:-} ]] || mount --bind "$KKTD_KEYS" "$tree/keys"
        # Names and trust of this machine: pip inside asks the index the machine asks.
        for one in /etc/resolv.conf /etc/hosts /etc/ssl/certs /etc/pip.conf /etc/xdg/pip; do
            [[ -e $one ]] || continue
            if [[ -d $one ]]; then mkdir -p "$tree$one"; else mkdir -p "$tree${one%/*}"; : >>"$tree$one"; fi
            mount --bind "$(realpath "$one")" "$tree$one"
        done
        mkdir -p "$tree/run/oldroot"; cd "$tree"; pivot_root . run/oldroot
        umount -l /run/oldroot; rmdir /run/oldroot
        cd /src
        exec "$@"' tools "$tree" "$repository" "$@"
}

# Only what a build may know of this machine: where indexes and proxies are, not who runs it.
run() {
    local name keep=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8)
    for name in $(compgen -e | grep --extended-regexp '^(PIP_|SSL_CERT_|REQUESTS_CA_|https?_proxy|no_proxy|TERM$)' || true); do
        keep+=("$name=${!name}")
    done
    run_inside env -i "${keep[@]}" "$@"
}

main() {
    case ${1:-} in
        make) make_tree ;;
        run) make_tree; run "${@:2}" ;;
        *) die "usage: image/tools.sh make | run COMMAND..." ;;
    esac
}

main "$@"
