#!/usr/bin/env bash
# Build, run and test the till.  Usage: ./build.sh dev | till | image | keys | flash | rig | test | check | bench | lock
set -euo pipefail

readonly python=.venv/bin/python
readonly suites=(unit property contract rig crash acceptance hil)

die() { printf 'build.sh: %s\n' "$1" >&2; exit 1; }

usage() {
    cat <<'TEXT'
./build.sh dev [--json] [--state DIR] [--pty] [--tills N]   a till with simulated printer and ОФД, until Ctrl-C
./build.sh image [--fresh | --long]             the till's image, in build/image
./build.sh keys DIR                             makes the keys that sign images and updates, outside
./build.sh flash /dev/X [--image FILE]          writes an image to a till's disk and reads it back
./build.sh till [--json] [--state DIR]          that image as a virtual till in QEMU, until Ctrl-C
./build.sh rig shtrih --tcp HOST:PORT | --pty PATH [--state DIR]   the registrar alone
./build.sh rig ofd [--port PORT] [--state DIR]                     the ОФД alone
./build.sh rig odoo [--port PORT] [--state DIR]                    Odoo alone
./build.sh rig ups --pty PATH                                      the UPS alone, for apcupsd
./build.sh check                                formats, types, shell, units, unit tests
./build.sh test [PYTEST OPTION...]              everything; with options, those tests only
./build.sh bench [OPTION...]                    measures, against the limit of the machine
./build.sh lock                                 resolves the dependencies anew
TEXT
}

# Standard output of `dev --json` is one line: whatever a stage has to say goes to standard error.
apt_install() {
    local packages="$*"
    [[ -x /usr/bin/apt-get ]] || die "missing: $packages (this is not Debian: install them yourself)"
    [[ $EUID -eq 0 ]] || die "missing: $packages; run as root: apt-get install $packages"
    export DEBIAN_FRONTEND=noninteractive
    {
        apt-get update --quiet=2 &&
            apt-get install --quiet=2 --option Dpkg::Use-Pty=0 --assume-yes \
                --no-install-recommends "$@"
    } </dev/null >&2 || die "apt-get could not install $packages"
}

