#!/usr/bin/env bats
# Extra mounts, the home volume and packages of docker-setup.sh: what compose gets, and what is refused.

load stage

extra() { cat "$STAGE/docker-compose.extra.yml"; }

# A value that must be refused without any effect. $1 variable, $2 value, $3 part of the message.
refuses() {
  : >"$LOG"
  docker_setup "$1=$2"
  [ "$status" -eq 1 ] || {
    printf '%s=%q was taken\n%s\n' "$1" "$2" "$output"
    return 1
  }
  says "$3"
  says 'Nothing was changed'
  [ "${#output}" -lt 1500 ]
  [ ! -e "$STAGE/.env" ]
  [ ! -e "$STAGE/docker-compose.extra.yml" ]
  [ ! -e "$HOME_DIR/.clawdbot" ]
  never_asked build
  never_asked 'compose up'
  [ ! -e "$BATS_TEST_TMPDIR/hacked" ]
}

@test "deploy-024 extra mounts go to both services, and compose takes the file by itself" {
  docker_setup CLAWDBOT_EXTRA_MOUNTS="/srv/a:/home/node/.codex:ro, /srv/b c:/home/node/github:rw,/srv/d:/x"
  ends_with 0
  extra | tail -n +2 | diff - <(
    cat <<'END'
services:
  clawdbot-gateway:
    volumes:
      - '/srv/a:/home/node/.codex:ro'
      - '/srv/b c:/home/node/github:rw'
      - '/srv/d:/x'
  clawdbot-cli:
    volumes:
      - '/srv/a:/home/node/.codex:ro'
      - '/srv/b c:/home/node/github:rw'
      - '/srv/d:/x'
END
  )
  [ "$(stat -c %a "$STAGE/docker-compose.extra.yml")" = 600 ]
  [ "$(env_value COMPOSE_FILE)" = docker-compose.yml:docker-compose.extra.yml ]
  says 'is not there'
}

@test "deploy-024 options with a comma, folders in ~, volumes by name and dollar signs" {
  docker_setup CLAWDBOT_EXTRA_MOUNTS="~/k:/k:ro,z,books:/books,/srv/\$HOME/it's:/d"
  ends_with 0
  extra | grep -qxF "      - '$HOME_DIR/k:/k:ro,z'"
  extra | grep -qxF "      - 'books:/books'"
  # Compose reads \$\$ as one dollar sign, YAML reads '' as one quote.
  extra | grep -qxF "      - '/srv/\$\$HOME/it''s:/d'"
  extra | tail -n 3 | diff - <(printf "volumes:\n  'books':\n    name: 'books'\n")
}

@test "deploy-024 hostile mounts are refused, and nothing happens" {
  while IFS= read -r mount; do
    refuses CLAWDBOT_EXTRA_MOUNTS "$mount" 'CLAWDBOT_EXTRA_MOUNTS has to be'
  done <<'END'
/srv/a
/srv/a:
:/b
/srv/a:b
./a:/b
../a:/b
/srv/../etc:/b
/srv/a:/b/../../etc
-v:/b
--privileged:/b
/srv/a:/b:exec
/srv/a:/b:ro:rw
/srv/a:/b: {privileged: true}
/srv/a:/b"
/srv/a`touch hacked`:/b
$(touch hacked):/b
/srv/a:/
/srv/a:/app
/srv/a:/app/dist
/srv/a:/usr/local/bin
/srv/a:/proc/sys
/srv/a:/b,/srv/c:/b/
é:/b
END
  refuses CLAWDBOT_EXTRA_MOUNTS $'/a:/b\n    privileged: true' 'one line'
  refuses CLAWDBOT_EXTRA_MOUNTS $'/a:/b\r' 'one line'
  refuses CLAWDBOT_EXTRA_MOUNTS $'/a\x1b[31m:/b' 'one line'
  refuses CLAWDBOT_EXTRA_MOUNTS "$(printf '/a%.0s' {1..5000}):/b" '8000 characters'
}

