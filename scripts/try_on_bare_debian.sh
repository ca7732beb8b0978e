#!/usr/bin/env bash
# Follows README on a bare Debian: a folder with python3, python3-venv, make and git and nothing
# else, a clone of this checkout, somebody who is not root. Says how long it took from the beginning
# of the clone until the first backup was made, verified and restored. Needs root, debootstrap,
# iproute2 and the network.
#
#   scripts/try_on_bare_debian.sh [RELEASE [FOLDER]]       bookworm, and a folder that is removed again
set -euo pipefail
release=${1:-bookworm}
root=${2:-$(mktemp -d /tmp/bare-debian-XXXXXX)}
here=$(cd "$(dirname "$0")/.." && pwd)
home=/home/somebody

finish() {
    umount -R "$root/proc" "$root/dev" 2>/dev/null || true
    # Never into what is mounted there still.
    [ "${keep:-}" ] || mountpoint -q "$root/dev" || rm -rf --one-file-system "$root"
}
trap finish EXIT
[ $# -lt 2 ] || keep=yes

echo "--- a bare Debian ($release) in $root"
[ -e "$root/usr/bin/git" ] || debootstrap --variant=minbase \
    --include=python3,python3-venv,make,git,ca-certificates "$release" "$root" >/dev/null
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev" && mount --make-rslave "$root/dev"
# The way out of this machine is that of the machine: its names, its authorities.
cp /etc/resolv.conf "$root/etc/resolv.conf"
[ ! "${SSL_CERT_FILE:-}" ] || cp "$SSL_CERT_FILE" "$root/etc/ssl/certs/ca-certificates.crt"
chroot "$root" useradd --create-home somebody 2>/dev/null || true
rm -rf "$root$home/tarkeep"
began=$SECONDS
git clone --quiet --no-hardlinks "$here" "$root$home/tarkeep"
chroot "$root" chown -R somebody: "$home"

as_somebody() {
    env -i HOME="$home" USER=somebody LANG=C.UTF-8 PATH=/usr/bin:/bin \
        ${SSL_CERT_FILE:+PIP_CERT=/etc/ssl/certs/ca-certificates.crt} \
        "$(command -v chroot)" --userspec=somebody:somebody "$root" bash -euc "cd $home/tarkeep; $1"
}

echo "--- make run: first the packages"
as_somebody "make install"
echo "    cloned and installed after $((SECONDS - began)) s"

# A network of its own, in which port 8000 is free; a shell in it does all the rest.
export -f as_somebody
export root home began SSL_CERT_FILE="${SSL_CERT_FILE:-}"
unshare --mount --net --pid --fork --kill-child bash -euo pipefail -c '
    ip link set lo up
    mount -t proc proc "$root/proc"
    SECONDS='"$((SECONDS - began))"'
    as_somebody "make run" >"$root/screen" 2>&1 &
    for _ in $(seq 120); do grep -q "Tarkeep runs" "$root/screen" && break; sleep 1; done
    grep -A 14 "Tarkeep runs" "$root/screen" || { cat "$root/screen"; exit 1; }
    echo "    runs after $SECONDS s"
    as_somebody "
        .venv/bin/tarkeep backup --quiet
        .venv/bin/tarkeep verify latest --quiet
        rm data/state.json
        .venv/bin/tarkeep restore latest --yes --quiet
        test -s data/state.json
        .venv/bin/tarkeep doctor"
    echo "--- the first backup is made, verified and restored after $SECONDS s"
'
