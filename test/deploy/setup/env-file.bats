#!/usr/bin/env bats
# What docker-setup.sh does with .env: it keeps what is there, and never leaves half a file.

load stage

mode_of() { stat -c %a "$1"; }

@test "deploy-019 it makes a token and writes .env for this user only" {
  docker_setup
  ends_with 0
  [[ $(env_value CLAWDBOT_GATEWAY_TOKEN) =~ ^[0-9a-f]{64}$ ]]
  [ "$(mode_of "$STAGE/.env")" = 600 ]
  [ "$(env_value CLAWDBOT_IMAGE)" = clawdbot:local ]
  [ "$(env_value CLAWDBOT_GATEWAY_PORT)" = 18789 ]
  [ "$(env_value CLAWDBOT_GATEWAY_BIND)" = lan ]
  [ "$(env_value CLAWDBOT_CONFIG_DIR)" = "'$HOME_DIR/.clawdbot'" ]
  [ "$(env_value CLAWDBOT_WORKSPACE_DIR)" = "'$HOME_DIR/clawd'" ]
}

@test "deploy-019 a second run changes nothing at all" {
  docker_setup CLAWDBOT_GATEWAY_PORT=28789
  ends_with 0
  cp -p "$STAGE/.env" "$BATS_TEST_TMPDIR/before"
  # The inode too: an unchanged file is not even written.
  files=$(cd "$STAGE" && stat -c '%n %i' .env .gitignore .dockerignore)
  docker_setup
  ends_with 0
  cmp "$STAGE/.env" "$BATS_TEST_TMPDIR/before"
  [ "$(cd "$STAGE"
  stat -c '%n %i' .env .gitignore .dockerignore)" = "$files" ]
  [ "$(grep -c '^\.env$' "$STAGE/.gitignore")" = 1 ]
  [ "$(grep -c '^\.env$' "$STAGE/.dockerignore")" = 1 ]
  [ -z "$(find "$STAGE" -name '.docker-setup*')" ]
}

@test "deploy-019 two fresh runs make two different tokens, and no token is shown" {
  docker_setup
  first=$(env_value CLAWDBOT_GATEWAY_TOKEN)
  never_says "$first"
  rm "$STAGE/.env"
  docker_setup
  [ "$first" != "$(env_value CLAWDBOT_GATEWAY_TOKEN)" ]
}

@test "deploy-019 the token reaches compose although nobody exported it, and no command line has it" {
  printf '#!/bin/bash\n[ "$*" != "compose up -d clawdbot-gateway" ] || printf %%s "$CLAWDBOT_GATEWAY_TOKEN" >"$STUB_LOG.token"\nexec "%s" "$@"\n' \
    "$BATS_TEST_DIRNAME/stub/docker" >"$BIN/docker"
  docker_setup
  ends_with 0
  [ "$(cat "$LOG.token")" = "$(env_value CLAWDBOT_GATEWAY_TOKEN)" ]
  never_asked "$(env_value CLAWDBOT_GATEWAY_TOKEN)"
}

@test "deploy-019 an exported token wins and is kept from then on" {
  docker_setup
  docker_setup CLAWDBOT_GATEWAY_TOKEN='mine-mine-mine-mine-mine-$x'
  ends_with 0
  [ "$(env_value CLAWDBOT_GATEWAY_TOKEN)" = "'mine-mine-mine-mine-mine-\$x'" ]
  docker_setup CLAWDBOT_GATEWAY_TOKEN=
  ends_with 0
  [ "$(env_value CLAWDBOT_GATEWAY_TOKEN)" = "'mine-mine-mine-mine-mine-\$x'" ]
}

@test "deploy-019 the older names are accepted, the newest wins, and two that differ are named" {
  docker_setup MOLTBOT_GATEWAY_PORT=20001 OPENCLAW_GATEWAY_PORT=20002 CLAWDBOT_GATEWAY_PORT=20003
  ends_with 0
  [ "$(env_value CLAWDBOT_GATEWAY_PORT)" = 20002 ]
  says 'OPENCLAW_GATEWAY_PORT and MOLTBOT_GATEWAY_PORT differ'
  says 'OPENCLAW_GATEWAY_PORT and CLAWDBOT_GATEWAY_PORT differ'
  docker_setup MOLTBOT_GATEWAY_PORT=20004 CLAWDBOT_GATEWAY_PORT=20004
  never_says differ
  [ "$(env_value CLAWDBOT_GATEWAY_PORT)" = 20004 ]
}

@test "deploy-019 an older name in .env keeps its line and cannot bring an old value back" {
  printf 'OPENCLAW_GATEWAY_PORT=20001\nX=1\n' >"$STAGE/.env"
  docker_setup CLAWDBOT_GATEWAY_PORT=20002
  ends_with 0
  [ "$(head -n 2 "$STAGE/.env")" = $'OPENCLAW_GATEWAY_PORT=20002\nX=1' ]
  docker_setup
  [ "$(env_value CLAWDBOT_GATEWAY_PORT)" = 20002 ]
}