find_python() {
    local candidate
    for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

# Debian splits venv from python3; small installations leave out the time zones, and curl, with
# which `dev` invites to try the till.
install_missing() {
    local missing=() base
    if ! base=$(find_python); then
        missing+=(python3 python3-venv)
    elif ! "$base" -c 'import ensurepip, venv' 2>/dev/null; then
        missing+=(python3-venv)
    fi
    [[ -e /usr/share/zoneinfo/Europe/Moscow ]] || missing+=(tzdata)
    command -v curl >/dev/null || missing+=(curl)
    [[ ${#missing[@]} -eq 0 ]] || apt_install "${missing[@]}"
}

# Tests and benchmarks build the disk that fails and the one that is slow from one file of C.
install_compiler() {
    command -v cc >/dev/null || command -v gcc >/dev/null || apt_install gcc libc6-dev
}

# Tests kill and freeze a real one.
install_redis() {
    command -v redis-server >/dev/null || apt_install redis-server
}

# Tests have it watch a simulated UPS.
install_apcupsd() {
    [[ -x /sbin/apcupsd ]] || apt_install apcupsd
}

# The stamp names lock and place: a changed lock installs, a moved checkout starts over.
stage_venv() {
    local stamp=.venv/kktd.stamp wanted base site
    wanted="$PWD $(sha256sum requirements/dev.txt)"
    mkdir --parents .state
    exec 9>.state/venv.lock
    flock 9
    if [[ ! -e $stamp || $(<"$stamp") != "$wanted" ]] || ! "$python" -c '' 2>/dev/null; then
        install_missing
        base=$(find_python) || die "no Python from 3.11 on"
        if ! "$python" -m pip --version >/dev/null 2>&1; then
            "$base" -m venv --clear .venv >&2
        fi
        "$python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            --requirement requirements/dev.txt >&2
        site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        printf '%s\n' "$PWD" "$PWD/tests/hil" >"$site/kktd.pth"
        printf '%s\n' "$wanted" >"$stamp"
    fi
    exec 9>&-
}

check_units() {
    command -v systemd-analyze >/dev/null || { echo "units: no systemd-analyze, skipped"; return; }
    local copy=.state/units version
    rm --recursive --force "$copy"
    mkdir --parents "$copy"
    cp --recursive systemd/* "$copy"
    # Nothing of it is installed here, and verify wants to see what a unit starts.
    sed --in-place 's|^\(Exec[A-Za-z]*\)=[^ ]*|\1=/bin/true|' "$copy"/*.service
    version=$(systemd-analyze --version | awk 'NR == 1 { print int($2) }')
    # Debian 12's does not know the type that the image's needs; all else it can judge.
    [[ $version -ge 253 ]] ||
        sed --in-place 's|^Type=notify-reload$|Type=notify|' "$copy/kktd.service"
    systemd-analyze verify --man=no "$copy"/kktd* && echo "units: verified"
}

# Joined by && because `set -e` sleeps in whatever a caller puts before ||.
stage_static() {
    "$python" -m ruff format --check . &&
        "$python" -m ruff check . &&
        "$python" -m mypy --strict kktd tests benchmarks &&
        .venv/bin/shellcheck build.sh .ci/run image/*.sh image/mkosi.finalize \
            apcupsd/{config,event,doshutdown,killpower} &&
        echo "shellcheck: clean" &&
        check_units
}

stage_check() {
    stage_static
    "$python" -m pytest --quiet tests/unit
}

# A suite that collects nothing fails: pytest answers 5 then.
stage_test() {
    [[ $# -eq 0 ]] || exec "$python" -m pytest "$@"
    local suite failed=()
    stage_static || failed+=(static)
    for suite in "${suites[@]}"; do
        "$python" -m pytest --quiet "tests/$suite" || failed+=("$suite")
    done
    [[ ${#failed[@]} -eq 0 ]] || die "failed: ${failed[*]}"
    echo "build.sh: all of ${suites[*]} passed"
}

# Its own tools tree does the rest: the host needs what makes that tree.
stage_image() {
    [[ $EUID -eq 0 ]] || die "the image is built as root: it makes file systems"
    command -v mmdebstrap >/dev/null || apt_install mmdebstrap
    image/build.sh "$@" >&2
}

# Whoever has them can make an image every till believes: not in a repository, not on a build host.
stage_keys() {
    local folder
    folder=$(realpath --canonicalize-missing "${1:?"./build.sh keys DIR"}")
    [[ $EUID -eq 0 ]] || die "the keys are made in the tools tree, as root"
    [[ $folder/ != "$PWD"/* ]] || die "$folder is inside the repository: keep keys elsewhere"
    [[ -z $(git -C "$(dirname "$folder")" rev-parse --show-toplevel 2>/dev/null) ]] ||
        die "$folder is inside a repository: keep keys elsewhere"
    command -v mmdebstrap >/dev/null || apt_install mmdebstrap
    mkdir --parents "$folder"
    chmod 700 "$folder"
    KKTD_KEYS=$folder image/tools.sh run image/keys.sh >&2
    echo "keys: KKTD_KEYS=$folder ./build.sh image signs with them"
}

# The image of this version, or the one that --image names.
stage_flash() {
    local disk=${1:?"./build.sh flash /dev/X [--image FILE]"} image version
    version=$(sed --quiet 's/^version = "\(.*\)"/\1/p' pyproject.toml)
    image=build/kktd_$version.img.zst
    [[ ${2:-} != --image ]] || image=${3:?}
    [[ $EUID -eq 0 ]] || die "a disk is written as root"
    [[ -e $image ]] || die "no $image: ./build.sh image"
    command -v zstd >/dev/null || apt_install zstd
    exec "$python" image/flash.py "$disk" --image "$image"
}

stage_till() {
    stage_image --
    exec "$python" tests/hil/till.py --image "$PWD/build/image/kktd.raw" "$@"
}

stage_rig() {
    [[ ${1:-} == shtrih || ${1:-} == ofd || ${1:-} == odoo || ${1:-} == ups ]] || { usage >&2; exit 2; }
    exec "$python" -m "rig.$1" "${@:2}"
}

stage_lock() {
    local compile=(pip compile --quiet --universal --generate-hashes --no-header pyproject.toml)
    "$python" -m pip install --quiet uv
    "$python" -m uv "${compile[@]}" --output-file requirements/runtime.txt
    "$python" -m uv "${compile[@]}" --extra dev --constraint requirements/runtime.txt \
        --output-file requirements/dev.txt
}

main() {
    local stage=${1:-}
    case $stage in
        dev | till | image | keys | flash | rig | test | check | bench | lock) ;;
        help | --help | -h) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    cd "$(dirname "${BASH_SOURCE[0]}")"
    stage_venv
    case $stage in
        bench | check | test) install_compiler ;;
    esac
    [[ $stage != test ]] || { install_redis; install_apcupsd; }
    case $stage in
        dev) exec "$python" tests/hil/dev.py "${@:2}" ;;
        bench) exec "$python" -m benchmarks "${@:2}" ;;
        *) "stage_$stage" "${@:2}" ;;
    esac
}

main "$@"
