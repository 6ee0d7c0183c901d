# shellcheck shell=bash
# Sourced by docker-setup.sh: where each setting comes from, and which ones cannot be used. Every setting is in a variable
# VALUE_<name without prefix>. The environment wins over .env, and .env over what is usual.

value_of() { eval "REPLY=\$VALUE_$1"; }

# Looks for a key under all three prefixes. REPLY is the value; SOURCE says where it is from: the environment, .env or nowhere.
# Nothing counts as not set, but an optional value is removed by setting it to nothing.
SOURCE=''
find_value() {
  local key=$1 prefix name is_set chosen='' chosen_name=''
  for SOURCE in environment .env; do
    for prefix in $PREFIXES; do
      name=${prefix}_$key
      if [ "$SOURCE" = environment ]; then
        eval "is_set=\${$name+yes} REPLY=\${$name-}"
      else
        is_set=''
        if env_file_value "$name"; then is_set=yes; fi
      fi
      [ -n "$is_set" ] || continue
      if [ -z "$REPLY" ]; then
        if [ -z "$chosen_name" ] && [ "$SOURCE" = environment ] && has_word "$OPTIONAL" "$key"; then chosen_name=$name; fi
      elif [ -z "$chosen" ]; then
        chosen=$REPLY
        chosen_name=$name
      elif [ "$REPLY" != "$chosen" ]; then
        warn "$chosen_name and $name differ: $chosen_name is used."
      fi
    done
    REPLY=$chosen
    [ -z "$chosen_name" ] || return 0
  done
  SOURCE=''
}

# Ends the script when a value cannot be used. $1 key, $2 what it has to be, $3 the value, then lines of help.
refuse() {
  local key=$1 want=$2
  short "$3"
  shift 3
  if [ "$SOURCE" = .env ]; then set -- "$@" "The value is from .env. Nothing was changed."; else set -- "$@" "Nothing was changed."; fi
  die "CLAWDBOT_$key has to be $want; it is: $REPLY" "$@"
}

readonly PORT='^[1-9][0-9]{0,4}$'
is_port() { [[ $1 =~ $PORT ]] && [ "$1" -le 65535 ]; }

has_control() {
  case $1 in
    *[[:cntrl:]]*) return 0 ;;
  esac
  return 1
}

