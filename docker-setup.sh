#!/usr/bin/env bash
#
# Sets clawdbot up in Docker: the image, .env with a token, the folders, the first settings, the start.
# It can be run again at any time: what is there is kept. All of it is in functions, here and in scripts/setup/, and
# the last line calls them, so a file that was cut off does nothing. Written for bash 3.2, which is what macOS has: no
# associative arrays, no ${x,,}, no mapfile, and no "${array[@]}" of an array that may be empty.
set -euo pipefail
# Patterns below are about bytes, so that no language setting changes what is accepted.
LC_ALL=C
unset CDPATH

# The user that the image runs as.
readonly IMAGE_UID=1000
readonly GATEWAY=clawdbot-gateway
readonly CLI=clawdbot-cli
readonly TILDE='~'
# Newest first: the name that wins when two are set.
readonly PREFIXES='OPENCLAW MOLTBOT CLAWDBOT'
# What .env holds of ours, by the part after the prefix. Those of the second list are written only when they have a value,
# or had one.
readonly ALWAYS='IMAGE CONFIG_DIR WORKSPACE_DIR GATEWAY_PORT GATEWAY_BIND GATEWAY_TOKEN'
readonly OPTIONAL='EXTRA_MOUNTS HOME_VOLUME DOCKER_APT_PACKAGES'

DRY_RUN=''
OFFLINE=''
SKIP_ONBOARDING=''
START_DIR=$PWD
ROOT=''
LOCK=''
SCRATCH=''
REPLY=''

usage() {
  cat <<'TEXT'
Usage: ./docker-setup.sh [--offline] [--skip-onboarding] [--dry-run]

Builds the clawdbot image, writes .env with a token, makes ~/.clawdbot and ~/clawd, asks the first questions and
starts the gateway. Run it again after every change: the token and everything else in .env stay as they are.

Options:
  --offline           Pull nothing. An image that is here is used as it is.
  --skip-onboarding   Ask no questions. The same as CLAWDBOT_SKIP_ONBOARDING=1.
  --dry-run           Check everything, print what would be done, and change nothing.
  -h, --help          Print this.

Variables, which are kept in .env from then on. To remove one, set it to nothing: CLAWDBOT_EXTRA_MOUNTS= ./docker-setup.sh
  CLAWDBOT_IMAGE                  clawdbot:local is built here. A name with a / is pulled: ghcr.io/you/clawdbot:1
  CLAWDBOT_CONFIG_DIR             ~/.clawdbot, the state: settings, sessions, sign-ins
  CLAWDBOT_WORKSPACE_DIR          ~/clawd, where the agent works
  CLAWDBOT_GATEWAY_PORT           18789, on this machine's 127.0.0.1
  CLAWDBOT_GATEWAY_BIND           lan: inside of the container, all addresses
  CLAWDBOT_GATEWAY_TOKEN          made when there is none
  CLAWDBOT_EXTRA_MOUNTS           more folders: "/srv/books:/home/node/books:ro,/srv/code:/home/node/code"
  CLAWDBOT_HOME_VOLUME            keep /home/node in a volume of this name, or in this folder
  CLAWDBOT_DOCKER_APT_PACKAGES    Debian packages for the image: "ffmpeg build-essential"
  CLAWDBOT_SETUP_TIMEOUT          120, seconds to wait until the gateway is well

OPENCLAW_ and MOLTBOT_ instead of CLAWDBOT_ mean the same.

Examples:
  ./docker-setup.sh
  CLAWDBOT_GATEWAY_PORT=28789 ./docker-setup.sh
  CLAWDBOT_SKIP_ONBOARDING=1 ./docker-setup.sh --offline
TEXT
}

