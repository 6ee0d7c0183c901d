#!/bin/sh
# Assembles the system of the image in $1 from Debian's packages: everything but the program. program.sh does the rest.
# Run by the second stage of the Dockerfile. From the environment: CLAWDBOT_DOCKER_APT_PACKAGES, TARGETARCH.
set -euf
out=$1
packages=${CLAWDBOT_DOCKER_APT_PACKAGES:-}
machine=$(dpkg --print-architecture)
arch=${TARGETARCH:-$machine}
# What scripts of the guides, `docker exec` and the assistant's commands expect. Debian's busybox has them all.
APPLETS='[ [[ ash awk base64 basename bc bunzip2 bzcat bzip2 cat chgrp chmod chown clear cmp cp cpio cut date dd df diff
  dirname dos2unix du echo ed egrep env expand expr false fgrep find fold free getopt grep groups gunzip gzip head
  hexdump hostname id ip kill killall less ln ls md5sum mkdir mkfifo mktemp more mv nc netstat nl nproc nslookup od
  paste patch pidof ping printf ps pwd readlink realpath renice rev rm rmdir sed seq setsid sh sha1sum sha256sum
  sha512sum shuf sleep sort stat strings stty sync tac tail tar tee test time timeout top touch tr true truncate tty
  uname uniq unix2dos unlink unxz unzip uptime usleep vi watch wc wget which who whoami xargs xxd xz xzcat yes zcat'

fail() {
  echo "clawdbot: $*" >&2
  exit 1
}

# Names and versions only: a word that begins with `-` would be an option of apt-get, and `pkg-` or `pkg+` have meanings too.
for name in $packages; do
  printf '%s\n' "$name" | grep -Eqx '[a-z0-9][a-z0-9+.-]*[a-z0-9+.]([:=][A-Za-z0-9+.:~-]+)?' ||
    fail "CLAWDBOT_DOCKER_APT_PACKAGES: \"$name\" is not the name of a Debian package."
done

apt-get update -q -o APT::Update::Error-Mode=any
if [ -n "$packages" ]; then
  [ "$arch" = "$machine" ] ||
    fail "CLAWDBOT_DOCKER_APT_PACKAGES needs a machine of the image's own architecture ($arch); this is $machine."
  # shellcheck disable=SC2086 # words, each of them checked above
  apt-get install -q -y --no-install-recommends ca-certificates $packages
  mkdir -p "$out"
  tar -c --one-file-system -C / \
    --exclude=./proc --exclude=./sys --exclude=./dev --exclude=./scripts --exclude=./tmp \
    --exclude=./var/lib/apt/lists --exclude=./var/cache/apt --exclude="./${out#/}" . |
    tar -x -C "$out"
else
  mkdir -p "$out/usr/bin" "$out/usr/sbin" "$out/etc/ssl/certs" "$out/root"
  ln -s usr/bin "$out/bin"
  ln -s usr/sbin "$out/sbin"
  chmod 700 "$out/root"
  for name in $APPLETS; do ln -s busybox "$out/usr/bin/$name"; done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$out/etc/passwd"
  echo 'root:x:0:' >"$out/etc/group"
  echo 'hosts: files dns' >"$out/etc/nsswitch.conf"
fi

# Unpacked, not installed: that works for another architecture too.
debs=$(mktemp -d)
[ "$arch" = "$machine" ] || { dpkg --add-architecture "$arch" && apt-get update -q -o APT::Update::Error-Mode=any; }
(cd "$debs" && apt-get download -q "busybox-static:$arch" "tini:$arch" ca-certificates)
find "$debs" -name '*.deb' -exec dpkg-deb -x {} "$debs/x" \;
mkdir -p "$out/usr/local/bin" "$out/app/dist" "$out/home/node/.clawdbot" "$out/home/node/clawd" "$out/data" "$out/tmp"
cp "$debs/x/bin/busybox" "$out/usr/bin/busybox"
cp "$debs/x/usr/bin/tini-static" "$out/usr/sbin/tini"
[ -n "$packages" ] ||
  find "$debs/x/usr/share/ca-certificates" -name '*.crt' -exec cat {} + >"$out/etc/ssl/certs/ca-certificates.crt"
rm -rf "$debs"

grep -q '^node:' "$out/etc/passwd" || echo 'node:x:1000:1000:node:/home/node:/bin/sh' >>"$out/etc/passwd"
grep -q '^node:' "$out/etc/group" || echo 'node:x:1000:' >>"$out/etc/group"
chown -R 1000:1000 "$out/home/node" "$out/data"
chmod 700 "$out/home/node/.clawdbot" "$out/data"
chmod 1777 "$out/tmp"