# Does a path have a part that is ".."?
climbs() {
  case "/$1/" in
    */../*) return 0 ;;
  esac
  return 1
}

# The home folder that `~` means for the user: with sudo, that of the user who called it.
find_home() {
  local user=${SUDO_USER:-}
  REPLY=${HOME:-}
  if [ "$(id -u)" = 0 ] && [ "$user" != root ] && [[ $user =~ ^[A-Za-z_][A-Za-z0-9_.-]*$ ]]; then
    # Only a name can stand here, so that this cannot run anything.
    eval "REPLY=~$user"
    [ -d "$REPLY" ] || REPLY=${HOME:-}
  fi
  REPLY=${REPLY%/}
}

# A folder of this machine as a full path in REPLY. $1 key, $2 value.
host_folder() {
  local key=$1 path=$2
  case $path in
    "$TILDE" | "$TILDE"/*) path=$USER_HOME${path:1} ;;
  esac
  [ "${#path}" -le 3000 ] || refuse "$key" "a folder, not a text of ${#path} characters" "$path"
  if has_control "$path"; then refuse "$key" "a folder without line breaks or other control characters in its name" "$path"; fi
  case $path in
    -*) refuse "$key" "a folder; write ./ in front of a name that begins with -" "$path" ;;
    *:*) refuse "$key" "a folder without : in its name, which Docker could not mount" "$path" ;;
    /*) ;;
    # As Compose would read it.
    *) if [ "$SOURCE" = .env ]; then path=$ROOT/${path#./}; else path=$START_DIR/${path#./}; fi ;;
  esac
  if climbs "$path"; then refuse "$key" "a folder without .. in its path" "$path"; fi
  while [ "$path" != "${path%/}" ]; do path=${path%/}; done
  case $path in
    '' | /bin | /boot | /dev | /etc | /home | /lib | /lib64 | /opt | /proc | /root | /run | /sbin | /sys | /tmp | /usr | /var | /Users | /System | /Library | "$USER_HOME" | "$ROOT")
      refuse "$key" "a folder of its own, because the container gets all of it" "$2" "For example: export CLAWDBOT_$key=\"\$HOME/.clawdbot\""
      ;;
  esac
  REPLY=$path
}

make_token() {
  local token=''
  if command -v openssl >/dev/null 2>&1; then token=$(openssl rand -hex 32 2>/dev/null || true); fi
  if ! [[ $token =~ ^[0-9a-f]{64}$ ]]; then
    token=$(od -An -v -N32 -tx1 /dev/urandom 2>/dev/null | tr -d ' \n' || true)
  fi
  [[ $token =~ ^[0-9a-f]{64}$ ]] || die "No token could be made: neither openssl nor /dev/urandom works here." \
    "Make one elsewhere, 64 hexadecimal digits, and run: CLAWDBOT_GATEWAY_TOKEN=<token> ./docker-setup.sh"
  REPLY=$token
}

settle_token() {
  find_value GATEWAY_TOKEN
  # shellcheck disable=SC2034 # read by value_of
  VALUE_GATEWAY_TOKEN=$REPLY
  # The gateway refuses shorter ones, and those that guides show, on anything but this machine.
  local problem='' first=${REPLY:0:1}
  case $first in
    [!A-Za-z0-9]) first="\\$first" ;;
  esac
  if [ -z "$REPLY" ]; then problem=none
  elif [ -n "${REPLY//[[:graph:]]/}" ]; then problem='has characters that cannot be sent'
  elif [ "${#REPLY}" -lt 24 ]; then problem='is shorter than 24 characters'
  elif [ -z "${REPLY//$first/}" ]; then problem='is one character again and again'
  elif [ "${#REPLY}" -gt 512 ]; then problem='is longer than 512 characters'
  fi
  [ -n "$problem" ] || return 0
  if [ "$problem" != none ] && [ "$SOURCE" = environment ]; then
    die "CLAWDBOT_GATEWAY_TOKEN $problem. Nothing was changed." \
      "Make a good one: export CLAWDBOT_GATEWAY_TOKEN=\"\$(openssl rand -hex 32)\"" \
      "Or let this script make one: unset CLAWDBOT_GATEWAY_TOKEN"
  fi
  [ "$problem" = none ] || warn "CLAWDBOT_GATEWAY_TOKEN in .env $problem, which the gateway refuses: a new one is written."
  make_token
  # shellcheck disable=SC2034 # read by value_of
  VALUE_GATEWAY_TOKEN=$REPLY
}

readonly PACKAGE_NAME='^[a-z0-9][a-z0-9+.:~=-]*$'

settle_packages() {
  find_value DOCKER_APT_PACKAGES
  VALUE_DOCKER_APT_PACKAGES=''
  [ "${#REPLY}" -le 4000 ] || refuse DOCKER_APT_PACKAGES "at most 4000 characters" "$REPLY"
  local words=$REPLY word
  if has_control "${words//[$'\t\n']/ }"; then refuse DOCKER_APT_PACKAGES "names of Debian packages" "$words"; fi
  set -f
  for word in $words; do
    [[ $word =~ $PACKAGE_NAME ]] || refuse DOCKER_APT_PACKAGES "names of Debian packages, with spaces between them" "$word" \
      "For example: export CLAWDBOT_DOCKER_APT_PACKAGES=\"ffmpeg build-essential\""
    VALUE_DOCKER_APT_PACKAGES="$VALUE_DOCKER_APT_PACKAGES${VALUE_DOCKER_APT_PACKAGES:+ }$word"
  done
  set +f
}

readonly VOLUME_NAME='^[A-Za-z0-9][A-Za-z0-9_.-]{1,127}$'

settle_home_volume() {
  find_value HOME_VOLUME
  VALUE_HOME_VOLUME=$REPLY
  case $REPLY in
    '') ;;
    */* | "$TILDE") host_folder HOME_VOLUME "$REPLY" && VALUE_HOME_VOLUME=$REPLY ;;
    *) [[ $REPLY =~ $VOLUME_NAME ]] || refuse HOME_VOLUME "a name of letters, digits, _ . and -, or a folder's full path" "$REPLY" \
      "For example: export CLAWDBOT_HOME_VOLUME=\"clawdbot_home\"" ;;
  esac
}

readonly MOUNT_OPTION='^(ro|rw|z|Z|cached|delegated|consistent|nocopy|r?shared|r?slave|r?private)$'
# The mounts one by one, as <source>:<target>[:<options>], and their count.
MOUNTS=()
MOUNT_COUNT=0