# --- saying things -----------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
step() { printf '\n==> %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }

# $1 what happened; the other arguments are lines that say what to do. Ends the script.
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

# Runs a command, or with --dry-run only shows it.
act() {
  if [ -n "$DRY_RUN" ]; then
    printf '+'
    printf ' %q' "$@"
    printf '\n'
  else
    "$@"
  fi
}

# A text as one word of a command that a user may copy.
quote() {
  local text=$1 single="'" escaped="'\\''"
  text=${text//"$single"/"$escaped"}
  printf "'%s'" "$text"
}

# A value for a message: one line, never long.
short() {
  local text=$1
  text=${text//[^[:print:]]/?}
  [ "${#text}" -le 80 ] || text="${text:0:77}..."
  REPLY=$text
}

# --- arguments, place, tools ---------------------------------------------------------------------------------------

parse_arguments() {
  local argument
  for argument in "$@"; do
    case $argument in
      --offline) OFFLINE=1 ;;
      --dry-run) DRY_RUN=1 ;;
      --skip-onboarding) SKIP_ONBOARDING=1 ;;
      -h | --help)
        usage
        exit 0
        ;;
      *)
        short "$argument"
        printf 'error: there is no option %s\n\n' "$REPLY" >&2
        usage >&2
        exit 2
        ;;
    esac
  done
}

# Follows links by hand: older macOS has no readlink -f. The result is in REPLY.
follow() {
  local path=$1 next hops=0
  while [ -L "$path" ]; do
    hops=$((hops + 1))
    [ "$hops" -le 20 ] || die "The links from $1 go round in circles." "Look at it: ls -l $(quote "$1")"
    next=$(readlink "$path")
    case $next in
      /*) path=$next ;;
      *) path=$(dirname "$path")/$next ;;
    esac
  done
  REPLY=$path
}

find_root() {
  local self=${BASH_SOURCE[0]:-} part
  if [ -n "$self" ] && [ -f "$self" ]; then
    follow "$self"
    ROOT=$(cd -- "$(dirname -- "$REPLY")" && pwd)
  else
    ROOT=$PWD
  fi
  cd -- "$ROOT"
  for part in docker-compose.yml Dockerfile scripts/setup; do
    [ -e "$part" ] || die "There is no $part in $ROOT." \
      "This script works inside of the whole clawdbot repository:" \
      "git clone https://github.com/clawdbot/clawdbot.git && cd clawdbot && ./docker-setup.sh"
  done
  PARTS=''
  # shellcheck source=scripts/setup/env-file.sh
  . ./scripts/setup/env-file.sh
  # shellcheck source=scripts/setup/values.sh
  . ./scripts/setup/values.sh
  # shellcheck source=scripts/setup/folders.sh
  . ./scripts/setup/folders.sh
  # Each adds its name in its last line.
  [ "$PARTS" = ' env-file values folders' ] || die "A file in $ROOT/scripts/setup was cut off." "Get it again: git checkout -- scripts/setup"
}

need_docker() {
  if ! command -v docker >/dev/null 2>&1; then
    if [ "$(uname -s)" = Darwin ]; then
      die "Docker is not installed." "Install Docker Desktop and start it: https://docs.docker.com/desktop/install/mac-install/"
    fi
    die "Docker is not installed." "Install it: curl -fsSL https://get.docker.com | sh" "Then run ./docker-setup.sh again."
  fi
  if ! docker compose version >/dev/null 2>&1; then
    die "This Docker has no Compose v2 (docker compose)." \
      "Install it: sudo apt-get install -y docker-compose-plugin" \
      "Other systems: https://docs.docker.com/compose/install/"
  fi
  local said
  if ! said=$(docker info --format '{{.ServerVersion}}' 2>&1); then
    case $said in
      *"ermission denied"*)
        die "This user may not talk to Docker." \
          "Run it with sudo: sudo ./docker-setup.sh" \
          "Or for good: sudo usermod -aG docker \"\$USER\", then sign in again."
        ;;
      *)
        printf '%s\n' "$said" >&2
        die "Docker does not answer." "Start it: sudo systemctl start docker (on macOS: open -a Docker)" \
          "Then run ./docker-setup.sh again."
        ;;
    esac
  fi
}

# One run at a time: two would write the same files and start the same containers. A link is made in one step, with the
# process in it.
take_lock() {
  [ -z "$DRY_RUN" ] || return 0
  local lock=$ROOT/.docker-setup.lock owner=''
  if ! ln -s "process:$$" "$lock" 2>/dev/null; then
    owner=$(readlink "$lock" 2>/dev/null || true)
    [ -n "$owner" ] || die "Nothing can be written in $ROOT." \
      "See who may: ls -ld $(quote "$ROOT") (a read-only file system shows up in: mount)"
    owner=${owner#process:}
    case $owner in
      '' | *[!0-9]*) ;;
      *)
        if [ -d "/proc/$owner" ] || kill -0 "$owner" 2>/dev/null || ps -p "$owner" >/dev/null 2>&1; then
          die "./docker-setup.sh already runs here (process $owner)." "Wait until it has ended, then run it again."
        fi
        ;;
    esac
    # The run that made it was killed.
    rm -f "$lock"
    ln -s "process:$$" "$lock" 2>/dev/null || die "Another run has just begun here." "Wait until it has ended, then run ./docker-setup.sh again."
  fi
  LOCK=$lock
}

clean_up() {
  [ -z "$SCRATCH" ] || rm -f "$SCRATCH"
  [ -z "$LOCK" ] || rm -f "$LOCK"
}

# --- the image -----------------------------------------------------------------------------------------------------

# A name with a / comes from a registry; localhost/ is what Podman puts before names of its own.
is_remote_image() {
  case $1 in
    localhost/*) return 1 ;;
    */*) return 0 ;;
  esac
  return 1
}

