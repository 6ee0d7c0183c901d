#!/usr/bin/env bats
# install.sh with the program of this checkout: in a root folder that has only busybox, and in the life of a machine.

load helper

# The program's own version, from a release made of it, packed once for all cases.
setup_file() {
  start_lab
  local real=$BATS_FILE_TMPDIR/www/real version files
  version=$("$CLAWDBOT_TEST_BINARY" --version)
  files=$real/download/v$version
  mkdir -p "$files" "$real/latest/download"
  echo "$version" >"$real/latest/download/latest.txt"
  cp "$CLAWDBOT_TEST_BINARY" "$files/clawdbot-$TARGET"
  gzip -1nc "$files/clawdbot-$TARGET" >"$files/clawdbot-$TARGET.gz"
  LAB=$BATS_FILE_TMPDIR sign "$files"
  mkdir -p "$real/download/v2026.1.1" "$real/download/v2099.1.1"
  cp "$BATS_FILE_TMPDIR"/www/good/download/v2026.1.1/* "$real/download/v2026.1.1"
  release "$real" 2099.1.1
  echo "$version" >"$real/latest/download/latest.txt"
  echo "$version" >"$BATS_FILE_TMPDIR/version"
}

teardown_file() {
  if [ -f "$BATS_FILE_TMPDIR/gateway.pid" ]; then kill "$(cat "$BATS_FILE_TMPDIR/gateway.pid")" 2>/dev/null || :; fi
  stop_lab
}

# Also when a test fails in between: bats waits for everything that a test has started.
teardown() {
  if [ -n "${RUNNING-}" ]; then
    pkill -P "$RUNNING" 2>/dev/null || :
    kill "$RUNNING" 2>/dev/null || :
  fi
}

setup() {
  new_home
  VERSION=$(cat "$LAB/version")
  SOURCE=http://127.0.0.1:$HTTP/ok/real
}

# A root folder with a static busybox under the names of its programs, and nothing else.
bare_root() {
  ROOT=$BATS_TEST_TMPDIR/root
  mkdir -p "$ROOT"/{bin,tmp,proc,dev,root,etc,srv}
  cp "$(command -v busybox)" "$ROOT/bin/busybox"
  local name
  for name in $(busybox --list); do ln -s busybox "$ROOT/bin/$name" 2>/dev/null || :; done
  cp "$SCRIPT" "$ROOT/root/install.sh"
}

# in_root <command>...: with /proc and /dev, as a container has them.
in_root() {
  # shellcheck disable=SC2016 # for the inner shell
  unshare -m sh -c 'mount -t proc proc "$0/proc" && mount --bind /dev "$0/dev" && mount --bind "$1" "$0/srv" && shift && exec chroot "$0" /bin/env -i PATH=/usr/local/bin:/bin HOME=/root "$@"' \
    "$ROOT" "$LAB/www" "$@"
}

needs_root() {
  [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null || skip "only root can change the root folder"
  busybox sh -c : || skip "there is no busybox"
  ! ldd "$(command -v busybox)" >/dev/null 2>&1 || skip "this busybox needs libraries"
}

@test "deploy-101 a system with nothing but busybox is enough: its wget, its gzip, no curl, no openssl, no package" {
  needs_root
  bare_root
  run in_root /bin/env CLAWDBOT_INSTALL_BASE_URL="$SOURCE" /bin/sh /root/install.sh
  ended 0
  has_text "clawdbot $VERSION is installed: /usr/local/bin/clawdbot"
  has_text "there is no openssl 3 here"
  run in_root clawdbot --version
  ended 0
  [ "$output" = "$VERSION" ]
  run in_root /bin/sh /root/install.sh --uninstall
  ended 0
  [ ! -e "$ROOT/usr/local/bin/clawdbot" ]
  [ -z "$(ls -A "$ROOT/tmp")" ]
}

@test "deploy-101 the same from a folder, without any network" {
  needs_root
  bare_root
  run in_root /bin/unshare -n /bin/env CLAWDBOT_INSTALL_BASE_URL=file:///srv/real /bin/sh /root/install.sh
  ended 0
  run in_root clawdbot --version
  [ "$output" = "$VERSION" ]
}

@test "deploy-100 a fresh virtual machine: one line, then the gateway runs, and state and program outlive updates and restarts" {
  USE_PATH=/usr/bin:/bin
  cp "$SCRIPT" "$LAB/www/real/install.sh"
  # The user's one line.
  run in_env bash --posix -c "curl -fsSL $SOURCE/install.sh | sh -s -- --dir '$DIR'"
  ended 0
  USE_PATH=$DIR:/usr/bin:/bin
  run in_env clawdbot --version
  [ "$output" = "$VERSION" ]

  gateway() {
    # Before it starts: the lines of the one before would be taken for its own.
    : >"$BATS_TEST_TMPDIR/log"
    in_env clawdbot gateway --allow-unconfigured --port 0 >"$BATS_TEST_TMPDIR/log" 2>&1 </dev/null 3>&- 4>&- &
    RUNNING=$!
    until grep -q 'listening on ws://' "$BATS_TEST_TMPDIR/log"; do kill -0 "$RUNNING"; done
    sed -n 's/.*(PID \([0-9]*\)).*/\1/p' "$BATS_TEST_TMPDIR/log" | head -n 1 >"$LAB/gateway.pid"
  }
  gateway
  run in_env clawdbot health
  ended 0
  [ -d "$HOME_DIR/.clawdbot" ]
  ls "$HOME_DIR/.clawdbot"/*.sqlite

  # An update while it runs: the running one goes on, and is pointed out.
  install --version 2099.1.1
  ended 0
  [ "$(in_env clawdbot --version)" = 2099.1.1 ]
  run in_env "$DIR/clawdbot.prev" health
  ended 0

  # The way back, as docs/updating.md says it.
  mv "$DIR/clawdbot.prev" "$DIR/clawdbot"
  run in_env clawdbot --version
  [ "$output" = "$VERSION" ]

  # The machine restarts.
  pid=$(cat "$LAB/gateway.pid")
  kill "$pid"
  wait "$RUNNING" || :
  gateway
  run in_env clawdbot health
  ended 0
  kill "$(cat "$LAB/gateway.pid")"
  wait "$RUNNING" || :
  install --uninstall
  ended 0
  ls "$HOME_DIR/.clawdbot"/*.sqlite
}

@test "an update from an older program to the real one; the same version again downloads nothing; --verify starts it" {
  install --version 2026.1.1
  install
  ended 0
  [ "$("$DIR/clawdbot" --version)" = "$VERSION" ]
  [ "$("$DIR/clawdbot.prev" --version)" = 2026.1.1 ]
  : >"$LAB/requests"
  install --verify
  ended 0
  has_text "is installed already"
  has_text "Verified: sha256 "
  ! grep -q "clawdbot-$TARGET" "$LAB/requests"
  cmp "$DIR/clawdbot" "$CLAWDBOT_TEST_BINARY"
  run in_env "$DIR/openclaw" --version
  [ "$output" = "$VERSION" ]
}

@test "a script that was cut off does nothing in this shell either" {
  # Should it start after all, then here.
  EXTRA_ENV=("CLAWDBOT_INSTALL_DIR=$DIR")
  for at in 1000 20000 40000 $(($(wc -c <"$SCRIPT") - 3)); do
    head -c "$at" "$SCRIPT" >"$BATS_TEST_TMPDIR/cut.sh"
    # shellcheck disable=SC2086 # the shell and its arguments
    [ -z "$(in_env $SHELL_UNDER_TEST -s -- --dir "$DIR" <"$BATS_TEST_TMPDIR/cut.sh" 2>/dev/null)" ]
  done
  [ -z "$(ls -A "$HOME_DIR")" ]
}
