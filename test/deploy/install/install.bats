#!/usr/bin/env bats
# install.sh against releases on disk and on a server of this machine that can misbehave. TEST_SHELL runs the script.

load helper

setup_file() { start_lab; }
teardown_file() { stop_lab; }
setup() { new_home; }

# --- Options -------------------------------------------------------------------------------------------------------

@test "--help tells every option and changes nothing" {
  install --help
  ended 0
  for word in --version --channel --dir --no-modify-path --no-onboard --no-prompt --dry-run --verify --uninstall --purge --quiet --verbose --help; do
    has_text "$word"
  done
  [ -z "$(ls -A "$HOME_DIR")" ]
}

@test "a wrong option, a missing value and a wrong channel end with 2" {
  for wrong in --nonsense --version --dir --channel=weekly --install-method=cargo --purge --version= stray; do
    install "$wrong"
    ended 2
    has_text "error: "
    has_text "--help"
  done
  [ -z "$(ls -A "$HOME_DIR")" ]
}

@test "the older installer's --install-method, --beta and --version latest are understood" {
  install --install-method npm --version latest --dry-run
  ended 0
  has_text "Would install clawdbot 2026.1.2 "
  install --install-method=git --beta --dry-run
  ended 0
  has_text "Would install clawdbot 2026.2.1-beta.1 "
}

@test "a hostile version is refused and never executed" {
  for version in '../../x' '$(touch pwned)' '`touch pwned`' '2026.1.1;touch pwned' '-rf' '2026.1.1 2026.1.2' '2026..1' '2026.1' \
    'v' '2026.1.1/../../x' $'2026.1.1\nx' "2026.1.1$(printf 'x%.0s' {1..80})" '2026.1.*'; do
    install --version "$version"
    ended 2
    has_text "is not a version"
  done
  [ -z "$(ls -A "$HOME_DIR")" ]
  [ ! -e pwned ]
}

@test "plain http to another machine, and what is no address, are refused" {
  for SOURCE in http://example.com/x http://127.0.0.1@example.com http://127.0.0.1.example.com http://localhost:1@example.com/ \
    http://127.0.0.1:80x/ ftp://127.0.0.1/ 127.0.0.1 'https://exa mple.com' 'https://example.com/$(id)' file://x -x; do
    install
    ended 2
    has_text "CLAWDBOT_INSTALL_BASE_URL"
  done
  [ -z "$(ls -A "$HOME_DIR")" ]
}

@test "every option has its variable, in all three spellings of the product" {
  EXTRA_ENV=(CLAWDBOT_VERSION=2026.1.1 CLAWDBOT_DRY_RUN=1 "MOLTBOT_INSTALL_DIR=$HOME_DIR/moved" OPENCLAW_NO_MODIFY_PATH=1)
  INTO=()
  install
  ended 0
  has_text "Would install clawdbot 2026.1.1 "
  has_text "$HOME_DIR/moved/clawdbot"
  lacks_text "PATH   "
  EXTRA_ENV=(CLAWDBOT_CHANNEL=beta CLAWDBOT_DRY_RUN=true CLAWDBOT_VERSION=)
  install
  has_text "2026.2.1-beta.1"
  EXTRA_ENV=(CLAWDBOT_DRY_RUN=0 CLAWDBOT_VERSION=2026.1.1 OPENCLAW_VERSION=2026.1.2 CLAWDBOT_NO_PROMPT=1 CLAWDBOT_NO_ONBOARD=1)
  INTO=(--dir "$DIR")
  install
  ended 0
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
}

@test "--dry-run says what would happen and touches nothing" {
  install --dry-run
  ended 0
  has_text "Would install clawdbot 2026.1.2 for $TARGET"
  has_text "$DIR/clawdbot"
  has_text "$HOME_DIR/.bashrc"
  [ -z "$(ls -A "$HOME_DIR")" ]
  no_leftovers
}

# --- A first installation ------------------------------------------------------------------------------------------

@test "the newest version is installed from a folder, with links, receipt and next steps" {
  install
  ended 0
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
  [ "$(stat -c %a "$DIR/clawdbot")" = 755 ]
  [ "$(readlink "$DIR/openclaw")" = clawdbot ]
  [ "$(readlink "$DIR/moltbot")" = clawdbot ]
  [ ! -e "$DIR/clawdbot.prev" ]
  has_text "clawdbot 2026.1.2 is installed: $DIR/clawdbot"
  [[ "${lines[-3]}" == *"clawdbot onboard "* ]]
  [[ "${lines[-2]}" == *"clawdbot gateway "* ]]
  [[ "${lines[-1]}" == *"clawdbot dashboard "* ]]
  no_leftovers
  run jq -r '[.version, .target, .channel, .source, .signature, (.links | join("+"))] | join(" ")' "$DIR/.clawdbot-install.json"
  [ "$output" = "2026.1.2 $TARGET stable $SOURCE verified openclaw+moltbot" ]
  [ "$(jq -r .sha256 "$DIR/.clawdbot-install.json")" = "$(sha256sum <"$DIR/clawdbot" | cut -c 1-64)" ]
}

@test "deploy-101 curl or wget alone is enough: nothing else has to be installed" {
  needs_path
  for tools in "curl sha256sum gzip" "wget sha256sum" "curl openssl"; do
    rm -rf "$BATS_TEST_TMPDIR/only" "$HOME_DIR/.local"
    # shellcheck disable=SC2086 # a list of words
    only $tools
    SOURCE=http://127.0.0.1:$HTTP/ok/good
    install --no-modify-path
    ended 0
    [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
  done
}

@test "the packed file is taken where gzip is, the plain one where it is not" {
  SOURCE=http://127.0.0.1:$HTTP/ok/good
  : >"$LAB/requests"
  install
  ended 0
  grep -qx "GET /ok/good/download/v2026.1.2/clawdbot-$TARGET.gz" "$LAB/requests"
  ! grep -qx "GET /ok/good/download/v2026.1.2/clawdbot-$TARGET" "$LAB/requests"
  needs_path
  only curl sha256sum
  rm -r "$DIR"
  : >"$LAB/requests"
  install
  ended 0
  grep -qx "GET /ok/good/download/v2026.1.2/clawdbot-$TARGET" "$LAB/requests"
  ! grep -q "\.gz" "$LAB/requests"
}

@test "GNU wget, busybox wget and fetch download too, and say why they cannot" {
  needs_path
  printf 'exec busybox wget "$@"\n' >"$BATS_TEST_TMPDIR/busybox-wget"
  # FreeBSD's fetch: -q -T seconds -o file address
  printf 'exec curl -sSf --noproxy "*" -o "$5" "$6"\n' >"$BATS_TEST_TMPDIR/fetch"
  for tool in wget busybox-wget fetch; do
    rm -rf "$BATS_TEST_TMPDIR/only" "$BATS_TEST_TMPDIR/stand-in" "$HOME_DIR/.local"
    only sha256sum gzip busybox
    case $tool in
      wget) ln -s "$(command -v wget)" "$BATS_TEST_TMPDIR/only/wget" ;;
      busybox-wget) stand_in wget <"$BATS_TEST_TMPDIR/busybox-wget" ;;
      fetch)
        stand_in fetch <"$BATS_TEST_TMPDIR/fetch"
        mkdir "$BATS_TEST_TMPDIR/only/real"
        ln -sf "$(command -v curl)" "$BATS_TEST_TMPDIR/only/real/curl"
        sed -i "s|exec curl|exec $BATS_TEST_TMPDIR/only/real/curl|" "$BATS_TEST_TMPDIR/stand-in/fetch"
        ;;
    esac
    SOURCE=http://127.0.0.1:$HTTP/ok/good
    install
    ended 0
    [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
    before=$(snapshot "$DIR")
    install --version 2026.9.9
    ended 1
    has_text "There is no version 2026.9.9 at $SOURCE"
    has_text 404
    [ "$(snapshot "$DIR")" = "$before" ]
  done
}

