#!/usr/bin/env bats
# The folders of this machine that docker-setup.sh makes, and who may write to them. What a chown does is tested with a real engine.

load stage

@test "deploy-020 both folders are made, the state is private" {
  docker_setup
  ends_with 0
  [ "$(stat -c %a "$HOME_DIR/.clawdbot")" = 700 ]
  [ -d "$HOME_DIR/clawd" ]
}

@test "deploy-020 folders of one's own choice, also below the current folder" {
  mkdir "$BATS_TEST_TMPDIR/here"
  cd "$BATS_TEST_TMPDIR/here"
  docker_setup CLAWDBOT_CONFIG_DIR="state dir" CLAWDBOT_WORKSPACE_DIR="$HOME_DIR/a/b/c"
  ends_with 0
  [ -d "$BATS_TEST_TMPDIR/here/state dir" ]
  [ -d "$HOME_DIR/a/b/c" ]
  # A full path is kept, so that another run from elsewhere means the same.
  cd /
  docker_setup
  says "State:       $BATS_TEST_TMPDIR/here/state dir"
  # In .env it is below the repository, as Compose reads it.
  printf 'CLAWDBOT_CONFIG_DIR=./state\n' >"$STAGE/.env"
  docker_setup
  says "State:       $STAGE/state"
}

@test "deploy-020 where the container can write nothing is changed" {
  docker_setup
  never_asked chown
  never_asked '--user 0'
}

@test "deploy-020 without root the container's root gives the folders to the container's user" {
  [ "$(id -u)" = 0 ] && getent passwd nobody >/dev/null || skip 'needs root, to be somebody else'
  chmod 755 "$BATS_TEST_TMPDIR" "$BATS_RUN_TMPDIR"
  chown -R nobody "$STAGE" "$HOME_DIR" "$BIN" "$LOG" "$BATS_TEST_TMPDIR"
  run setpriv --reuid=nobody --regid=nogroup --clear-groups env -i PATH="$BIN:$PATH" HOME="$HOME_DIR" STUB_LOG="$LOG" \
    STUB_REFUSED=/home/node/.clawdbot "$STAGE/docker-setup.sh"
  ends_with 0
  asked 'run --rm --network none --user 0 -v'
  asked '--entrypoint busybox clawdbot:local chown -hR 1000:1000 /home/node/.clawdbot /home/node/clawd'
  says 'which the container runs as'
  says "sudo chown -R $(id -u nobody):"
}

@test "deploy-035 a folder that the container cannot write to: the exact command" {
  docker_setup STUB_REFUSED=always:/home/node/clawd CLAWDBOT_WORKSPACE_DIR="$HOME_DIR/it's"
  ends_with 1
  says 'runs as uid 1000 and cannot write'
  says "sudo chown -R 1000:1000 '$HOME_DIR/.clawdbot' '$HOME_DIR/it'\\''s'"
  says 'File sharing'
  never_asked 'compose up'
}

@test "deploy-035 somebody's own files are not given away unasked" {
  [ "$(id -u)" = 0 ] || skip 'needs root'
  mkdir "$HOME_DIR/projects"
  : >"$HOME_DIR/projects/mine"
  chown -R 4242 "$HOME_DIR/projects"
  docker_setup STUB_REFUSED=/home/node/clawd CLAWDBOT_WORKSPACE_DIR="$HOME_DIR/projects"
  ends_with 1
  says "belongs to uid 4242"
  [ "$(stat -c %u "$HOME_DIR/projects/mine")" = 4242 ]
  never_asked chown
}

@test "deploy-035 nor are root's, unless one of our containers has worked there" {
  [ "$(id -u)" = 0 ] || skip 'needs root'
  mkdir "$HOME_DIR/app" "$HOME_DIR/old" "$HOME_DIR/fresh"
  : >"$HOME_DIR/app/cron.sh"
  : >"$HOME_DIR/old/clawdbot.json"
  docker_setup STUB_REFUSED=/home/node/clawd CLAWDBOT_WORKSPACE_DIR="$HOME_DIR/app"
  ends_with 1
  says "belongs to uid 0 and is not empty"
  [ "$(stat -c %u "$HOME_DIR/app" "$HOME_DIR/app/cron.sh" | sort -u)" = 0 ]
  docker_setup STUB_REFUSED=/home/node/clawd CLAWDBOT_CONFIG_DIR="$HOME_DIR/old" CLAWDBOT_WORKSPACE_DIR="$HOME_DIR/fresh"
  # The stub goes on refusing.
  says "cannot write to its folders"
  [ "$(stat -c %u "$HOME_DIR/old/clawdbot.json" "$HOME_DIR/fresh" | sort -u)" = 1000 ]
}

@test "deploy-035 a folder's place that is taken by a file" {
  : >"$HOME_DIR/clawd"
  docker_setup
  ends_with 1
  says 'is not a folder'
}