image_is_here() { docker image inspect "$VALUE_IMAGE" >/dev/null 2>&1; }

get_image() {
  if is_remote_image "$VALUE_IMAGE"; then
    if [ -n "$OFFLINE" ]; then
      image_is_here || die "$VALUE_IMAGE is not here, and --offline pulls nothing." "Get it while there is a network: docker pull $VALUE_IMAGE"
      say "Using the image $VALUE_IMAGE that is here."
      return 0
    fi
    step "Getting the image $VALUE_IMAGE"
    if act docker pull "$VALUE_IMAGE"; then return 0; fi
    image_is_here || die "$VALUE_IMAGE could not be pulled." \
      "Check the name, or sign in first: docker login ${VALUE_IMAGE%%/*}" \
      "Or build it here instead: CLAWDBOT_IMAGE=clawdbot:local ./docker-setup.sh"
    warn "$VALUE_IMAGE could not be pulled. The one that is here is used."
    return 0
  fi
  if [ -n "$OFFLINE" ] && image_is_here; then
    say "Using the image $VALUE_IMAGE that is here."
    return 0
  fi
  step "Building the image $VALUE_IMAGE"
  if act docker build --build-arg "CLAWDBOT_DOCKER_APT_PACKAGES=$VALUE_DOCKER_APT_PACKAGES" -t "$VALUE_IMAGE" -f Dockerfile .; then return 0; fi
  set --
  if [ -n "$VALUE_DOCKER_APT_PACKAGES" ]; then
    set -- "Is every package name right? CLAWDBOT_DOCKER_APT_PACKAGES is: $VALUE_DOCKER_APT_PACKAGES"
  fi
  die "The image could not be built; what Docker said is above. A gateway that runs was not touched." "$@" \
    "Is there room? df -h /var/lib/docker" "Is there a network? Without one: ./docker-setup.sh --offline"
}

# --- onboarding and hints --------------------------------------------------------------------------------------------

