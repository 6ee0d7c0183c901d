#!/bin/sh
# Puts the executable of the image at $1/clawdbot: the prebuilt one, or one built from the source in the current folder.
# Run by the first stage of the Dockerfile. From the environment: CLAWDBOT_BINARY, TARGETARCH (set by BuildKit only).
set -eu
out=$1
here=$(dirname "$0")
# shellcheck source=scripts/docker/elf.sh
. "$here/elf.sh"

fail() {
  echo "clawdbot: $*" >&2
  exit 1
}

arch=${TARGETARCH:-$(dpkg --print-architecture)}
case $arch in
  amd64) target=linux-x64 ;;
  arm64) target=linux-arm64 ;;
  *) fail "there is no clawdbot for $arch; it runs on amd64 and arm64." ;;
esac

# An executable that is older than some of the source would be yesterday's program in today's image.
is_current() {
  newer=$(find src web scripts/portable build.ts package.json bun.lock -type f -newer "$1" -print 2>/dev/null | head -n 1)
  [ -z "$newer" ] && return 0
  echo "$1 is older than $newer, so it is not used."
  return 1
}

prebuilt() {
  if [ -n "${CLAWDBOT_BINARY:-}" ]; then
    [ -f "$CLAWDBOT_BINARY" ] ||
      fail "CLAWDBOT_BINARY=$CLAWDBOT_BINARY is not in the build context. Does .dockerignore leave it out?"
    is_for "$CLAWDBOT_BINARY" "$arch" ||
      fail "CLAWDBOT_BINARY=$CLAWDBOT_BINARY is not an executable for $arch. Build it with: bun build.ts --target $target"
    found=$CLAWDBOT_BINARY
    return 0
  fi
  for found in "dist/clawdbot-$target" dist/clawdbot; do
    if [ -f "$found" ] && is_for "$found" "$arch" && is_current "$found"; then return 0; fi
  done
  return 1
}

mkdir -p "$out/data"
if prebuilt; then
  echo "Using $found."
else
  command -v npx >/dev/null ||
    fail "no executable for $arch in dist/, and no Node to build one. Leave out --build-arg CLAWDBOT_BUILD_IMAGE."
  version=$(node -p 'require("./package.json").devDependencies.bun')
  echo "Building clawdbot for $target with Bun $version."
  npx -y "bun@$version" run build --target "$target" --outdir /built
  found=/built/clawdbot-$target
fi
! needs_loader "$found" || echo "$found needs the C library of a system, so the target \`bare\` cannot run it."
cp "$found" "$out/clawdbot"
chmod 755 "$out/clawdbot"