@test "deploy-019 comments, blank lines, unknown lines and values that span lines stay as they are" {
  cat >"$STAGE/.env" <<'END'
# mine

export FOO=a=b c # why
BAR="two
CLAWDBOT_GATEWAY_PORT=1
lines"
  SPACED = x
not a line that anybody knows
CLAWDBOT_GATEWAY_PORT=20001
BAZ='it\'s $HOME'
CLAWDBOT_GATEWAY_PORT=20002
END
  cp "$STAGE/.env" "$BATS_TEST_TMPDIR/before"
  docker_setup
  ends_with 0
  # The last of two lines counts, and one is left.
  head -n 10 "$STAGE/.env" | diff - <(sed -e '9s/.*/CLAWDBOT_GATEWAY_PORT=20002/' -e 11d "$BATS_TEST_TMPDIR/before")
  [ "$(grep -c 20002 "$STAGE/.env")" = 1 ]
}

@test "deploy-019 values are read as Compose reads them" {
  mkdir "$HOME_DIR/it's"
  while IFS='|' read -r written want; do
    printf 'CLAWDBOT_CONFIG_DIR=%s\n' "$written" >"$STAGE/.env"
    docker_setup
    ends_with 0
    says "State:       $want"
    # And read again from what was written.
    docker_setup
    says "State:       $want"
  done <<END
$HOME_DIR/a|$HOME_DIR/a
 '$HOME_DIR/a b' # why|$HOME_DIR/a b
$HOME_DIR/a # why|$HOME_DIR/a
"$HOME_DIR/it's"|$HOME_DIR/it's
'$HOME_DIR/it\\'s'|$HOME_DIR/it's
"$HOME_DIR/q\\"q"|$HOME_DIR/q"q
"$HOME_DIR/b\\\\n"|$HOME_DIR/b\\n
'$HOME_DIR/\$x'|$HOME_DIR/\$x
"$HOME_DIR/\\\$x"|$HOME_DIR/\$x
$HOME_DIR/\$\$x|$HOME_DIR/\$x
\$HOME/c|$HOME_DIR/c
\${HOME}/d|$HOME_DIR/d
"\${NOBODY_SET_THIS:-$HOME_DIR}/e"|$HOME_DIR/e
~/f|$HOME_DIR/f
$HOME_DIR/é|$HOME_DIR/é
END
}

@test "deploy-019 a file from Windows is read" {
  printf '\xef\xbb\xbfCLAWDBOT_GATEWAY_PORT=20001\r\nFOO="x"\r\n' >"$STAGE/.env"
  docker_setup
  ends_with 0
  [ "$(env_value CLAWDBOT_GATEWAY_PORT)" = 20001 ]
}

@test "deploy-019 a file that was cut off: a token is made anew, anything else is not guessed" {
  printf 'FOO=1\nCLAWDBOT_GATEWAY_TOKEN="0123456789' >"$STAGE/.env"
  docker_setup
  ends_with 0
  [[ $(env_value CLAWDBOT_GATEWAY_TOKEN) =~ ^[0-9a-f]{64}$ ]]
  grep -qx FOO=1 "$STAGE/.env"
  for line in "CLAWDBOT_CONFIG_DIR='/srv/cl" 'OTHER="x'; do
    printf 'A=1\n%s' "$line" >"$STAGE/.env"
    cp "$STAGE/.env" "$BATS_TEST_TMPDIR/before"
    docker_setup
    ends_with 1
    says '.env, line 2'
    cmp "$STAGE/.env" "$BATS_TEST_TMPDIR/before"
  done
  # Cut at every place: the script ends with an answer, and a token that was whole stays.
  token=$(printf '0123456789abcdef%.0s' 1 2 3 4)
  whole="# x
CLAWDBOT_GATEWAY_TOKEN=$token
CLAWDBOT_GATEWAY_PORT='20001'
B=\"y\"
"
  for size in 0 1 5 20 40 60 91 92 100 115 122 124 127 129; do
    printf %s "${whole:0:size}" >"$STAGE/.env"
    docker_setup
    case $status in
      0) [ "$size" -lt 92 ] || [ "$(env_value CLAWDBOT_GATEWAY_TOKEN)" = "$token" ] ;;
      *) [ "$(cat "$STAGE/.env")" = "$(printf %s "${whole:0:size}")" ] ;;
    esac
  done
}

@test "deploy-019 a token that the gateway would refuse: replaced when it is from .env, refused when it is exported" {
  for token in change-me-now short xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx '****************************' ''; do
    printf "CLAWDBOT_GATEWAY_TOKEN='%s'\n" "$token" >"$STAGE/.env"
    docker_setup
    ends_with 0
    [[ $(env_value CLAWDBOT_GATEWAY_TOKEN) =~ ^[0-9a-f]{64}$ ]]
  done
  says 'http://127.0.0.1'
  cp "$STAGE/.env" "$BATS_TEST_TMPDIR/before"
  for token in change-me-now xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx "$(printf 'a b%.0s' {1..20})" "$(printf 'ab%.0s' {1..6000})" $'0123456789012345678901\n0123'; do
    docker_setup CLAWDBOT_GATEWAY_TOKEN="$token"
    ends_with 1
    says 'openssl rand -hex 32'
    cmp "$STAGE/.env" "$BATS_TEST_TMPDIR/before"
  done
}