onboard() {
  find_value SKIP_ONBOARDING
  case $SKIP_ONBOARDING$REPLY in
    '' | 0 | false | no | off) ;;
    *) return 0 ;;
  esac
  if [ -n "$DRY_RUN" ]; then
    say "+ docker compose run --rm --no-deps $CLI onboard --no-install-daemon, when there is a terminal to ask on"
    return 0
  fi
  if ! [ -t 0 ] || ! [ -t 1 ]; then
    say "No terminal to ask questions on. Later: docker compose run --rm $CLI onboard"
    return 0
  fi
  step "First settings"
  # What this script has settled is not asked. Leaving the questions must not leave an old gateway behind.
  docker compose run --rm --no-deps "$CLI" onboard --no-install-daemon --mode local --gateway-bind "$VALUE_GATEWAY_BIND" \
    --gateway-auth token --skip-health ||
    warn "The first settings were not finished. Later: docker compose run --rm $CLI onboard"
}

show_hints() {
  [ -z "$DRY_RUN" ] || return 0
  say "A model: docker compose run --rm $CLI onboard"
  local channels
  # What the program in the image lists under Commands; nothing when it has no channels.
  channels=$'\n'$(docker run --rm --network none --entrypoint node "$VALUE_IMAGE" dist/index.js channels --help 2>/dev/null |
    awk '/^[^ ]/ { on = 0 } /^Commands:/ { on = 1 } on && /^  [a-z]/ { print }' || true)
  case $channels in
    *$'\n''  channels login '* | *$'\n''  login '*) say "WhatsApp (shows a QR code): docker compose run --rm $CLI channels login" ;;
  esac
  case $channels in
    *$'\n''  channels add '* | *$'\n''  add '*)
      say "Telegram: docker compose run --rm $CLI channels add --channel telegram --token \"<token>\""
      say "Discord:  docker compose run --rm $CLI channels add --channel discord --token \"<token>\""
      ;;
  esac
}

# --- start -----------------------------------------------------------------------------------------------------------

check_compose() {
  [ -z "$DRY_RUN" ] || return 0
  docker compose config -q || die "Docker Compose does not accept the files here; what it said is above." \
    "Look at .env and at files named docker-compose*.yml in $ROOT, then run ./docker-setup.sh again."
}

start_gateway() {
  step "Starting the gateway"
  if [ -n "$DRY_RUN" ]; then
    act docker compose up -d "$GATEWAY"
    return 0
  fi
  local said
  SCRATCH=$(mktemp "${TMPDIR:-/tmp}/docker-setup.XXXXXX")
  if docker compose up -d "$GATEWAY" 2>&1 | tee "$SCRATCH"; then
    rm -f "$SCRATCH"
    SCRATCH=''
    return 0
  fi
  said=$(cat "$SCRATCH")
  case $said in
    *"port is already allocated"* | *"address already in use"* | *"orts are not available"*)
      local other
      other=$(docker ps --filter "publish=$VALUE_GATEWAY_PORT" --format '{{.Names}}' 2>/dev/null | head -n 1 || true)
      set --
      [ -z "$other" ] || set -- "The container $other has it. Stop it: docker stop $other"
      [ -n "$other" ] || set -- "See what has it: sudo ss -ltnp 'sport = :$VALUE_GATEWAY_PORT' (on macOS: lsof -nP -iTCP:$VALUE_GATEWAY_PORT -sTCP:LISTEN)"
      die "Port $VALUE_GATEWAY_PORT of this machine is in use." "$@" \
        "Or take another one: CLAWDBOT_GATEWAY_PORT=28789 ./docker-setup.sh"
      ;;
    *"not shared from the host"* | *"ounts denied"*)
      die "Docker may not use one of the folders." "Docker Desktop: add it in Settings, Resources, File sharing." \
        "The folders: $VALUE_CONFIG_DIR, $VALUE_WORKSPACE_DIR and those in CLAWDBOT_EXTRA_MOUNTS."
      ;;
  esac
  die "The gateway could not be started; what Docker said is above." "After mending it: ./docker-setup.sh"
}

# Says "healthy", "starting", "unhealthy", "exited" and the like, then how often it was started again.
gateway_state() {
  docker inspect --format '{{if eq .State.Status "running"}}{{if .State.Health}}{{.State.Health.Status}}{{else}}unchecked{{end}}{{else}}{{.State.Status}}{{end}} {{.RestartCount}}' "$1" 2>/dev/null || say "gone 0"
}

