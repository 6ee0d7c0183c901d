#!/bin/sh
# Puts the program and the user's own programs into the file system in $1 that rootfs.sh has made.
# Run by the second stage of the Dockerfile. From the environment: CLAWDBOT_DOCKER_APT_PACKAGES, TARGETARCH.
set -eu
out=$1
here=$(dirname "$0")
# shellcheck source=scripts/docker/elf.sh
. "$here/elf.sh"
packages=${CLAWDBOT_DOCKER_APT_PACKAGES:-}
machine=$(dpkg --print-architecture)
arch=${TARGETARCH:-$machine}

fail() {
  echo "clawdbot: $*" >&2
  exit 1
}

cp /clawdbot "$out/usr/local/bin/clawdbot"
mkdir -p "$out/usr/share/licenses/clawdbot"
cp /licenses/* "$out/usr/share/licenses/clawdbot/"
for name in node openclaw moltbot; do ln -s clawdbot "$out/usr/local/bin/$name"; done
echo '// In this image "node" is clawdbot itself, so "node dist/index.js" runs it. This file is never read.' >"$out/app/dist/index.js"

# The libraries of $1, to the places where its loader looks for them.
bring_libraries() {
  ldd "$1" | grep -Eo '/[^ ]+' | while read -r library; do
    mkdir -p "$out$(dirname "$library")"
    [ -e "$out$library" ] || cp -L "$library" "$out$library"
  done
}
if [ -z "$packages" ] && needs_loader /clawdbot; then
  echo 'This executable is not a portable one; it gets the C library of Debian beside it.'
  [ "$arch" = "$machine" ] || fail "An executable for $arch that needs libraries can only be packed on $arch."
  bring_libraries /clawdbot
fi

# Programs of the user. Those that want libraries of their own need the whole Debian.
for file in "$here"/extra-bin/*; do
  name=${file##*/}
  case $name in
    README.md | '*') continue ;;
    clawdbot | node | openclaw | moltbot) fail "scripts/docker/extra-bin/$name has the name of this program." ;;
  esac
  [ -f "$file" ] || fail "scripts/docker/extra-bin/$name is not a file. Put the programs themselves there, not their folder."
  cp "$file" "$out/usr/local/bin/$name"
  chmod 755 "$out/usr/local/bin/$name"
  if [ -z "$packages" ] && needs_loader "$file"; then
    echo "warning: $name needs shared libraries, and the minimal image has none." >&2
    echo "         Set CLAWDBOT_DOCKER_APT_PACKAGES=ca-certificates for an image with a whole Debian." >&2
  fi
done