@test "deploy-024 text that only looks like commands or YAML stays text" {
  name='/srv/$(touch hacked): {'
  refuses CLAWDBOT_EXTRA_MOUNTS "$name" 'has to be'
  docker_setup CLAWDBOT_EXTRA_MOUNTS="/srv/\$(touch $BATS_TEST_TMPDIR/hacked) # {x} & *y !z %w|>:/b"
  ends_with 0
  extra | grep -qF "/srv/\$\$(touch $BATS_TEST_TMPDIR/hacked) # {x} & *y !z %w|>:/b'"
  docker_setup
  ends_with 0
  [ ! -e "$BATS_TEST_TMPDIR/hacked" ]
}

@test "deploy-024 a mount that hands over the machine is warned of" {
  docker_setup CLAWDBOT_EXTRA_MOUNTS=/var/run/docker.sock:/var/run/docker.sock
  ends_with 0
  says 'owns this machine'
}

@test "deploy-025 another run without exports keeps the mounts, other values replace them, nothing removes them" {
  docker_setup CLAWDBOT_EXTRA_MOUNTS=/srv/a:/a
  docker_setup
  extra | grep -qF "'/srv/a:/a'"
  docker_setup CLAWDBOT_EXTRA_MOUNTS=/srv/b:/b
  extra | grep -qF "'/srv/b:/b'"
  if extra | grep -qF /srv/a; then false; fi
  docker_setup CLAWDBOT_EXTRA_MOUNTS=
  ends_with 0
  [ ! -e "$STAGE/docker-compose.extra.yml" ]
  [ -z "$(env_value COMPOSE_FILE)" ]
  [ -z "$(env_value CLAWDBOT_EXTRA_MOUNTS)" ]
  # And it stays so.
  docker_setup
  [ ! -e "$STAGE/docker-compose.extra.yml" ]
}

@test "deploy-025 compose files of the user stay in the list, before ours" {
  printf 'COMPOSE_FILE=docker-compose.yml:mine.yml\n' >"$STAGE/.env"
  docker_setup CLAWDBOT_EXTRA_MOUNTS=/srv/a:/a
  [ "$(env_value COMPOSE_FILE)" = docker-compose.yml:mine.yml:docker-compose.extra.yml ]
  docker_setup CLAWDBOT_EXTRA_MOUNTS=
  [ "$(env_value COMPOSE_FILE)" = docker-compose.yml:mine.yml ]
  # Compose would not read this one by itself any more.
  rm "$STAGE/.env"
  : >"$STAGE/docker-compose.override.yml"
  docker_setup CLAWDBOT_EXTRA_MOUNTS=/srv/a:/a
  [ "$(env_value COMPOSE_FILE)" = docker-compose.yml:docker-compose.override.yml:docker-compose.extra.yml ]
  docker_setup CLAWDBOT_EXTRA_MOUNTS=
  [ -z "$(env_value COMPOSE_FILE)" ]
}

@test "deploy-025 a file of that name by somebody else is put aside, not overwritten" {
  echo 'services: {}' >"$STAGE/docker-compose.extra.yml"
  docker_setup
  ends_with 0
  says 'docker-compose.extra.yml.old'
  [ "$(cat "$STAGE/docker-compose.extra.yml.old")" = 'services: {}' ]
}

@test "deploy-026 a home volume, together with mounts, under the name that docker volume rm takes" {
  docker_setup CLAWDBOT_HOME_VOLUME=clawdbot_home CLAWDBOT_EXTRA_MOUNTS=/srv/a:/a
  ends_with 0
  extra | tail -n +2 | diff - <(
    cat <<'END'
services:
  clawdbot-gateway:
    volumes:
      - 'clawdbot_home:/home/node'
      - '/srv/a:/a'
  clawdbot-cli:
    volumes:
      - 'clawdbot_home:/home/node'
      - '/srv/a:/a'
volumes:
  'clawdbot_home':
    name: 'clawdbot_home'
END
  )
  docker_setup CLAWDBOT_HOME_VOLUME=
  if extra | grep -qF clawdbot_home; then false; fi
}

@test "deploy-026 the home may be a folder; it is made" {
  docker_setup CLAWDBOT_HOME_VOLUME="$HOME_DIR/node home"
  ends_with 0
  [ -d "$HOME_DIR/node home" ]
  extra | grep -qxF "      - '$HOME_DIR/node home:/home/node'"
  if extra | grep -q '^volumes:'; then false; fi
}