@test "with nothing to download with, or nothing to check with, it refuses and names the remedy" {
  needs_path
  only sha256sum gzip
  SOURCE=https://release.example
  install
  ended 1
  has_text "neither curl nor wget"
  rm -r "$BATS_TEST_TMPDIR/only"
  only curl gzip
  SOURCE=file://$LAB/www/good
  install
  ended 1
  has_text "SHA-256"
  [ -z "$(ls -A "$HOME_DIR")" ]
}

@test "shasum and openssl make the sums where there is no sha256sum" {
  needs_path
  for tool in shasum openssl; do
    rm -rf "$BATS_TEST_TMPDIR/only" "$HOME_DIR/.local"
    only perl "$tool"
    install
    ended 0
    [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
  done
}

@test "from a pipe, with options behind -s --" {
  run bash -c 'cat "$0" | "$@"' "$SCRIPT" env -i PATH="$USE_PATH" HOME="$HOME_DIR" SHELL=/bin/bash \
    CLAWDBOT_INSTALL_BASE_URL="$SOURCE" $SHELL_UNDER_TEST -s -- --dir "$DIR" --version 2026.1.1
  ended 0
  [ "$("$DIR/clawdbot" --version)" = 2026.1.1 ]
}

@test "--quiet says nothing when all is well; --verbose tells each step" {
  install --quiet
  ended 0
  [ -z "$output" ]
  rm -r "$DIR"
  install --verbose
  ended 0
  has_text "GET $SOURCE/download/v2026.1.2/SHA256SUMS.sig"
  has_text "sha256 of clawdbot-$TARGET: "
  has_text "signature of SHA256SUMS: right"
}

@test "a mirror is told by name; a moved file is followed; a slow one is waited for" {
  for fault in moved slow; do
    rm -rf "$DIR"
    SOURCE=http://127.0.0.1:$HTTP/$fault/good
    install
    ended 0
    has_text "Downloading clawdbot 2026.1.2 for $TARGET from $SOURCE/download/v2026.1.2/clawdbot-$TARGET.gz"
    [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
  done
}

@test "root installs to /usr/local/bin, everybody else below the home folder" {
  INTO=()
  install --dry-run
  ended 0
  if [ "$(id -u)" -eq 0 ]; then has_text "to     /usr/local/bin/clawdbot"; else has_text "to     $HOME_DIR/.local/bin/clawdbot"; fi
  [ "$(id -u)" -eq 0 ] || skip "only root can become somebody else"
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
  chown 65534 "$HOME_DIR"
  EXTRA_ENV=(TMPDIR=/tmp)
  # shellcheck disable=SC2086
  run in_env setpriv --reuid=65534 --regid=65534 --clear-groups $SHELL_UNDER_TEST "$SCRIPT" </dev/null
  ended 0
  [ "$(stat -c %u "$DIR/clawdbot")" = 65534 ]
}

@test "without a HOME a folder has to be named" {
  needs_path
  printf '1000\n' >"$BATS_TEST_TMPDIR/id"
  stand_in id <<<'echo 1000'
  INTO=()
  EXTRA_ENV=(-u HOME)
  run env -i PATH="$USE_PATH" CLAWDBOT_INSTALL_BASE_URL="$SOURCE" $SHELL_UNDER_TEST "$SCRIPT" --dry-run
  ended 1
  has_text "--dir"
  run env -i PATH="$USE_PATH" CLAWDBOT_INSTALL_BASE_URL="$SOURCE" $SHELL_UNDER_TEST "$SCRIPT" --dir "$DIR"
  ended 0
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
}

@test "a home and a folder with spaces, quotes and dollar signs" {
  HOME_DIR="$BATS_TEST_TMPDIR/it's \"my\" \$HOME \\ home"
  mkdir "$HOME_DIR"
  DIR="$HOME_DIR/my 'bin'"
  INTO=(--dir "$DIR")
  printf 'alias a=b' >"$HOME_DIR/.bashrc"
  before=$(snapshot "$HOME_DIR")
  install
  ended 0
  no_leftovers
  [ "$(HOME=$HOME_DIR PATH=/usr/bin:/bin bash -c '. "$HOME/.bashrc"; clawdbot --version')" = 2026.1.2 ]
  [ "$(HOME=$HOME_DIR PATH=/usr/bin:/bin dash -c '. "$HOME/.profile"; clawdbot --version')" = 2026.1.2 ]
  after=$(snapshot "$HOME_DIR")
  install
  ended 0
  [ "$(snapshot "$HOME_DIR")" = "$after" ]
  [ "$(jq -r '.pathFiles[0]' "$DIR/.clawdbot-install.json")" = "$HOME_DIR/.bashrc" ]
  install --uninstall
  ended 0
  [ "$(snapshot "$HOME_DIR")" = "$before" ]
}

@test "a relative folder and a tilde become whole paths; a folder named clawdbot is in the way" {
  cd "$HOME_DIR"
  INTO=(--dir tools/)
  install
  ended 0
  has_text "$HOME_DIR/tools/clawdbot"
  INTO=('--dir=~/other')
  install
  ended 0
  [ -x "$HOME_DIR/other/clawdbot" ]
  mkdir -p "$HOME_DIR/third/clawdbot"
  INTO=(--dir "$HOME_DIR/third")
  install
  ended 1
  has_text "is a folder"
  INTO=(--dir $'with\nnewline')
  install
  ended 2
}

# --- Signature and sums --------------------------------------------------------------------------------------------

# broken <command>: a copy of the good source, changed by the command inside the folder of its newest version.
broken() {
  cp -r "$LAB/www/good" "$BATS_TEST_TMPDIR/source"
  (cd "$BATS_TEST_TMPDIR/source/download/v2026.1.2" && "$@")
  SOURCE=file://$BATS_TEST_TMPDIR/source
}

# refuses <what it says>: an installed 2026.1.1 is asked to become 2026.1.2, and stays as it was.
refuses() {
  local wish=$SOURCE
  SOURCE=file://$LAB/www/good
  [ -e "$DIR/clawdbot" ] || install --version 2026.1.1
  SOURCE=$wish
  local before
  before=$(snapshot "$HOME_DIR")
  install
  ended 1
  has_text "$1"
  [ "$(snapshot "$HOME_DIR")" = "$before" ] || { diff <(echo "$before") <(snapshot "$HOME_DIR") && return 1; }
  [ "$("$DIR/clawdbot" --version)" = 2026.1.1 ]
  no_leftovers
}

@test "a wrong signature changes nothing" {
  broken sh -c 'echo >>SHA256SUMS'
  refuses "The signature of version 2026.1.2 is wrong"
}

@test "the signature of another key changes nothing" {
  openssl genpkey -algorithm ed25519 -out "$BATS_TEST_TMPDIR/other.pem"
  broken sh -c "openssl pkeyutl -sign -inkey $BATS_TEST_TMPDIR/other.pem -rawin -in SHA256SUMS | base64 -w 0 >SHA256SUMS.sig"
  refuses "The signature of version 2026.1.2 is wrong"
}

@test "the signature of another version changes nothing" {
  broken cp ../v2026.1.1/SHA256SUMS.sig .
  refuses "The signature of version 2026.1.2 is wrong"
}

@test "a signature that is not one, or that is missing, changes nothing" {
  broken sh -c 'echo "<html>" >SHA256SUMS.sig'
  refuses "The signature of version 2026.1.2 is wrong"
  rm "$BATS_TEST_TMPDIR/source/download/v2026.1.2/SHA256SUMS.sig"
  refuses "A mirror must have SHA256SUMS.sig"
}

@test "an older version in the place of a newer one is noticed although its signature is right" {
  broken sh -c 'rm * && cp ../v2026.1.1/* .'
  rm -r "$DIR" 2>/dev/null || :
  install
  ended 1
  has_text 'says that it is "2026.1.1"'
  [ ! -e "$DIR" ]
}

@test "without openssl 3 it warns and checks the sums all the same" {
  needs_path
  only curl sha256sum gzip
  install
  ended 0
  has_text "warning: the signature is not checked: there is no openssl 3 here"
  [ "$(jq -r .signature "$DIR/.clawdbot-install.json")" = "not checked: there is no openssl 3 here" ]
  rm -r "$DIR"
  # As openssl 1.1 and LibreSSL do it.
  stand_in openssl <<<'case "$*" in *-rawin*) echo "unknown option -rawin" >&2; exit 1 ;; esac; cat'
  install
  ended 0
  has_text "there is no openssl 3 here"
  rm -r "$DIR"
  # One that says yes to everything is no check.
  stand_in openssl <<<'cat >/dev/null; exit 0'
  install
  ended 0
  has_text "there is no openssl 3 here"
}

@test "a script without a key says that only sums are checked" {
  SCRIPT=$REPO/install.sh
  grep -qxF 'RELEASE_KEY="@RELEASE_KEY@"' "$SCRIPT"
  install
  ended 0
  has_text "carries no release key; the checksums are checked"
}

@test "a wget that does not check certificates is not trusted without a signature" {
  needs_path
  only sha256sum gzip
  stand_in wget <<SH
while [ \$# -gt 0 ]; do case \$1 in -O) out=\$2 && shift ;; https://*) address=\$1 ;; esac; shift; done
[ -n "\$address" ] || exit 1
echo "wget: note: TLS certificate validation not implemented" >&2
cat "$LAB/www/good/\${address#https://release.example/}" >"\$out"
SH
  SOURCE=https://release.example
  install
  ended 1
  has_text "does not check certificates"
  [ ! -e "$DIR" ]
  ln -s "$(command -v openssl)" "$BATS_TEST_TMPDIR/only/openssl"
  install
  ended 0
  [ "$(jq -r .signature "$DIR/.clawdbot-install.json")" = verified ]
}

@test "a wrong sum of the packed or the plain file changes nothing, and the download is deleted" {
  broken sh -c "echo x >>clawdbot-$TARGET.gz"
  refuses "clawdbot-$TARGET.gz is not the file that was published"
  has_text "It was deleted"
  rm -r "$BATS_TEST_TMPDIR/source"
  broken sh -c "echo '#!/bin/sh' >clawdbot-$TARGET; gzip -c clawdbot-$TARGET >clawdbot-$TARGET.gz; sum=\$(sha256sum <clawdbot-$TARGET.gz | cut -c 1-64); sed -i \"s/^[0-9a-f]*  clawdbot-$TARGET.gz/\$sum  clawdbot-$TARGET.gz/\" SHA256SUMS; openssl pkeyutl -sign -inkey $LAB/release.pem -rawin -in SHA256SUMS | base64 -w 0 >SHA256SUMS.sig"
  refuses "clawdbot-$TARGET is not the file that was published"
}

@test "a list of sums without the file, with two sums for it, or that is a web page, changes nothing" {
  SCRIPT=$REPO/install.sh
  broken sh -c "sed -i '/clawdbot-$TARGET\$/d' SHA256SUMS"
  refuses "has no clawdbot for $TARGET"
  rm -r "$BATS_TEST_TMPDIR/source"
  broken sh -c "sed 's/^....../000000/' SHA256SUMS >more; cat more >>SHA256SUMS"
  refuses "has no clawdbot for $TARGET"
  rm -r "$BATS_TEST_TMPDIR/source"
  broken sh -c "echo '<html>' >SHA256SUMS"
  refuses "has no clawdbot for $TARGET"
  rm -r "$BATS_TEST_TMPDIR/source"
  broken sh -c "head -c 10000000 /dev/zero >>SHA256SUMS"
  refuses "bigger than it can be"
}

@test "what another listed file has in its name does not pass for ours" {
  SCRIPT=$REPO/install.sh
  broken sh -c "sed -i 's/  clawdbot-$TARGET\$/  xclawdbot-$TARGET/' SHA256SUMS"
  refuses "has no clawdbot for $TARGET"
}

# --- Servers and latest.txt ----------------------------------------------------------------------------------------

@test "a download that is cut off, half as long, stalled, a sign-in page or a server error changes nothing" {
  SOURCE=http://127.0.0.1:$HTTP/cut/good
  refuses "clawdbot-$TARGET.gz cannot be downloaded"
  SOURCE=http://127.0.0.1:$HTTP/half/good
  refuses "clawdbot-$TARGET.gz is not the file that was published"
  SOURCE=http://127.0.0.1:$HTTP/page/good
  refuses "is not the name of a version"
  SOURCE=http://127.0.0.1:$HTTP/missing/good
  refuses "The newest version cannot be read"
  SOURCE=http://127.0.0.1:1
  refuses "The newest version cannot be read"
}

@test "a server that stops sending is given up" {
  EXTRA_ENV=(CLAWDBOT_INSTALL_STALL=1)
  # curl takes some seconds longer to notice; once is enough.
  case $SHELL_UNDER_TEST in */dash*) ;; *) needs_path && only wget sha256sum gzip openssl ;; esac
  SOURCE=http://127.0.0.1:$HTTP/stall/good
  refuses "clawdbot-$TARGET.gz cannot be downloaded"
}

@test "a hostile latest.txt is no version: a page, 10 MB, nothing, a path, a command" {
  install --version 2026.1.1
  mkdir -p "$BATS_TEST_TMPDIR/source/latest/download"
  ln -s "$LAB/www/good/download" "$BATS_TEST_TMPDIR/source/download"
  latest=$BATS_TEST_TMPDIR/source/latest/download/latest.txt
  SOURCE=file://$BATS_TEST_TMPDIR/source
  for text in '<!DOCTYPE html>' '' '../../etc/passwd' '$(touch pwned)' '2026.1.2 extra' '-2026.1.2' $'\x1b[31m2026.1.2'; do
    printf '%s' "$text" >"$latest"
    refuses "is not the name of a version"
  done
  head -c 10000000 /dev/zero >"$latest"
  refuses "bigger than it can be"
  yes 2026.1.2 | head -c 10000000 >"$latest"
  refuses "bigger than it can be"
  printf '2026.1.2\r\n' >"$latest"
  install
  ended 0
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
}

@test "a latest.txt without an end is cut short" {
  SOURCE=http://127.0.0.1:$HTTP/endless/good
  run timeout 60 env -i PATH="$USE_PATH" HOME="$HOME_DIR" CLAWDBOT_INSTALL_BASE_URL="$SOURCE" $SHELL_UNDER_TEST "$SCRIPT" --dir "$DIR"
  ended 1
  has_text "bigger than it can be"
  needs_path
  only wget sha256sum timeout
  run timeout 60 env -i PATH="$USE_PATH" HOME="$HOME_DIR" CLAWDBOT_INSTALL_BASE_URL="$SOURCE" $SHELL_UNDER_TEST "$SCRIPT" --dir "$DIR"
  ended 1
  has_text "bigger than it can be"
  [ ! -e "$DIR" ]
}

@test "a proxy of the environment is used for https, and never for this machine itself" {
  SOURCE=https://release.example:$HTTPS/ok/good
  EXTRA_ENV=("https_proxy=http://127.0.0.1:$PROXY" "http_proxy=http://127.0.0.1:$PROXY" "CURL_CA_BUNDLE=$LAB/tls.crt")
  : >"$LAB/requests"
  install
  ended 0
  grep -q "^proxy CONNECT release.example:$HTTPS " "$LAB/requests"
  rm -r "$DIR"
  : >"$LAB/requests"
  SOURCE=http://127.0.0.1:$HTTP/ok/good
  install
  ended 0
  ! grep -q "^proxy" "$LAB/requests"
}

@test "an https server cannot lead away from https" {
  SOURCE=https://release.example:$HTTPS/downgraded/good
  EXTRA_ENV=("https_proxy=http://127.0.0.1:$PROXY" "CURL_CA_BUNDLE=$LAB/tls.crt")
  : >"$LAB/requests"
  refuses "The newest version cannot be read"
  ! grep -q "GET /ok/" "$LAB/requests"
}

@test "a certificate that nobody vouches for is not accepted" {
  SOURCE=https://release.example:$HTTPS/ok/good
  EXTRA_ENV=("https_proxy=http://127.0.0.1:$PROXY")
  refuses "certificate"
}

# --- Updating ------------------------------------------------------------------------------------------------------

@test "an update keeps the version before; a second run changes nothing at all" {
  install --version 2026.1.1
  ended 0
  install
  ended 0
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
  [ "$("$DIR/clawdbot.prev" --version)" = 2026.1.1 ]
  no_leftovers
  before=$(snapshot "$HOME_DIR")
  : >"$LAB/requests"
  install
  ended 0
  has_text "clawdbot 2026.1.2 is installed already"
  lacks_text "warning"
  [ "$(snapshot "$HOME_DIR")" = "$before" ]
}

@test "an installed file that was damaged is put right by the same version" {
  install
  echo damage >>"$DIR/clawdbot"
  install --verify
  ended 0
  [ "$(sha256sum <"$DIR/clawdbot")" = "$(sha256sum <"$LAB/www/good/download/v2026.1.2/clawdbot-$TARGET")" ]
  has_text "Verified: sha256 "
  has_text "signature verified"
}

@test "an older version comes back only by name, whatever a source calls its newest" {
  install --beta
  [ "$("$DIR/clawdbot" --version)" = 2026.2.1-beta.1 ]
  before=$(snapshot "$HOME_DIR")
  install
  ended 0
  has_text "2026.2.1-beta.1 is installed; the newest at $SOURCE is 2026.1.2, which is older"
  has_text "--version 2026.1.2"
  [ "$(snapshot "$HOME_DIR")" = "$before" ]
  install --version 2026.1.2
  ended 0
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
  # A final version is newer than its betas, and 10 is more than 9.
  while read -r old new; do
    release "$BATS_TEST_TMPDIR/ladder" "$old"
    release "$BATS_TEST_TMPDIR/ladder" "$new"
    SOURCE=file://$BATS_TEST_TMPDIR/ladder
    install --version "$old"
    ended 0
    install
    ended 0
    [ "$("$DIR/clawdbot" --version)" = "$new" ]
  done <<<$'2026.1.9 2026.1.10\n2026.3.1-beta.2 2026.3.1\n2025.12.31 2026.1.1'
}

@test "an older version can be put back by name" {
  install
  install --version v2026.1.1
  ended 0
  [ "$("$DIR/clawdbot" --version)" = 2026.1.1 ]
  [ "$("$DIR/clawdbot.prev" --version)" = 2026.1.2 ]
}

@test "a program that runs goes on with its old file while it is replaced" {
  mkdir -p "$DIR"
  cp "$(command -v sleep)" "$DIR/clawdbot"
  "$DIR/clawdbot" 1000 3>&- &
  pid=$!
  until [ "$(readlink "/proc/$pid/exe")" = "$DIR/clawdbot" ]; do kill -0 "$pid"; done
  inode=$(stat -L -c %i "/proc/$pid/exe")
  install
  code=$status
  [ "$(stat -L -c %i "/proc/$pid/exe")" = "$inode" ]
  [ "$(stat -c %i "$DIR/clawdbot.prev")" = "$inode" ]
  kill -0 "$pid"
  kill "$pid"
  [ "$code" -eq 0 ]
  has_text "came from elsewhere"
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
}

@test "another installer's link is replaced, not followed, and kept" {
  mkdir -p "$DIR" "$HOME_DIR/lib/node_modules/clawdbot"
  echo 'console.log(1)' >"$HOME_DIR/lib/node_modules/clawdbot/index.js"
  ln -s ../../lib/node_modules/clawdbot/index.js "$DIR/clawdbot"
  install
  ended 0
  [ ! -L "$DIR/clawdbot" ]
  [ "$(readlink "$DIR/clawdbot.prev")" = ../../lib/node_modules/clawdbot/index.js ]
  [ "$(cat "$HOME_DIR/lib/node_modules/clawdbot/index.js")" = 'console.log(1)' ]
}

@test "a disk that is full keeps the old version, says so, and leaves nothing behind" {
  [ "$(id -u)" -eq 0 ] || skip "only root can mount"
  big=$BATS_TEST_TMPDIR/big
  release "$big" 2026.1.1
  release "$big" 2026.1.2
  for version in 2026.1.1 2026.1.2; do
    files=$big/download/v$version
    # Does not pack well, so both the packed and the plain file are big.
    { echo 'exit'; head -c 2500000 /dev/urandom | base64; } >>"$files/clawdbot-$TARGET"
    gzip -1nc "$files/clawdbot-$TARGET" >"$files/clawdbot-$TARGET.gz"
    sign "$files"
  done
  SOURCE=file://$big
  for size in 4500k 6500k 8800k; do
    mkdir -p "$DIR"
    mount -t tmpfs -o size=$size tmpfs "$DIR"
    install --version 2026.1.1 --quiet
    # The first one needs more than it leaves behind; where it does not fit, the old version is put there by hand.
    [ -e "$DIR/clawdbot" ] || fake_program 2026.1.1 >"$DIR/clawdbot"
    chmod 755 "$DIR/clawdbot"
    head -c 1500000 /dev/zero >"$DIR/ballast" || :
    before=$(snapshot "$DIR")
    install
    code=$status text=$output
    after=$(snapshot "$DIR")
    umount "$DIR"
    echo "$size: $text"
    [ "$code" -eq 1 ]
    [[ $text == *"There is no space left in $DIR"* ]]
    [ "$after" = "$before" ]
  done
}

@test "a folder that cannot be written, or that forbids programs, is named with the remedy" {
  [ "$(id -u)" -eq 0 ] || skip "only root can mount"
  mkdir -p "$DIR"
  mount -t tmpfs -o ro tmpfs "$DIR"
  install
  umount "$DIR"
  ended 1
  has_text "Nothing can be written in $DIR"
  has_text "--dir"
  mount -t tmpfs -o noexec tmpfs "$DIR"
  install
  left=$(ls -A "$DIR")
  umount "$DIR"
  ended 1
  has_text "noexec"
  has_text "--dir"
  [ -z "$left" ]
}

@test "a folder of somebody else is named with the remedy" {
  [ "$(id -u)" -eq 0 ] || skip "only root can become somebody else"
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
  mkdir -p "$DIR"
  EXTRA_ENV=(TMPDIR=/tmp)
  # shellcheck disable=SC2086
  run in_env setpriv --reuid=65534 --regid=65534 --clear-groups $SHELL_UNDER_TEST "$SCRIPT" --dir "$DIR" </dev/null
  ended 1
  has_text "Nothing can be written in $DIR"
  has_text "--dir"
  [ -z "$(ls -A "$DIR")" ]
}

@test "a file for another machine is tried before it replaces anything" {
  broken sh -c "printf '\\177ELF\\002\\001\\001 not for this machine' >clawdbot-$TARGET && gzip -c clawdbot-$TARGET >clawdbot-$TARGET.gz"
  sign "$BATS_TEST_TMPDIR/source/download/v2026.1.2"
  refuses "clawdbot 2026.1.2 does not start here"
  has_text "It was built for $TARGET; this machine is $(uname -srm)"
}

# --- Interruptions -------------------------------------------------------------------------------------------------

# Starts a run whose download never ends, in a process group of its own, and waits until it hangs.
begin_stalled() {
  : >"$LAB/requests"
  rm -f "$BATS_TEST_TMPDIR/group"
  # shellcheck disable=SC2086 # the shell and its arguments
  SOURCE=http://127.0.0.1:$HTTP/stall/good in_env CLAWDBOT_INSTALL_STALL=120 env --default-signal=INT \
    setsid -w sh -c 'echo $$ >"$0" && exec "$@"' "$BATS_TEST_TMPDIR/group" $SHELL_UNDER_TEST "$SCRIPT" --dir "$DIR" \
    >"$BATS_TEST_TMPDIR/stalled" 2>&1 </dev/null 3>&- 4>&- &
  STALLED=$!
  until grep -q stalled "$LAB/requests"; do kill -0 "$STALLED"; done
  GROUP=$(cat "$BATS_TEST_TMPDIR/group")
}

@test "Ctrl+C, a hang-up and SIGTERM in the middle leave the old version and nothing else" {
  install --version 2026.1.1
  before=$(snapshot "$HOME_DIR")
  for signal in INT HUP TERM; do
    begin_stalled
    [ -e "$DIR/.clawdbot-install" ]
    kill -s "$signal" -- "-$GROUP"
    code=0
    wait "$STALLED" || code=$?
    [ "$code" -gt 128 ]
    [ "$(snapshot "$HOME_DIR")" = "$before" ]
    no_leftovers
  done
}

@test "of two runs at once the second refuses; the next one clears up after one that was killed" {
  install --version 2026.1.1
  begin_stalled
  install
  ended 1
  has_text "Another installation works in $DIR (process "
  [ "$("$DIR/clawdbot" --version)" = 2026.1.1 ]
  kill -s KILL -- "-$GROUP"
  wait "$STALLED" || :
  [ -e "$DIR/.clawdbot-install" ]
  install
  ended 0
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
  [ ! -e "$DIR/.clawdbot-install" ]
}

@test "a script that was cut off anywhere does nothing" {
  # Should it start after all, then here.
  EXTRA_ENV=("CLAWDBOT_INSTALL_DIR=$DIR")
  size=$(wc -c <"$REPO/install.sh")
  for at in $(seq 200 997 "$size") $((size - 20)) $((size - 16)) $((size - 12)) $((size - 8)) $((size - 6)) $((size - 4)) $((size - 3)) $((size - 2)); do
    head -c "$at" "$REPO/install.sh" >"$BATS_TEST_TMPDIR/cut.sh"
    # shellcheck disable=SC2086 # the shell and its arguments
    [ -z "$(in_env $SHELL_UNDER_TEST -s -- --dir "$DIR" <"$BATS_TEST_TMPDIR/cut.sh" 2>/dev/null)" ]
    [ -z "$(ls -A "$HOME_DIR")" ]
  done
}

# --- PATH ----------------------------------------------------------------------------------------------------------

@test "bash gets one block in .bashrc and one in the file that it reads on signing in" {
  printf '# mine\n' >"$HOME_DIR/.bashrc"
  printf '# login\n' >"$HOME_DIR/.bash_profile"
  chmod 600 "$HOME_DIR/.bash_profile"
  before=$(snapshot "$HOME_DIR")
  install
  ended 0
  has_text "Open a new terminal"
  install --version 2026.1.1
  install
  for file in .bashrc .bash_profile; do
    [ "$(grep -c '^# >>> clawdbot >>>$' "$HOME_DIR/$file")" = 1 ]
    [ "$(HOME=$HOME_DIR PATH=/usr/bin:/bin bash -c '. "$HOME/$0"; . "$HOME/$0"; echo "$PATH"' $file)" = "$DIR:/usr/bin:/bin" ]
  done
  [ ! -e "$HOME_DIR/.profile" ]
  [ "$(stat -c %a "$HOME_DIR/.bash_profile")" = 600 ]
  install --uninstall
  ended 0
  rm -rf "$HOME_DIR/.local"
  [ "$(snapshot "$HOME_DIR")" = "$before" ]
}

@test "zsh's file is found through ZDOTDIR, fish gets a file of its own, for another shell the line is printed" {
  EXTRA_ENV=(SHELL=/usr/bin/zsh "ZDOTDIR=$HOME_DIR/z")
  mkdir "$HOME_DIR/z"
  install
  ended 0
  grep -qF '/.local/bin' "$HOME_DIR/z/.zshrc"
  [ ! -e "$HOME_DIR/.zshrc" ]
  # The receipt remembers the place, whatever the environment says later.
  EXTRA_ENV=()
  install --uninstall
  [ ! -e "$HOME_DIR/z/.zshrc" ]
  EXTRA_ENV=(SHELL=/usr/bin/fish)
  install
  ended 0
  fish=$HOME_DIR/.config/fish/conf.d/clawdbot.fish
  grep -qxF "contains -- '$DIR' \$PATH; or set -gx PATH '$DIR' \$PATH" "$fish"
  install
  [ "$(grep -c contains "$fish")" = 1 ]
  install --uninstall
  [ ! -e "$fish" ]
  for shell in /bin/sh /usr/bin/xonsh ''; do
    EXTRA_ENV=("SHELL=$shell")
    before=$(snapshot "$HOME_DIR")
    install
    ended 0
    has_text 'export PATH="$HOME/.local/bin":"$PATH"'
    install --uninstall
    [ "$(snapshot "$HOME_DIR")" = "$before" ]
  done
}

@test "nothing is added when the folder is on PATH, in CI, or with --no-modify-path" {
  for extra in "PATH=$DIR:$USE_PATH" CI=true CLAWDBOT_NO_MODIFY_PATH=1; do
    rm -rf "$HOME_DIR/.local"
    EXTRA_ENV=("$extra")
    install
    ended 0
    [ ! -e "$HOME_DIR/.bashrc" ]
    [ ! -e "$HOME_DIR/.profile" ]
  done
  has_text "$DIR/clawdbot gateway"
}

@test "a start file that is a link stays one; one that Nix or an administrator made is not touched" {
  mkdir "$HOME_DIR/dotfiles"
  echo '# mine' >"$HOME_DIR/dotfiles/bashrc"
  ln -s dotfiles/bashrc "$HOME_DIR/.bashrc"
  ln -s /nix/store/abc-home-files/.profile "$HOME_DIR/.profile"
  install
  ended 0
  [ "$(readlink "$HOME_DIR/.bashrc")" = dotfiles/bashrc ]
  grep -qF '# >>> clawdbot >>>' "$HOME_DIR/dotfiles/bashrc"
  [ "$(readlink "$HOME_DIR/.profile")" = /nix/store/abc-home-files/.profile ]
  has_text "$HOME_DIR/.profile is not changed"
  has_text 'export PATH='
  install --uninstall
  [ "$(cat "$HOME_DIR/dotfiles/bashrc")" = '# mine' ]
  [ "$(readlink "$HOME_DIR/.bashrc")" = dotfiles/bashrc ]
  ln -sf .bashrc "$HOME_DIR/.profile"
  ln -sf .profile "$HOME_DIR/.bashrc"
  install
  ended 0
  has_text "$HOME_DIR/.bashrc is not changed"
  [ "$(id -u)" -eq 0 ] || return 0
  chown 65534 "$HOME_DIR"
  echo '# of root' >"$BATS_TEST_TMPDIR/of-root"
  chmod 666 "$BATS_TEST_TMPDIR/of-root"
  ln -sf "$BATS_TEST_TMPDIR/of-root" "$HOME_DIR/.bashrc"
  chmod 755 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
  chown -R 65534 "$HOME_DIR/.local"
  EXTRA_ENV=(TMPDIR=/tmp)
  # shellcheck disable=SC2086
  run in_env setpriv --reuid=65534 --regid=65534 --clear-groups $SHELL_UNDER_TEST "$SCRIPT" </dev/null
  ended 0
  has_text "$HOME_DIR/.bashrc is not changed"
  [ "$(cat "$BATS_TEST_TMPDIR/of-root")" = '# of root' ]
}

@test "the block comes and goes without a trace, also where the last line has no end" {
  for text in '' 'x' $'x\n' $'x\n\n' $'x\ny' $'\n' $'a\n# >>> clawdbot >>>\nnever closed'; do
    printf '%s' "$text" >"$HOME_DIR/.bashrc"
    cp "$HOME_DIR/.bashrc" "$BATS_TEST_TMPDIR/rc"
    install
    ended 0
    grep -qF '/.local/bin' "$HOME_DIR/.bashrc"
    install --uninstall
    ended 0
    cmp "$HOME_DIR/.bashrc" "$BATS_TEST_TMPDIR/rc"
  done
}

@test "a full temporary folder never costs a start file" {
  [ "$(id -u)" -eq 0 ] || skip "only root can mount"
  head -c 300000 /dev/zero | tr '\0' '#' >"$HOME_DIR/.bashrc"
  cp "$HOME_DIR/.bashrc" "$BATS_TEST_TMPDIR/rc"
  mkdir "$BATS_TEST_TMPDIR/small"
  mount -t tmpfs -o size=200k tmpfs "$BATS_TEST_TMPDIR/small"
  EXTRA_ENV=("TMPDIR=$BATS_TEST_TMPDIR/small")
  install
  umount "$BATS_TEST_TMPDIR/small"
  ended 0
  has_text "$HOME_DIR/.bashrc could not be changed"
  cmp "$HOME_DIR/.bashrc" "$BATS_TEST_TMPDIR/rc"
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
}

@test "the PATH lines of another installation stay" {
  install
  INTO=(--dir "$HOME_DIR/second")
  install
  ended 0
  grep -qF '$HOME/second' "$HOME_DIR/.bashrc"
  INTO=(--dir "$DIR")
  install --uninstall
  ended 0
  has_text "are for another folder, and stay"
  grep -qF '$HOME/second' "$HOME_DIR/.bashrc"
}

@test "what was written below the block stays, on lines of its own" {
  printf 'above' >"$HOME_DIR/.bashrc"
  install
  printf 'below\n' >>"$HOME_DIR/.bashrc"
  install --uninstall
  [ "$(cat "$HOME_DIR/.bashrc")" = $'above\nbelow' ]
}

@test "the folder itself under another name on PATH is no other clawdbot" {
  mkdir -p "$DIR"
  ln -s "$DIR" "$HOME_DIR/alias"
  USE_PATH=$HOME_DIR/alias:$DIR/:$USE_PATH
  install
  ended 0
  lacks_text "another clawdbot"
  [ ! -e "$HOME_DIR/.bashrc" ]
}

@test "another clawdbot that is found first is named, with npm's command where it is npm's" {
  mkdir -p "$HOME_DIR/npm/bin" "$HOME_DIR/npm/lib/node_modules/clawdbot"
  fake_program 1.0.0 >"$HOME_DIR/npm/lib/node_modules/clawdbot/index.js"
  chmod 755 "$HOME_DIR/npm/lib/node_modules/clawdbot/index.js"
  ln -s ../lib/node_modules/clawdbot/index.js "$HOME_DIR/npm/bin/clawdbot"
  USE_PATH=$HOME_DIR/npm/bin:$USE_PATH
  install
  ended 0
  has_text "another clawdbot is found first: $HOME_DIR/npm/bin/clawdbot"
  has_text "npm uninstall -g clawdbot"
}

# --- Service -------------------------------------------------------------------------------------------------------

@test "an update restarts an installed service" {
  install --version 2026.1.1
  touch "$HOME_DIR/.fake/service"
  install
  ended 0
  has_text "Restarting the service"
  called "2026.1.2 gateway restart --json"
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
  : >"$HOME_DIR/.fake/calls"
  install
  never_called "gateway restart"
}

@test "without a service nothing is restarted; a gateway in a terminal is pointed out" {
  install --version 2026.1.1
  install
  ended 0
  never_called "gateway restart"
  lacks_text "A gateway still runs"
  touch "$HOME_DIR/.fake/foreground"
  install --version 2026.1.1
  ended 0
  never_called "gateway restart"
  has_text "A gateway still runs with the version before"
}

@test "a service that is not healthy after the update gets the old version back" {
  install --version 2026.1.1
  before=$(snapshot "$DIR")
  touch "$HOME_DIR/.fake/service" "$HOME_DIR/.fake/bad-2026.1.2"
  install
  ended 1
  has_text "clawdbot 2026.1.2 was not healthy after the restart, so the old version was put back and runs again"
  has_text 'The reason: port 18789 is taken by "node"'
  has_text "Its log: journalctl -u gate, or clawdbot logs"
  called "2026.1.2 gateway restart --json"
  called "2026.1.1 gateway restart --json"
  [ "$(snapshot "$DIR")" = "$before" ]
  no_leftovers
}

@test "when the old version is not healthy either, that is said" {
  install --version 2026.1.1
  touch "$HOME_DIR/.fake/service" "$HOME_DIR/.fake/bad-2026.1.2" "$HOME_DIR/.fake/bad-2026.1.1"
  install
  ended 1
  has_text "and neither is the old version that was put back"
  [ "$("$DIR/clawdbot" --version)" = 2026.1.1 ]
}

@test "a service that was ill before the update keeps the new version; one that was stopped stays so" {
  install --version 2026.1.1
  touch "$HOME_DIR/.fake/service" "$HOME_DIR/.fake/sick" "$HOME_DIR/.fake/bad-2026.1.2"
  install
  ended 0
  has_text "is not healthy, as it was before the update"
  [ "$("$DIR/clawdbot" --version)" = 2026.1.2 ]
  rm "$HOME_DIR/.fake/sick"
  touch "$HOME_DIR/.fake/stopped"
  : >"$HOME_DIR/.fake/calls"
  install --version 2026.1.1
  ended 0
  has_text "was not running, and stays so. Start it with: clawdbot gateway start"
  never_called "gateway restart"
}

@test "the services of other profiles are restarted and removed too" {
  install --version 2026.1.1
  mkdir -p "$HOME_DIR/.config/systemd/user"
  touch "$HOME_DIR/.config/systemd/user/clawdbot-gateway-work.service" "$HOME_DIR/.fake/service-work"
  install
  ended 0
  called "2026.1.2 --profile work gateway restart --json"
  never_called "2026.1.2 gateway restart"
  install --uninstall
  ended 0
  called "2026.1.2 --profile work gateway uninstall"
}

@test "doctor looks after an update, and only then" {
  install
  never_called "2026.1.2 doctor --non-interactive"
  install --version 2026.1.1
  ended 0
  called "2026.1.1 doctor --non-interactive"
  has_text "clawdbot doctor: all well"
}

@test "the set-up questions come on a terminal, after a first installation" {
  # shellcheck disable=SC2086 # the shell and its arguments
  on_terminal() {
    run in_env script -qec "$(printf '%q ' $SHELL_UNDER_TEST "$SCRIPT" --dir "$DIR" "$@")" /dev/null </dev/null
    ended 0
  }
  for option in --no-onboard --no-prompt; do
    on_terminal $option
    lacks_text ONBOARDING
    has_text "clawdbot gateway"
    rm -r "$DIR"
  done
  on_terminal
  has_text ONBOARDING
  on_terminal --version 2026.1.1
  lacks_text ONBOARDING
  rm -r "$DIR"
  install
  lacks_text ONBOARDING
}

# --- Removal -------------------------------------------------------------------------------------------------------

@test "--uninstall takes away what was made and nothing else" {
  mkdir -p "$DIR"
  echo other >"$DIR/other"
  echo theirs >"$DIR/openclaw"
  printf '# mine' >"$HOME_DIR/.bashrc"
  before=$(snapshot "$HOME_DIR")
  install --version 2026.1.1
  install
  [ "$(cat "$DIR/openclaw")" = theirs ]
  [ -L "$DIR/moltbot" ]
  mkdir "$HOME_DIR/.clawdbot" "$HOME_DIR/clawd"
  install --uninstall
  ended 0
  has_text "clawdbot is removed"
  has_text "still there"
  rmdir "$HOME_DIR/.clawdbot" "$HOME_DIR/clawd"
  [ "$(snapshot "$HOME_DIR")" = "$before" ] || { diff <(echo "$before") <(snapshot "$HOME_DIR") && false; }
  install --uninstall
  ended 0
  has_text "There is no clawdbot in $DIR"
}

@test "a link that somebody else has changed since stays" {
  install
  ln -sf /bin/true "$DIR/moltbot"
  install --uninstall
  ended 0
  [ "$(readlink "$DIR/moltbot")" = /bin/true ]
  [ ! -e "$DIR/openclaw" ]
}

@test "--uninstall --dry-run only tells" {
  install
  before=$(snapshot "$HOME_DIR")
  touch "$HOME_DIR/.fake/service"
  install --uninstall --purge --dry-run
  ended 0
  for word in "$DIR/clawdbot" "$DIR/openclaw" "PATH lines out of $HOME_DIR/.bashrc" "remove the service"; do has_text "$word"; done
  [ "$(snapshot "$HOME_DIR")" = "$before" ]
}

@test "the service is removed first; where that fails, nothing is" {
  install
  touch "$HOME_DIR/.fake/service" "$HOME_DIR/.fake/stuck"
  before=$(snapshot "$HOME_DIR")
  install --uninstall
  ended 1
  has_text "The service could not be removed: error: no bus"
  has_text "$DIR/clawdbot gateway uninstall"
  [ "$(snapshot "$HOME_DIR")" = "$before" ]
  rm "$HOME_DIR/.fake/stuck"
  install --uninstall
  ended 0
  called "2026.1.2 gateway uninstall"
  [ ! -e "$DIR" ]
}

@test "a clawdbot of another installer is not removed" {
  mkdir -p "$DIR"
  fake_program 1.0.0 >"$DIR/clawdbot"
  install --uninstall
  ended 1
  has_text "was not installed by this script"
  [ -e "$DIR/clawdbot" ]
}

@test "--purge without a terminal needs --no-prompt, and then removes state and workspace" {
  install
  mkdir -p "$HOME_DIR/.clawdbot" "$HOME_DIR/clawd" "$HOME_DIR/clawd-two"
  echo '{}' >"$HOME_DIR/.clawdbot/clawdbot.json"
  before=$(snapshot "$HOME_DIR")
  run in_env setsid $SHELL_UNDER_TEST "$SCRIPT" --dir "$DIR" --uninstall --purge </dev/null
  ended 1
  has_text "--no-prompt"
  [ "$(snapshot "$HOME_DIR")" = "$before" ]
  install --uninstall --purge --no-prompt
  ended 0
  [ ! -e "$HOME_DIR/.clawdbot" ]
  [ ! -e "$HOME_DIR/clawd" ]
  [ ! -e "$DIR" ]
  has_text "Left as it is: $HOME_DIR/clawd-two"
}

@test "--purge asks for each folder; only yes removes" {
  install
  mkdir -p "$HOME_DIR/.clawdbot" "$HOME_DIR/clawd"
  echo '{}' >"$HOME_DIR/.clawdbot/clawdbot.json"
  run in_env expect -c "set timeout 20
    log_user 1
    spawn $SHELL_UNDER_TEST $SCRIPT --dir $DIR --uninstall --purge
    expect {Remove*clawdbot (settings*\\[y/N]} { send \"n\\r\" }
    expect {Remove*clawd (the workspace*\\[y/N]} { send \"y\\r\" }
    expect eof
    lassign [wait] pid spawnid os code
    exit \$code"
  ended 0
  has_text "Kept $HOME_DIR/.clawdbot"
  [ -f "$HOME_DIR/.clawdbot/clawdbot.json" ]
  [ ! -e "$HOME_DIR/clawd" ]
}

@test "--purge spares what is not a state folder, the home itself, and a gateway that runs" {
  install
  for state in / "$HOME_DIR" "$HOME_DIR/.." // "$HOME_DIR/docs"; do
    mkdir -p "$HOME_DIR/docs"
    echo mine >"$HOME_DIR/docs/letter"
    EXTRA_ENV=("CLAWDBOT_STATE_DIR=$state")
    install --uninstall --purge --no-prompt
    ended 0
    has_text "stays"
    [ -f "$HOME_DIR/docs/letter" ]
  done
  # Even where a file of ours lies in the home folder itself.
  echo '{}' >"$HOME_DIR/clawdbot.json"
  EXTRA_ENV=("CLAWDBOT_STATE_DIR=$HOME_DIR")
  install --uninstall --purge --no-prompt
  has_text "your home folder is inside it"
  [ -f "$HOME_DIR/docs/letter" ]
  EXTRA_ENV=()
  mkdir "$HOME_DIR/clawd" "$HOME_DIR/real"
  rmdir "$HOME_DIR/clawd"
  ln -s real "$HOME_DIR/clawd"
  install --uninstall --purge --no-prompt
  [ -d "$HOME_DIR/real" ]
  [ -L "$HOME_DIR/clawd" ]
  install
  touch "$HOME_DIR/.fake/foreground"
  install --uninstall --purge --no-prompt
  ended 1
  has_text "A gateway still runs"
  [ -x "$DIR/clawdbot" ]
}

# --- Platforms -----------------------------------------------------------------------------------------------------

# machine <uname -s> <uname -m> [uname -o]
machine() {
  stand_in uname <<SH
case \$1 in -s) echo "$1" ;; -m) echo "$2" ;; -o) echo "${3-}" ;; *) echo "$1 $2" ;; esac
SH
}

@test "what has no build is refused with a reason, and nothing is made" {
  needs_path
  while IFS='|' read -r system processor kind text; do
    machine "$system" "$processor" "$kind"
    install
    ended 1
    has_text "$text"
    [ -z "$(ls -A "$HOME_DIR")" ]
  done <<'ROWS'
FreeBSD|amd64||no build of clawdbot for FreeBSD
Linux|armv7l||no build of clawdbot for this processor (armv7l)
Linux|i686||no build of clawdbot for this processor (i686)
Linux|riscv64||no build of clawdbot for this processor (riscv64)
Linux|aarch64|Android|Android (Termux)
MINGW64_NT-10.0-22631|x86_64||clawdbot-windows-x64.exe
MSYS_NT-10.0|x86_64||clawdbot-windows-x64.exe
CYGWIN_NT-10.0|x86_64||WSL
ROWS
}

@test "a 32-bit system on a 64-bit kernel is refused" {
  needs_path
  stand_in getconf <<<'echo 32'
  install
  ended 1
  has_text "This system is 32-bit"
}

@test "macOS and both kinds of Linux get their builds, Rosetta the native one" {
  needs_path
  while read -r system processor translated target; do
    machine "$system" "$processor"
    stand_in sysctl <<<"echo $translated"
    stand_in getconf <<<'echo 64'
    install --dry-run
    ended 0
    has_text " for $target"
  done <<'ROWS'
Darwin arm64 0 darwin-arm64
Darwin x86_64 0 darwin-x64
Darwin x86_64 1 darwin-arm64
Linux x86_64 0 linux-x64
Linux aarch64 0 linux-arm64
Linux amd64 0 linux-x64
ROWS
}
