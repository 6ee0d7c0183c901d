# What the installer's bats files share: releases, an empty home for each case, and ways to look at what was left behind.
# TEST_SHELL is the shell that runs install.sh, with its arguments.

REPO=$(cd "$BATS_TEST_DIRNAME/../../.." && pwd)
read -r shell shell_options <<<"${TEST_SHELL:-dash}"
SHELL_UNDER_TEST="$(command -v "$shell") $shell_options"
case $(uname -m) in x86_64) TARGET=linux-x64 ;; *) TARGET=linux-arm64 ;; esac

# A program that answers like clawdbot; what it answers is decided by files in $HOME/.fake, and it writes down how it was called.
fake_program() {
  cat <<FAKE
#!/bin/sh
version=$1
FAKE
  cat <<'FAKE'
fake=${HOME:-/nonexistent}/.fake
mkdir -p "$fake" 2>/dev/null && printf '%s\n' "$version $*" >>"$fake/calls"
profile=
if [ "$1" = --profile ]; then profile=-$2 && shift 2; fi
has() { [ -e "$fake/$1$profile" ]; }
case $* in
  --version) printf '%s\n' "$version" ;;
  "gateway status --json")
    installed=false running=false ok=false
    if has service; then installed=true running=true ok=true; fi
    if has stopped; then running=false ok=false; fi
    if has sick; then ok=false; fi
    if has foreground; then ok=true; fi
    printf '{\n  "gateway": { "installed": "no" },\n  "service": {\n    "label": "systemd",\n    "installed": %s,\n    "running": %s,\n    "logCommand": "journalctl -u gate"\n  },\n  "rpc": {\n    "ok": %s\n  }\n}\n' "$installed" "$running" "$ok"
    ;;
  "gateway restart --json")
    if [ -e "$fake/bad-$version" ]; then
      printf '{\n  "ok": false,\n  "hints": [],\n  "error": "port 18789 is taken by \\"node\\"",\n  "code": "port_taken"\n}\n'
      exit 1
    fi
    printf '{ "ok": true }\n'
    ;;
  "gateway uninstall")
    if has stuck; then echo "error: no bus" >&2 && exit 1; fi
    rm -f "$fake/service$profile"
    ;;
  "doctor --non-interactive") echo "all well" ;;
  onboard) echo "ONBOARDING" ;;
  *) echo "error: unknown command '$1'" >&2 && exit 1 ;;
esac
exit $?
FAKE
}

# release <folder of the source> <version>: as the release makes it; signed with the key of these tests.
release() {
  local files=$1/download/v$2 name=clawdbot-$TARGET
  mkdir -p "$files" "$1/latest/download"
  fake_program "$2" >"$files/$name"
  gzip -9nc "$files/$name" >"$files/$name.gz"
  sign "$files"
  printf '%s\n' "$2" >"$1/latest/download/latest.txt"
}

# sign <folder of a version>
sign() {
  (
    cd "$1" || exit
    rm -f SHA256SUMS SHA256SUMS.sig
    sha256sum -- * >"$LAB/sums" && mv "$LAB/sums" SHA256SUMS
    openssl pkeyutl -sign -inkey "$LAB/release.pem" -rawin -in SHA256SUMS | base64 -w 0 >SHA256SUMS.sig
  )
}

# Once per file: keys, the signed script, the releases of `good`, and the server.
start_lab() {
  LAB=$BATS_FILE_TMPDIR
  openssl genpkey -algorithm ed25519 -out "$LAB/release.pem"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$LAB/tls.key" -out "$LAB/tls.crt" -days 2 -subj /CN=release.example \
    -addext subjectAltName=DNS:release.example 2>/dev/null
  sed "s|^RELEASE_KEY=.*|RELEASE_KEY=\"$(openssl pkey -in "$LAB/release.pem" -pubout | sed '1d;$d' | tr -d '\n')\"|" \
    "$REPO/install.sh" >"$LAB/install.sh"
  mkdir "$LAB/www"
  release "$LAB/www/good" 2026.1.1
  release "$LAB/www/good" 2026.1.2
  release "$LAB/www/good" 2026.2.1-beta.1
  echo 2026.1.2 >"$LAB/www/good/latest/download/latest.txt"
  mkdir -p "$LAB/www/good/download/beta"
  echo 2026.2.1-beta.1 >"$LAB/www/good/download/beta/latest.txt"
  : >"$LAB/requests"
  bun "$BATS_TEST_DIRNAME/server.ts" "$LAB/www" "$LAB/tls.crt" "$LAB/tls.key" "$LAB/requests" \
    >"$LAB/ports" 2>"$LAB/server.log" 3>&- 4>&- &
  echo $! >"$LAB/server.pid"
  until [ -s "$LAB/ports" ] || ! kill -0 "$(cat "$LAB/server.pid")"; do :; done
}