wait_until_well() {
  [ -z "$DRY_RUN" ] || return 0
  local id state restarts before='' began=$SECONDS waited dots=''
  id=$(docker compose ps -q -a "$GATEWAY" 2>/dev/null | head -n 1 || true)
  while :; do
    state=$(gateway_state "$id")
    restarts=${state##* }
    state=${state%% *}
    [ -n "$before" ] || before=$restarts
    waited=$((SECONDS - began))
    case $state in
      # The image's own check, asked at once: Docker asks for the first time after ten seconds, and not at all for some images.
      starting | unchecked)
        if docker compose exec -T "$GATEWAY" node dist/index.js health >/dev/null 2>&1; then state=healthy; fi
        ;;
    esac
    case $state in
      healthy)
        [ -z "$dots" ] || printf '\n'
        say "The gateway is well (${waited}s)."
        return 0
        ;;
      unhealthy | exited | dead | gone) break ;;
    esac
    if [ "$((restarts - before))" -ge 3 ] || [ "$waited" -ge "$SETUP_TIMEOUT" ]; then break; fi
    [ -n "$dots" ] || printf 'Waiting until it is well '
    dots=yes
    printf '.'
    sleep 1
  done
  [ -z "$dots" ] || printf '\n'
  say "The last lines of its log:"
  docker compose logs --no-color --tail 20 "$GATEWAY" 2>&1 || true
  die "The gateway did not become well within ${waited}s (it is: $state)." \
    "The whole log: cd $(quote "$ROOT") && docker compose logs $GATEWAY" \
    "Its settings are in $VALUE_CONFIG_DIR. After mending them: ./docker-setup.sh" \
    "If it is only slow: CLAWDBOT_SETUP_TIMEOUT=600 ./docker-setup.sh"
}

show_result() {
  [ -z "$DRY_RUN" ] || {
    say "Nothing was changed (--dry-run)."
    return 0
  }
  local url=http://127.0.0.1:$VALUE_GATEWAY_PORT/ link
  step "Done"
  say "Control UI:  $url"
  say "Token:       in $ROOT/.env, as CLAWDBOT_GATEWAY_TOKEN"
  link=$(docker compose exec -T "$GATEWAY" node dist/index.js dashboard 2>/dev/null | awk '/^Dashboard URL: / { print $3; exit }' || true)
  case $link in
    http*://*/*)
      # The container knows neither the address nor the port that this machine publishes.
      link=${link#*://}
      say "Sign in:     $url${link#*/}   (works once, for 10 minutes)"
      ;;
  esac
  say "State:       $VALUE_CONFIG_DIR"
  say "Workspace:   $VALUE_WORKSPACE_DIR"
  [ "$MOUNT_COUNT" = 0 ] || say "Mounts:      $MOUNT_COUNT more, in $ROOT/docker-compose.extra.yml. To remove them: CLAWDBOT_EXTRA_MOUNTS= ./docker-setup.sh"
  [ -z "$VALUE_HOME_VOLUME" ] || say "Home:        $VALUE_HOME_VOLUME holds /home/node. To stop that: CLAWDBOT_HOME_VOLUME= ./docker-setup.sh"
  say
  say "In $ROOT:"
  say "  docker compose logs -f $GATEWAY     its log"
  say "  docker compose restart $GATEWAY     start it again"
  say "  docker compose down                         stop it; nothing is lost"
  say "From another machine: ssh -N -L $VALUE_GATEWAY_PORT:127.0.0.1:$VALUE_GATEWAY_PORT you@this-machine, then $url"
  show_hints
}

main() {
  parse_arguments "$@"
  find_root
  need_docker
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  take_lock
  read_env_file
  settle_values
  write_env_file
  write_extra_file
  ignore_env_file
  export_values
  check_compose
  make_folders
  get_image
  give_folders
  onboard
  start_gateway
  wait_until_well
  show_result
}

main "$@"
