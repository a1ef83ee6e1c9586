#!/usr/bin/env bash
# Make the keys that sign an image and its updates.  Usage, in the tools tree: image/keys.sh
# Into /keys, once: PK, KEK and db of Secure Boot and the key of the updates; what every image carries
# of them is in enrol/ (for the firmware) and public/ (for kktctl update).
set -euo pipefail

readonly folder=/keys days=7300

die() { printf 'keys.sh: %s\n' "$1" >&2; exit 1; }

make_pair() {
    openssl req -new -x509 -newkey rsa:2048 -nodes -sha256 -days "$days" -subj "/CN=kktd $1/" \
        -keyout "$folder/$1.key" -out "$folder/$1.pem" 2>/dev/null
    cert-to-efi-sig-list -g "$owner" "$folder/$1.pem" "$folder/$1.esl"
}

# name of the list, name of the key that vouches for it
sign_list() { sign-efi-sig-list -g "$owner" -k "$folder/$2.key" -c "$folder/$2.pem" "$1" \
    "$folder/$1.esl" "$folder/enrol/$1.auth" >/dev/null; }

main() {
    [[ ! -e $folder/update.key ]] || die "there are keys already"
    umask 077
    owner=$(cat /proc/sys/kernel/random/uuid)
    readonly owner
    mkdir "$folder/enrol" "$folder/public"
    make_pair PK
    make_pair KEK
    make_pair db
    sign_list PK PK
    sign_list KEK PK
    sign_list db KEK
    openssl genpkey -algorithm ed25519 -out "$folder/update.key.new"
    openssl pkey -in "$folder/update.key.new" -pubout -out "$folder/public/update.pem"
    chmod 755 "$folder/enrol" "$folder/public"
    chmod 644 "$folder"/enrol/* "$folder/public/update.pem"
    mv "$folder/update.key.new" "$folder/update.key"
}

main
