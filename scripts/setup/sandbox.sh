# shellcheck shell=bash
# Sourced by scripts/sandbox-*.sh: the tool that builds images, their names, and lists that reach a build.

fail() {
  printf 'error: %s\n' "$1" >&2
  shift
  local line
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

# Docker, or Podman when there is no Docker. The result is in TOOL.
find_tool() {
  TOOL=docker
  command -v docker >/dev/null 2>&1 || TOOL=podman
  command -v "$TOOL" >/dev/null 2>&1 ||
    fail 'Neither Docker nor Podman is installed.' 'Install one of them: curl -fsSL https://get.docker.com | sh'
}

has_image() { "$TOOL" image inspect "$1" >/dev/null 2>&1; }

# An image gets the names that it had under older names of the product, so that an older config finds it.
# $1 what follows the product's name.
add_older_names() {
  local name
  for name in openclaw moltbot; do "$TOOL" tag "clawdbot-$1" "$name-$1"; done
}

check_image_name() {
  local form='^[a-z0-9][A-Za-z0-9._/:@-]{0,200}$'
  [[ $2 =~ $form ]] || fail "$1 has to be the name of an image." "For example: $1=clawdbot-sandbox:bookworm-slim $0"
}

# Packages reach a shell in the build, so nothing but names gets there.
check_packages() {
  local word form='^[a-z0-9][a-z0-9+.:~=-]*$'
  set -f
  for word in $1; do
    [[ $word =~ $form ]] || fail "PACKAGES has to be names of Debian packages, with spaces between them." "This is none: ${word:0:80}"
  done
  set +f
}

# The same for a folder in the image.
check_folder() {
  local form='^/[A-Za-z0-9._/-]{1,200}$'
  if ! [[ $2 =~ $form ]] || [[ $2 == *..* ]]; then
    fail "$1 has to be a full path of letters, digits, . _ - and /." "For example: $1=/opt/tools $0"
  fi
}

check_switch() {
  case $2 in
    0 | 1) ;;
    *) fail "$1 has to be 1 or 0." "For example: $1=0 $0" ;;
  esac
}