@test "deploy-026 hostile names of the home volume are refused" {
  for name in '-v' '--help' '.hidden' 'a b' 'a"b' "a'b" 'a:b' 'x: {' '$(touch hacked)' '`id`' 'a' / .. ../x /srv/../etc /etc ~ "$HOME_DIR" 'é'; do
    refuses CLAWDBOT_HOME_VOLUME "$name" 'CLAWDBOT_HOME_VOLUME has to be'
  done
  refuses CLAWDBOT_HOME_VOLUME $'a\nb' 'has to be'
  refuses CLAWDBOT_HOME_VOLUME "$(printf 'x%.0s' {1..10240})" 'has to be'
}

@test "deploy-028 packages reach the build, one space between them" {
  docker_setup CLAWDBOT_DOCKER_APT_PACKAGES=$'ffmpeg  build-essential\n g++ libc6:arm64 jq=1.6-2.1+deb12u1 '
  ends_with 0
  asked 'CLAWDBOT_DOCKER_APT_PACKAGES=ffmpeg\ build-essential\ g++\ libc6:arm64\ jq=1.6-2.1+deb12u1 '
  [ "$(env_value CLAWDBOT_DOCKER_APT_PACKAGES)" = "'ffmpeg build-essential g++ libc6:arm64 jq=1.6-2.1+deb12u1'" ]
  # Kept, until it is set to nothing.
  : >"$LOG"
  docker_setup
  asked 'ffmpeg'
  : >"$LOG"
  docker_setup CLAWDBOT_DOCKER_APT_PACKAGES=
  asked 'CLAWDBOT_DOCKER_APT_PACKAGES= '
}

@test "deploy-028 hostile package names are refused" {
  while IFS= read -r name; do
    refuses CLAWDBOT_DOCKER_APT_PACKAGES "jq $name" 'CLAWDBOT_DOCKER_APT_PACKAGES has to be'
  done <<'END'
-o=APT::Get::x=y
--reinstall
a;touch hacked
a&&b
$(touch hacked)
`touch hacked`
a|b
a>b
../x
./x.deb
/x.deb
a'b
a"b
*
?
a\b
Ffmpeg
é
END
  refuses CLAWDBOT_DOCKER_APT_PACKAGES $'jq\x01' 'has to be'
  refuses CLAWDBOT_DOCKER_APT_PACKAGES "$(printf 'x%.0s' {1..10240})" '4000 characters'
}

@test "deploy-035 other values that cannot be used are refused before anything happens" {
  for port in 0 65536 99999999999999999999 1e3 -1 ' 1' 18789x '$(id)' $'1\n2'; do refuses CLAWDBOT_GATEWAY_PORT "$port" 'a port from 1 to 65535'; done
  for bind in everywhere '-x' 'lan auto' '*' $'lan\nauto'; do refuses CLAWDBOT_GATEWAY_BIND "$bind" 'lan, auto'; done
  for image in -rm --privileged 'a b' 'A' '$(id)' '`id`' $'a\nb' "$(printf 'x%.0s' {1..10240})"; do refuses CLAWDBOT_IMAGE "$image" 'the name of an image'; done
  for dir in / /etc "$HOME_DIR" "$HOME_DIR/" ~/.. /srv/../etc -rf /a:b $'/a\nb' "/$(printf 'x%.0s' {1..10240})"; do refuses CLAWDBOT_CONFIG_DIR "$dir" 'a folder'; done
  refuses CLAWDBOT_WORKSPACE_DIR "$HOME_DIR/.clawdbot" 'same folder'
}

@test "deploy-035 folders with every odd character are made and kept" {
  for name in "it's" 'a b' 'q"q' 'd$HOME' 'c$(touch hacked)' 'b`id`' 'e#f' 'g #h' 'back\slash' 'ends\' 'x=y' 'é' '%s' '{z}' ';' '*'; do
    docker_setup CLAWDBOT_CONFIG_DIR="$HOME_DIR/$name"
    ends_with 0
    [ -d "$HOME_DIR/$name" ]
    says "State:       $HOME_DIR/$name"
    docker_setup
    says "State:       $HOME_DIR/$name"
  done
  [ ! -e "$STAGE/hacked" ]
}
