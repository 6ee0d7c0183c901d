#!/usr/bin/env bats
# scripts/sandbox-*.sh with a docker that only writes down what it is asked. What they build is tested with a real engine.

setup() {
  REPO=$BATS_TEST_DIRNAME/../../..
  BIN=$BATS_TEST_TMPDIR/bin
  LOG=$BATS_TEST_TMPDIR/docker.log
  mkdir "$BIN"
  cat >"$BIN/docker" <<'END'
#!/bin/bash
printf '%q ' "$@" >>"$STUB_LOG"
printf '\n' >>"$STUB_LOG"
case $1 in
  build)
    cat >"$STUB_LOG.input"
    [ "${STUB_BUILD:-}" != fails ]
    ;;
  image) [ "${STUB_IMAGES:-}" = all ] ;;
esac
END
  chmod +x "$BIN/docker"
  cd /
}

script() {
  local name=$1
  shift
  run env -i PATH="$BIN:$PATH" HOME=/nowhere STUB_LOG="$LOG" "$@" "$REPO/scripts/$name"
}
asked() { grep -qxF -- "$1 " "$LOG"; }

@test "deploy-117 every file of the guides' appendix is at its path" {
  cd "$REPO"
  for path in docker-setup.sh Dockerfile docker-compose.yml fly.toml fly.private.toml Dockerfile.sandbox \
    scripts/package-mac-app.sh scripts/sandbox-setup.sh scripts/sandbox-common-setup.sh scripts/sandbox-browser-setup.sh; do
    [ -s "$path" ] || { echo "missing: $path"; false; }
    case $path in
      *.sh) [ -x "$path" ] ;;
    esac
  done
}

@test "deploy-033 the sandbox image is built without this folder, under today's and older names" {
  script sandbox-setup.sh
  [ "$status" -eq 0 ]
  asked 'build --no-cache -t clawdbot-sandbox:bookworm-slim -'
  cmp "$LOG.input" "$REPO/Dockerfile.sandbox"
  asked 'tag clawdbot-sandbox:bookworm-slim openclaw-sandbox:bookworm-slim'
  asked 'tag clawdbot-sandbox:bookworm-slim moltbot-sandbox:bookworm-slim'
}

@test "deploy-033 the browser image is built from two files" {
  script sandbox-browser-setup.sh
  [ "$status" -eq 0 ]
  [ "$(tar -tf "$LOG.input" | tr '\n' ,)" = 'Dockerfile.sandbox-browser,scripts/sandbox-browser-entrypoint.sh,' ]
  asked 'tag clawdbot-sandbox-browser:bookworm-slim openclaw-sandbox-browser:bookworm-slim'
  # What it tells to type publishes on this machine only.
  [[ $output == *'-p 127.0.0.1:9222:9222'* ]]
  [[ $output != *'-p 9222'* ]]
  [[ $output != *'-p 6080'* ]]
}

@test "deploy-033 the common image begins with the sandbox, which is built when it is not there" {
  script sandbox-common-setup.sh
  [ "$status" -eq 0 ]
  asked 'build --no-cache -t clawdbot-sandbox:bookworm-slim -'
  asked 'build -t clawdbot-sandbox-common:bookworm-slim -'
  asked 'tag clawdbot-sandbox-common:bookworm-slim moltbot-sandbox-common:bookworm-slim'
  head -n 1 "$LOG.input" | grep -qx 'FROM clawdbot-sandbox:bookworm-slim'
  tail -n 1 "$LOG.input" | grep -qx 'USER 1000:1000'
  grep -q 'pnpm' "$LOG.input"
  grep -q '/opt/bun' "$LOG.input"
  grep -q '/home/linuxbrew/.linuxbrew' "$LOG.input"
}

@test "deploy-033 its variables choose what is in it" {
  script sandbox-common-setup.sh STUB_IMAGES=all PACKAGES='ffmpeg g++' INSTALL_PNPM=0 INSTALL_BUN=0 INSTALL_BREW=0 \
    BASE_IMAGE=me/base:1 TARGET_IMAGE=mine:2
  [ "$status" -eq 0 ]
  asked 'build -t mine:2 -'
  [ "$(grep -c . "$LOG")" -eq 1 ]
  [ "$(cat "$LOG.input")" = 'FROM me/base:1
USER root
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ffmpeg g++ \
    && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
USER 1000:1000' ]
}

@test "deploy-033 hostile variables never reach a build" {
  while IFS= read -r pair; do
    script sandbox-common-setup.sh STUB_IMAGES=all "$pair"
    [ "$status" -eq 1 ] || { echo "taken: $pair"; false; }
    [[ $output == error:* ]]
    [ ! -e "$LOG" ]
  done <<'END'
PACKAGES=jq; touch /hacked
PACKAGES=$(touch /hacked)
PACKAGES=-o=x
PACKAGES=*
BASE_IMAGE=-x
BASE_IMAGE=a b
TARGET_IMAGE=--privileged
BUN_INSTALL_DIR=opt
BUN_INSTALL_DIR=/opt/../etc
BUN_INSTALL_DIR=/opt;id
BREW_INSTALL_DIR=/a b
INSTALL_BREW=yes
END
  script sandbox-common-setup.sh STUB_IMAGES=all BASE_IMAGE=$'a\nRUN id'
  [ "$status" -eq 1 ]
  [ ! -e "$LOG" ]
}

@test "deploy-033 a build that fails, an engine that is not there, an option that is none" {
  for name in sandbox-setup.sh sandbox-common-setup.sh sandbox-browser-setup.sh; do
    script "$name" STUB_BUILD=fails STUB_IMAGES=all
    [ "$status" -eq 1 ]
    [[ $output == *'could not be built'* ]]
    if grep -q '^tag' "$LOG"; then false; fi
    run "$REPO/scripts/$name" --what
    [ "$status" -eq 1 ]
    run "$REPO/scripts/$name" --help
    [ "$status" -eq 0 ]
    [[ $output == Usage:* ]]
  done
  mkdir "$BATS_TEST_TMPDIR/tools"
  for tool in bash env dirname; do ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/tools/$tool"; done
  run env -i PATH="$BATS_TEST_TMPDIR/tools" "$REPO/scripts/sandbox-setup.sh"
  [ "$status" -eq 1 ]
  [[ $output == *'Neither Docker nor Podman'* ]]
}