stop_lab() {
  kill "$(cat "$BATS_FILE_TMPDIR/server.pid")"
}

# Once per case: a home with nothing in it.
new_home() {
  LAB=$BATS_FILE_TMPDIR
  read -r HTTP HTTPS PROXY <"$LAB/ports"
  HOME_DIR=$BATS_TEST_TMPDIR/home
  mkdir "$HOME_DIR"
  # Also for what a case starts itself: nothing is written into the home of whoever runs the tests.
  export HOME=$HOME_DIR
  DIR=$HOME_DIR/.local/bin
  SOURCE=file://$LAB/www/good
  SCRIPT=$LAB/install.sh
  USE_PATH=$(path_without_clawdbot)
  EXTRA_ENV=()
  # As a user's process: root would get /usr/local/bin.
  INTO=(--dir "$DIR")
}

# PATH without the folders of a clawdbot that this machine has: the script would warn of it.
path_without_clawdbot() {
  local folder kept=
  while IFS= read -r -d : folder; do
    if [ ! -e "$folder/clawdbot" ]; then kept=$kept:$folder; fi
  done <<<"$PATH:"
  printf '%s' "${kept#:}"
}

# The environment of a run: nothing of this process's own.
in_env() {
  env -i PATH="$USE_PATH" HOME="$HOME_DIR" SHELL=/bin/bash TMPDIR="$BATS_TEST_TMPDIR" \
    CLAWDBOT_INSTALL_BASE_URL="$SOURCE" CLAWDBOT_INSTALL_STALL=2 "${EXTRA_ENV[@]}" "$@"
}

# install [options]: runs the script and keeps status and output, as `run` does.
install() {
  # shellcheck disable=SC2086 # the shell and its arguments
  run in_env $SHELL_UNDER_TEST "$SCRIPT" "${INTO[@]}" "$@" </dev/null
}

# Everything in a folder with its kind, mode, target and content.
snapshot() {
  (cd "$1" && find . -path ./.fake -prune -o -printf '%p %y %m %l ' -a \( -type f -exec sha256sum {} \; -o -print \) | sort)
}

# Nothing but what belongs there: no download, no lock, no temporary folder.
no_leftovers() {
  [ ! -e "$DIR/.clawdbot-install" ]
  [ -z "$(find "$BATS_TEST_TMPDIR" -maxdepth 1 -name 'clawdbot-install.*')" ]
}

has_text() { [[ $output == *"$1"* ]] || { printf 'not in the output: %s\n%s\n' "$1" "$output" && return 1; }; }
lacks_text() { [[ $output != *"$1"* ]] || { printf 'in the output: %s\n%s\n' "$1" "$output" && return 1; }; }
called() { grep -qxF -- "$1" "$HOME_DIR/.fake/calls" || { cat "$HOME_DIR/.fake/calls" && return 1; }; }
never_called() { ! grep -qF -- "$1" "$HOME_DIR/.fake/calls"; }
ended() { [ "$status" -eq "$1" ] || { printf 'ended with %s, not %s\n%s\n' "$status" "$1" "$output" && return 1; }; }

# only <command>...: a PATH with these and what every system has; nothing else.
only() {
  mkdir -p "$BATS_TEST_TMPDIR/only"
  local name
  for name in sh env mktemp mkdir rmdir rm mv cp ln ls cat head tail cut tr sed grep wc sort uname id readlink dirname df chmod od ps "$@"; do
    ln -sf "$(command -v "$name")" "$BATS_TEST_TMPDIR/only/$name"
  done
  USE_PATH=$BATS_TEST_TMPDIR/only
}

# stand_in <command>: standard input becomes a command that is found first.
stand_in() {
  mkdir -p "$BATS_TEST_TMPDIR/stand-in"
  { echo '#!/bin/sh' && cat; } >"$BATS_TEST_TMPDIR/stand-in/$1"
  chmod 755 "$BATS_TEST_TMPDIR/stand-in/$1"
  case $USE_PATH in "$BATS_TEST_TMPDIR/stand-in":*) ;; *) USE_PATH=$BATS_TEST_TMPDIR/stand-in:$USE_PATH ;; esac
}

# A busybox that prefers its own programs to those of PATH cannot be deceived; cases with stand-ins are for the other shells then.
needs_path() {
  printf '#!/bin/sh\necho stand-in\n' >"$BATS_TEST_TMPDIR/uname"
  chmod 755 "$BATS_TEST_TMPDIR/uname"
  # shellcheck disable=SC2086 # the shell and its arguments
  [ "$(PATH=$BATS_TEST_TMPDIR:$PATH $SHELL_UNDER_TEST -c uname)" = stand-in ] || skip "this shell prefers its own programs"
}
