#!/usr/bin/env bats
# docker-setup.sh from the outside: its steps, its options, what it says when something is missing.

load stage

@test "deploy-014 it builds, starts, waits and says where to go" {
  docker_setup
  ends_with 0
  asked 'build --build-arg CLAWDBOT_DOCKER_APT_PACKAGES= -t clawdbot:local -f Dockerfile .'
  asked 'compose up -d clawdbot-gateway'
  says 'http://127.0.0.1:18789/'
  says "$STAGE/.env"
  [ "$(grep -c . "$LOG")" -lt 20 ]
}

@test "deploy-014 it works from any folder, through a link and with a home folder that has a space" {
  ln -s "$STAGE/docker-setup.sh" "$BATS_TEST_TMPDIR/link.sh"
  cd /
  run env -i PATH="$BIN:$PATH" HOME="$HOME_DIR" STUB_LOG="$LOG" CDPATH=/tmp "$BATS_TEST_TMPDIR/link.sh"
  ends_with 0
  [ -f "$STAGE/.env" ]
  [ -d "$HOME_DIR/.clawdbot" ]
  [ -d "$HOME_DIR/clawd" ]
  [ ! -e /.env ]
}

@test "deploy-014 a script that was cut off does nothing" {
  size=$(wc -c <"$REPO/docker-setup.sh")
  for part in 1 4 7 10 13 16 19; do
    head -c $((size * part / 20)) "$REPO/docker-setup.sh" >"$STAGE/docker-setup.sh"
    docker_setup
    [ ! -e "$STAGE/.env" ]
    [ ! -e "$HOME_DIR/.clawdbot" ]
    [ ! -s "$LOG" ]
  done
  cp "$REPO/docker-setup.sh" "$STAGE/docker-setup.sh"
  for file in env-file values folders; do
    size=$(wc -c <"$REPO/scripts/setup/$file.sh")
    head -c $((size / 2)) "$REPO/scripts/setup/$file.sh" >"$STAGE/scripts/setup/$file.sh"
    docker_setup
    [ "$status" -ne 0 ]
    [ ! -e "$STAGE/.env" ]
    [ ! -e "$HOME_DIR/.clawdbot" ]
    [ ! -s "$LOG" ]
    cp "$REPO/scripts/setup/$file.sh" "$STAGE/scripts/setup/$file.sh"
  done
}

@test "deploy-014 without docker it says how to get it" {
  rm "$BIN/docker"
  # Everything but docker, wherever that is installed.
  mkdir "$BATS_TEST_TMPDIR/tools"
  for tool in bash env uname dirname readlink cat; do ln -s "$(command -v "$tool")" "$BATS_TEST_TMPDIR/tools/$tool"; done
  run env -i PATH="$BATS_TEST_TMPDIR/tools" HOME="$HOME_DIR" "$STAGE/docker-setup.sh"
  ends_with 1
  says 'Docker is not installed'
  says 'get.docker.com'
  [ ! -e "$STAGE/.env" ]
}

@test "deploy-014 without Compose v2 it says how to get it" {
  docker_setup STUB_COMPOSE=none
  ends_with 1
  says 'docker-compose-plugin'
  [ ! -e "$STAGE/.env" ]
}

@test "deploy-014 an engine that does not answer, or not to this user, is told apart" {
  docker_setup STUB_INFO=denied
  ends_with 1
  says 'sudo ./docker-setup.sh'
  docker_setup STUB_INFO=down
  ends_with 1
  says 'systemctl start docker'
  [ ! -e "$STAGE/.env" ]
}

@test "deploy-014 outside of the repository it says so" {
  rm "$STAGE/docker-compose.yml"
  docker_setup
  ends_with 1
  says 'no docker-compose.yml'
}

@test "deploy-014 --help shows the variables, an unknown option is refused" {
  docker_setup -- --help
  ends_with 0
  says 'CLAWDBOT_EXTRA_MOUNTS'
  docker_setup -- --ofline
  ends_with 2
  says 'no option --ofline'
  [ ! -s "$LOG" ]
}

@test "deploy-014 --dry-run changes nothing and hides the token" {
  docker_setup CLAWDBOT_EXTRA_MOUNTS=/srv:/home/node/srv CLAWDBOT_GATEWAY_TOKEN=secret-secret-secret-secret-1 -- --dry-run
  ends_with 0
  says '+ docker build'
  says '+ docker compose up -d clawdbot-gateway'
  never_says secret-secret
  [ ! -e "$STAGE/.env" ]
  [ ! -e "$STAGE/docker-compose.extra.yml" ]
  [ ! -e "$STAGE/.gitignore" ]
  [ ! -e "$HOME_DIR/.clawdbot" ]
  never_asked 'compose up'
  never_asked build
}

@test "deploy-014 two runs at once: the second one says that the first is at work, a killed one is no obstacle" {
  ln -s "process:$$" "$STAGE/.docker-setup.lock"
  docker_setup
  ends_with 1
  says "already runs here (process $$)"
  [ ! -e "$STAGE/.env" ]
  rm "$STAGE/.docker-setup.lock"
  ln -s process:4194305 "$STAGE/.docker-setup.lock"
  docker_setup
  ends_with 0
  [ ! -L "$STAGE/.docker-setup.lock" ]
}

@test "deploy-015 a name with a registry is pulled, any other is built" {
  docker_setup CLAWDBOT_IMAGE=ghcr.io/you/clawdbot:1
  ends_with 0
  asked 'pull ghcr.io/you/clawdbot:1'
  never_asked build
  : >"$LOG"
  docker_setup CLAWDBOT_IMAGE=clawdbot:latest
  ends_with 0
  asked '-t clawdbot:latest'
  never_asked pull
}

