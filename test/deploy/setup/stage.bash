# A stage for docker-setup.sh: a copy of the repository's part of it in a folder with a space, a home folder with one too, and
# a docker that only writes down what it is asked.

setup() {
  REPO=$BATS_TEST_DIRNAME/../../..
  STAGE="$BATS_TEST_TMPDIR/clawd bot"
  HOME_DIR="$BATS_TEST_TMPDIR/home of me"
  BIN=$BATS_TEST_TMPDIR/bin
  LOG=$BATS_TEST_TMPDIR/docker.log
  mkdir -p "$STAGE/scripts" "$HOME_DIR" "$BIN"
  cp "$REPO/docker-setup.sh" "$REPO/docker-compose.yml" "$STAGE/"
  cp -R "$REPO/scripts/setup" "$STAGE/scripts/"
  : >"$STAGE/Dockerfile"
  : >"$LOG"
  cp "$BATS_TEST_DIRNAME/stub/docker" "$BIN/docker"
  # Waiting costs nothing on the stage.
  printf '#!/bin/sh\n' >"$BIN/sleep"
  chmod +x "$BIN/docker" "$BIN/sleep"
}

# Runs the script with an environment of its own. Words with = before -- are variables, the rest are arguments.
docker_setup() {
  local variables=()
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    variables+=("$1")
    shift
  done
  [ $# -eq 0 ] || shift
  run env -i PATH="$BIN:$PATH" HOME="$HOME_DIR" STUB_LOG="$LOG" "${variables[@]}" "$STAGE/docker-setup.sh" "$@"
}

asked() { grep -qF -- "$1" "$LOG"; }

# What Compose would read, as far as these tests need it: bash agrees with it about single quotes and bare words.
env_value() { grep "^$1=" "$STAGE/.env" | tail -n 1 | cut -d= -f2-; }

says() {
  case $output in
    *"$1"*) ;;
    *)
      printf 'expected: %s\n%s\n' "$1" "$output"
      return 1
      ;;
  esac
}

ends_with() {
  [ "$status" -eq "$1" ] || {
    printf 'exit code %s\n%s\n' "$status" "$output"
    return 1
  }
}

# The opposite of each: a bare ! does not end a bats case.
never_asked() {
  if asked "$1"; then
    printf 'docker was asked: %s\n' "$1"
    return 1
  fi
}
never_says() {
  case $output in
    *"$1"*)
      printf 'not expected: %s\n%s\n' "$1" "$output"
      return 1
      ;;
  esac
}
