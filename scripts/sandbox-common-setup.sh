#!/usr/bin/env bash
# Builds the sandbox image with the tools that assistants ask for most: clawdbot-sandbox-common:bookworm-slim.
set -euo pipefail
LC_ALL=C
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/setup/sandbox.sh
. scripts/setup/sandbox.sh

NAME=sandbox-common:bookworm-slim

usage() {
  cat <<'TEXT'
Usage: scripts/sandbox-common-setup.sh

Builds clawdbot-sandbox-common:bookworm-slim: the sandbox with programming languages and package managers.

Variables:
  BASE_IMAGE        clawdbot-sandbox:bookworm-slim, built first when it is not there
  TARGET_IMAGE      clawdbot-sandbox-common:bookworm-slim
  PACKAGES          Debian packages
  INSTALL_PNPM      1; needs nodejs and npm among the packages
  INSTALL_BUN       1; the same
  INSTALL_BREW      1; needs git and ruby among the packages
  BUN_INSTALL_DIR   /opt/bun
  BREW_INSTALL_DIR  /home/linuxbrew/.linuxbrew

Example:
  PACKAGES="ffmpeg imagemagick" INSTALL_PNPM=0 INSTALL_BUN=0 INSTALL_BREW=0 scripts/sandbox-common-setup.sh
TEXT
}
case ${1:-} in
  '') ;;
  -h | --help)
    usage
    exit 0
    ;;
  *) fail "there is no option ${1:0:80}" 'Look at: scripts/sandbox-common-setup.sh --help' ;;
esac

BASE_IMAGE=${BASE_IMAGE:-clawdbot-sandbox:bookworm-slim}
TARGET_IMAGE=${TARGET_IMAGE:-clawdbot-$NAME}
PACKAGES=${PACKAGES:-build-essential ca-certificates cargo coreutils curl file git golang-go grep jq libasound2-dev nodejs npm pkg-config python3 ruby rustc unzip wget}
INSTALL_PNPM=${INSTALL_PNPM:-1}
INSTALL_BUN=${INSTALL_BUN:-1}
INSTALL_BREW=${INSTALL_BREW:-1}
BUN_INSTALL_DIR=${BUN_INSTALL_DIR:-/opt/bun}
BREW_INSTALL_DIR=${BREW_INSTALL_DIR:-/home/linuxbrew/.linuxbrew}

check_image_name BASE_IMAGE "$BASE_IMAGE"
check_image_name TARGET_IMAGE "$TARGET_IMAGE"
check_packages "$PACKAGES"
check_switch INSTALL_PNPM "$INSTALL_PNPM"
check_switch INSTALL_BUN "$INSTALL_BUN"
check_switch INSTALL_BREW "$INSTALL_BREW"
check_folder BUN_INSTALL_DIR "$BUN_INSTALL_DIR"
check_folder BREW_INSTALL_DIR "$BREW_INSTALL_DIR"

find_tool
if [ "$BASE_IMAGE" = clawdbot-sandbox:bookworm-slim ] && ! has_image "$BASE_IMAGE"; then scripts/sandbox-setup.sh; fi

# Everything that is put into this text was checked above. pnpm 9 is the last one for the Node of this Debian.
{
  cat <<TEXT
FROM $BASE_IMAGE
USER root
RUN apt-get update \\
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $PACKAGES \\
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
TEXT
  [ "$INSTALL_PNPM" = 0 ] || printf 'RUN npm install -g pnpm@9\n'
  [ "$INSTALL_BUN" = 0 ] || printf 'RUN npm install -g --prefix %s bun@1 && ln -sf %s/bin/bun /usr/local/bin/bun\n' "$BUN_INSTALL_DIR" "$BUN_INSTALL_DIR"
  [ "$INSTALL_BREW" = 0 ] || cat <<TEXT
RUN mkdir -p $BREW_INSTALL_DIR/bin \\
    && git clone --depth 1 https://github.com/Homebrew/brew $BREW_INSTALL_DIR/Homebrew \\
    && ln -s ../Homebrew/bin/brew $BREW_INSTALL_DIR/bin/brew \\
    && chown -R 1000:1000 $BREW_INSTALL_DIR
ENV HOMEBREW_PREFIX=$BREW_INSTALL_DIR HOMEBREW_CELLAR=$BREW_INSTALL_DIR/Cellar HOMEBREW_REPOSITORY=$BREW_INSTALL_DIR/Homebrew
ENV PATH=$BREW_INSTALL_DIR/bin:$BREW_INSTALL_DIR/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
TEXT
  printf 'USER 1000:1000\n'
} | "$TOOL" build -t "$TARGET_IMAGE" - ||
  fail 'The image could not be built; the reason is above.' 'Is every name in PACKAGES right, and is there a network?'
if [ "$TARGET_IMAGE" = "clawdbot-$NAME" ]; then add_older_names "$NAME"; fi
printf 'Built %s.\n' "$TARGET_IMAGE"