@test "deploy-015 a pull that fails uses the image that is here, else it says what to do" {
  docker_setup CLAWDBOT_IMAGE=me/clawdbot STUB_PULL=fails
  ends_with 1
  says 'docker login me'
  never_asked 'compose up'
  docker_setup STUB_PULL=fails STUB_IMAGES=me/clawdbot
  ends_with 0
  says 'The one that is here is used'
}

@test "deploy-015 --offline pulls nothing, and takes an image that is here as it is" {
  docker_setup CLAWDBOT_IMAGE=me/clawdbot -- --offline
  ends_with 1
  says 'docker pull me/clawdbot'
  docker_setup STUB_IMAGES=me/clawdbot -- --offline
  ends_with 0
  docker_setup CLAWDBOT_IMAGE=clawdbot:local STUB_IMAGES=clawdbot:local -- --offline
  ends_with 0
  never_asked build
  never_asked pull
}

@test "deploy-015 a build that fails leaves a running gateway alone" {
  docker_setup STUB_BUILD=fails
  ends_with 1
  says 'could not be built'
  never_asked 'compose up'
}

@test "deploy-016 the first settings are asked when there is a terminal" {
  # script(1) gives a terminal.
  run env -i PATH="$BIN:$PATH" HOME="$HOME_DIR" STUB_LOG="$LOG" SHELL=/bin/bash \
    script -qec "'$STAGE/docker-setup.sh'" /dev/null
  ends_with 0
  asked 'compose run --rm --no-deps clawdbot-cli onboard --no-install-daemon --mode local --gateway-bind lan --gateway-auth token --skip-health'
  [ "$(grep -n 'onboard --no-install' "$LOG" | cut -d: -f1)" -lt "$(grep -n 'compose up' "$LOG" | cut -d: -f1)" ]
}

@test "deploy-016 without a terminal or when told so nothing is asked" {
  docker_setup
  ends_with 0
  says 'Later: docker compose run --rm clawdbot-cli onboard'
  never_asked 'clawdbot-cli onboard'
  for skip in CLAWDBOT_SKIP_ONBOARDING=1 OPENCLAW_SKIP_ONBOARDING=1; do
    : >"$LOG"
    run env -i PATH="$BIN:$PATH" HOME="$HOME_DIR" STUB_LOG="$LOG" "$skip" script -qec "'$STAGE/docker-setup.sh'" /dev/null
    ends_with 0
    never_asked 'clawdbot-cli onboard'
    asked 'compose up'
  done
}

@test "deploy-016 leaving the questions does not keep the gateway from starting" {
  run env -i PATH="$BIN:$PATH" HOME="$HOME_DIR" STUB_LOG="$LOG" STUB_ONBOARD=fails \
    script -qec "'$STAGE/docker-setup.sh'" /dev/null
  ends_with 0
  says 'were not finished'
  asked 'compose up'
}

@test "deploy-017 hints name only what the image's program can do" {
  docker_setup
  ends_with 0
  says 'A model: docker compose run --rm clawdbot-cli onboard'
  never_says channels
  docker_setup STUB_CHANNELS=yes
  ends_with 0
  says 'clawdbot-cli channels login'
  says 'channels add --channel telegram --token "<token>"'
  says 'channels add --channel discord --token "<token>"'
  never_says providers
}

@test "deploy-018 it waits until the gateway is well" {
  docker_setup STUB_STATES='created 0;starting 0;starting 0;healthy 0'
  ends_with 0
  says 'The gateway is well'
  [ "$(cat "$LOG.states")" -eq 4 ]
  # The gateway itself is asked too, which is sooner.
  rm "$LOG.states"
  docker_setup STUB_STATES='created 0;starting 0;starting 0;healthy 0' STUB_HEALTH=ok
  ends_with 0
  [ "$(cat "$LOG.states")" -eq 2 ]
}

@test "deploy-018 a gateway that does not get well: its last words, and what to do" {
  for states in 'starting 0;unhealthy 0' 'starting 0;exited 0' 'restarting 1;restarting 2;restarting 3;restarting 4'; do
    rm -f "$LOG.states"
    docker_setup STUB_STATES="$states"
    ends_with 1
    says 'the last words of the gateway'
    says 'docker compose logs clawdbot-gateway'
    never_says 'Sign in'
  done
}

@test "deploy-018 it does not wait for ever" {
  # Only one second passes, because sleep does nothing on the stage.
  docker_setup STUB_STATES='starting 0' CLAWDBOT_SETUP_TIMEOUT=1
  ends_with 1
  says 'CLAWDBOT_SETUP_TIMEOUT=600'
}

@test "deploy-018 the sign-in link is for this machine's address and port" {
  docker_setup CLAWDBOT_GATEWAY_PORT=28789 STUB_LINK='http://172.18.0.2:18789/base/#ticket=abc'
  ends_with 0
  says 'http://127.0.0.1:28789/base/#ticket=abc'
  never_says 172.18
}

@test "deploy-035 a port that is taken: who has it, and how to take another one" {
  docker_setup STUB_UP=port
  ends_with 1
  says 'Port 18789 of this machine is in use'
  says 'ss -ltnp'
  says 'CLAWDBOT_GATEWAY_PORT=28789 ./docker-setup.sh'
  docker_setup STUB_UP=port STUB_HOLDER=other-1
  says 'docker stop other-1'
}

@test "deploy-035 a folder that Docker Desktop does not share" {
  docker_setup STUB_UP=shares
  ends_with 1
  says 'File sharing'
}

@test "deploy-035 any other failure shows what Docker said" {
  docker_setup STUB_UP=fails
  ends_with 1
  says 'something else'
}