@test "deploy-019 without openssl the token comes from /dev/urandom" {
  printf '#!/bin/sh\nexit 1\n' >"$BIN/openssl"
  chmod +x "$BIN/openssl"
  docker_setup
  ends_with 0
  [[ $(env_value CLAWDBOT_GATEWAY_TOKEN) =~ ^[0-9a-f]{64}$ ]]
}

@test "deploy-019 .env may be a link: the link stays, the file behind it is written" {
  mkdir "$BATS_TEST_TMPDIR/secrets"
  printf 'FOO=1\n' >"$BATS_TEST_TMPDIR/secrets/env"
  ln -s ../secrets/env "$STAGE/.env"
  docker_setup
  ends_with 0
  [ -L "$STAGE/.env" ]
  [ "$(head -n 1 "$BATS_TEST_TMPDIR/secrets/env")" = FOO=1 ]
  [ "$(mode_of "$BATS_TEST_TMPDIR/secrets/env")" = 600 ]
  # Round in circles.
  ln -sf a "$STAGE/b"
  ln -sf b "$STAGE/a"
  ln -sf a "$STAGE/.env"
  docker_setup
  ends_with 1
  says 'round in circles'
}

@test "deploy-019 .env that is a folder, or far too large, is left alone" {
  mkdir "$STAGE/.env"
  docker_setup
  ends_with 1
  says "mv '.env' '.env.old'"
  rmdir "$STAGE/.env"
  head -c 300000 /dev/zero | tr '\0' x >"$STAGE/.env"
  docker_setup
  ends_with 1
  says '300000 bytes'
}

@test "deploy-019 a full disk leaves the old .env" {
  [ "$(id -u)" = 0 ] || skip 'needs root for a small file system'
  small=$BATS_TEST_TMPDIR/small
  mkdir "$small"
  mount -t tmpfs -o size=16k tmpfs "$small" || skip 'no mount here'
  printf 'FOO=1\n' >"$small/env"
  ln -s "$small/env" "$STAGE/.env"
  head -c 20000 /dev/zero >"$small/fill" || true
  docker_setup
  text=$(cat "$small/env")
  left=$(find "$small" -name '.docker-setup*')
  umount "$small"
  ends_with 1
  says 'disk is full'
  [ "$text" = FOO=1 ]
  [ -z "$left" ]
}

@test "deploy-019 a folder that cannot be written says so and changes nothing" {
  if [ "$(id -u)" = 0 ]; then
    mount --bind "$STAGE" "$STAGE" && mount -o remount,bind,ro "$STAGE" || skip 'no mount here'
    docker_setup
    umount "$STAGE"
  else
    chmod 555 "$STAGE"
    docker_setup
    chmod 755 "$STAGE"
  fi
  ends_with 1
  says 'Nothing can be written in'
  [ ! -e "$STAGE/.env" ]
  [ ! -e "$HOME_DIR/.clawdbot" ]
}

@test "deploy-019 .env is kept out of git and of the image" {
  docker_setup
  (cd "$STAGE" && git init -q . && git check-ignore -q .env)
  grep -qx .env "$STAGE/.dockerignore"
  # A last line without its end stays whole; a list that covers it already stays as it is.
  printf 'dist' >"$STAGE/.gitignore"
  printf '*.log\n/.env\n' >"$STAGE/.dockerignore"
  docker_setup
  [ "$(cat "$STAGE/.gitignore")" = $'dist\n.env' ]
  [ "$(cat "$STAGE/.dockerignore")" = $'*.log\n/.env' ]
}

@test "deploy-019 the repository itself ignores what this script writes" {
  cd "$REPO"
  git check-ignore -q .env
  git check-ignore -q docker-compose.extra.yml
  grep -qx '.env' .dockerignore
}

@test "deploy-019 with sudo the files belong to the user, and ~ is the user's" {
  [ "$(id -u)" = 0 ] || skip 'needs root'
  chown 4242:4243 "$STAGE"
  docker_setup SUDO_USER=root
  ends_with 0
  [ "$(stat -c %u:%g "$STAGE/.env")" = 4242:4243 ]
  [ -d "$HOME_DIR/clawd" ]
  rm "$STAGE/.env"
  # Some user with a home folder; a dry run, because that is not ours.
  user=$(awk -F: '$3 != 0 && $6 ~ /^\/(bin|usr\/sbin)$/ { print $1; exit }' /etc/passwd)
  home=$(awk -F: -v user="$user" '$1 == user { print $6 }' /etc/passwd)
  docker_setup SUDO_USER="$user" -- --dry-run
  ends_with 0
  says "may write to: $home/.clawdbot $home/clawd"
  # A name that is no name is not looked up, and never run.
  docker_setup SUDO_USER="\$(touch $BATS_TEST_TMPDIR/hacked)" -- --dry-run
  ends_with 0
  says "may write to: $HOME_DIR/.clawdbot"
  [ ! -e "$BATS_TEST_TMPDIR/hacked" ]
}