settle_mounts() {
  find_value EXTRA_MOUNTS
  # shellcheck disable=SC2034 # read by value_of
  VALUE_EXTRA_MOUNTS=$REPLY
  MOUNT_COUNT=0
  [ "${#REPLY}" -le 8000 ] || refuse EXTRA_MOUNTS "at most 8000 characters" "$REPLY"
  if has_control "$REPLY"; then refuse EXTRA_MOUNTS "one line, with commas between the mounts" "$REPLY"; fi
  local rest=$REPLY, item targets=' '
  while [ -n "$rest" ]; do
    item=${rest%%,*}
    rest=${rest#*,}
    while [ "$item" != "${item# }" ]; do item=${item# }; done
    while [ "$item" != "${item% }" ]; do item=${item% }; done
    [ -n "$item" ] || continue
    # "a:b:ro,z": Docker puts commas between options too.
    if [ "$MOUNT_COUNT" -gt 0 ] && [[ $item =~ $MOUNT_OPTION ]] && [[ ${MOUNTS[MOUNT_COUNT - 1]} == *:*:* ]]; then
      MOUNTS[MOUNT_COUNT - 1]=${MOUNTS[MOUNT_COUNT - 1]},$item
      continue
    fi
    check_mount "$item"
    case $targets in
      *" $MOUNT_TARGET "*) refuse EXTRA_MOUNTS "without two mounts on $MOUNT_TARGET" "$item" ;;
    esac
    targets="$targets$MOUNT_TARGET "
    MOUNTS[MOUNT_COUNT]=$REPLY
    MOUNT_COUNT=$((MOUNT_COUNT + 1))
  done
}

# Checks one mount. REPLY is how Compose gets it, MOUNT_TARGET where it goes.
MOUNT_TARGET=''
check_mount() {
  local item=$1 source target options=''
  local form="<folder here>:<folder in the container>[:ro]"
  local example="For example: export CLAWDBOT_EXTRA_MOUNTS=\"\$HOME/books:/home/node/books:ro\""
  source=${item%%:*}
  target=${item#*:}
  [ "$source" != "$item" ] || refuse EXTRA_MOUNTS "$form" "$item" "$example"
  case $target in
    *:*)
      options=${target#*:}
      target=${target%%:*}
      [[ $options =~ $MOUNT_OPTION ]] || refuse EXTRA_MOUNTS "$form, where the last part is ro, rw, z or Z" "$item" "$example"
      ;;
  esac
  case $item in
    *\"* | *\`*) refuse EXTRA_MOUNTS "without quotes inside" "$item" "$example" ;;
  esac
  case $source in
    "$TILDE" | "$TILDE"/*) source=$USER_HOME${source:1} ;;
  esac
  if climbs "$source" || climbs "$target"; then refuse EXTRA_MOUNTS "without .. in a path" "$item" "$example"; fi
  case $source in
    /*)
      [ -e "$source" ] || warn "CLAWDBOT_EXTRA_MOUNTS: $source is not there. Docker will make an empty folder of root's."
      case $source in
        / | /etc | /root | /proc | /sys | /dev | */docker.sock)
          warn "CLAWDBOT_EXTRA_MOUNTS gives the container $source: whoever talks the agent into it owns this machine." ;;
      esac
      ;;
    *) [[ $source =~ $VOLUME_NAME ]] || refuse EXTRA_MOUNTS "$form, where the first is a full path or the name of a volume" "$item" "$example" ;;
  esac
  while [ "$target" != / ] && [ "$target" != "${target%/}" ]; do target=${target%/}; done
  case $target in
    / | /app | /app/* | /proc | /proc/* | /sys | /sys/* | /dev | /sbin | /usr | /usr/local | /usr/local/bin | /etc | /bin)
      refuse EXTRA_MOUNTS "without a mount on $target, which the container needs itself" "$item" "$example" ;;
    /*) ;;
    *) refuse EXTRA_MOUNTS "$form, where the second is a full path" "$item" "$example" ;;
  esac
  MOUNT_TARGET=$target
  REPLY=$source:$target${options:+:$options}
}

# Compose takes these files, for its own commands too, so that `docker compose up` as the guides have it keeps the mounts.
settle_compose_file() {
  local had='' rest item files=''
  if env_file_value COMPOSE_FILE; then had=$REPLY; fi
  if [ -n "${COMPOSE_FILE:-}" ] && [ "$COMPOSE_FILE" != "$had" ]; then
    warn "COMPOSE_FILE is set in this shell. It is not used here, but would be by your own docker compose: unset COMPOSE_FILE"
  fi
  rest=$had:
  while [ -n "$rest" ]; do
    item=${rest%%:*}
    rest=${rest#*:}
    if [ -n "$item" ] && [ "$item" != docker-compose.extra.yml ]; then files=$files${files:+:}$item; fi
  done
  if [ "$MOUNT_COUNT" -gt 0 ] || [ -n "$VALUE_HOME_VOLUME" ]; then
    if [ -z "$files" ]; then
      files=docker-compose.yml
      # Compose reads it by itself only as long as COMPOSE_FILE is not set.
      for item in docker-compose.override.yml docker-compose.override.yaml; do
        if [ -f "$item" ]; then files=$files:$item; fi
      done
    fi
    files=$files:docker-compose.extra.yml
  elif [ "$files" = docker-compose.yml ] || [ "$files" = docker-compose.yml:docker-compose.override.yml ]; then
    # What stood there was only for our file.
    files=''
  fi
  VALUE_COMPOSE_FILE=$files
}

readonly IMAGE_NAME='^[a-z0-9][A-Za-z0-9._/:@-]{0,200}$'
readonly SECONDS_COUNT='^[1-9][0-9]{0,4}$'

settle_values() {
  find_home
  USER_HOME=$REPLY
  find_value IMAGE
  VALUE_IMAGE=${REPLY:-clawdbot:local}
  [[ $VALUE_IMAGE =~ $IMAGE_NAME ]] || refuse IMAGE "the name of an image" "$VALUE_IMAGE" \
    "For example: export CLAWDBOT_IMAGE=clawdbot:local"
  find_value GATEWAY_PORT
  VALUE_GATEWAY_PORT=${REPLY:-18789}
  is_port "$VALUE_GATEWAY_PORT" || refuse GATEWAY_PORT "a port from 1 to 65535" "$VALUE_GATEWAY_PORT" \
    "For example: export CLAWDBOT_GATEWAY_PORT=18789"
  find_value GATEWAY_BIND
  VALUE_GATEWAY_BIND=${REPLY:-lan}
  case $VALUE_GATEWAY_BIND in
    lan | auto | tailnet | custom) ;;
    loopback) warn "CLAWDBOT_GATEWAY_BIND=loopback is the container's own loopback: nothing outside of it could reach the gateway. lan is meant." ;;
    *) refuse GATEWAY_BIND "lan, auto, loopback, tailnet or custom" "$VALUE_GATEWAY_BIND" ;;
  esac
  local key standard
  for key in CONFIG_DIR WORKSPACE_DIR; do
    find_value "$key"
    standard=$USER_HOME/.clawdbot
    [ "$key" = CONFIG_DIR ] || standard=$USER_HOME/clawd
    if [ -z "$REPLY" ] && [ -z "$USER_HOME" ]; then
      die "HOME is not set, so there is no place for the state." "export CLAWDBOT_CONFIG_DIR=/srv/clawdbot CLAWDBOT_WORKSPACE_DIR=/srv/clawd"
    fi
    host_folder "$key" "${REPLY:-$standard}"
    if [ "$key" = CONFIG_DIR ]; then VALUE_CONFIG_DIR=$REPLY; else VALUE_WORKSPACE_DIR=$REPLY; fi
  done
  [ "$VALUE_CONFIG_DIR" != "$VALUE_WORKSPACE_DIR" ] || die "CLAWDBOT_CONFIG_DIR and CLAWDBOT_WORKSPACE_DIR are the same folder." \
    "The agent works in the second and must not find its own keys there. Nothing was changed."
  settle_packages
  settle_home_volume
  settle_mounts
  settle_compose_file
  settle_folders
  settle_token
  find_value SETUP_TIMEOUT
  SETUP_TIMEOUT=${REPLY:-120}
  [[ $SETUP_TIMEOUT =~ $SECONDS_COUNT ]] || SETUP_TIMEOUT=120
}

# What Compose takes from the environment wins over .env, so both must say the same.
export_values() {
  local key prefix
  for key in $ALWAYS $OPTIONAL; do
    value_of "$key"
    for prefix in $PREFIXES; do unset "${prefix}_$key"; done
    if [ -n "$REPLY" ]; then export "CLAWDBOT_$key=$REPLY"; fi
  done
  unset COMPOSE_FILE
  if [ -n "$VALUE_COMPOSE_FILE" ]; then export COMPOSE_FILE=$VALUE_COMPOSE_FILE; fi
}

PARTS="$PARTS values"
