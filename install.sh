#!/bin/sh
# Installs, updates and removes clawdbot. Needs sh, curl or wget, and a program that makes SHA-256 sums; never root.
#
#   curl -fsSL https://github.com/clawdbot/clawdbot/releases/latest/download/install.sh | sh
#   sh install.sh --help
#
# Everything is inside functions and the last line starts them: a script that was cut off on its way does nothing.
# What is downloaded lies in a folder beside its destination, is checked there and started once, and only then takes the
# place of the old file in one step. Whatever goes wrong before that step leaves the old installation as it was.
set -eu

# Put in by the release: the public Ed25519 key that signs SHA256SUMS (base64 of its SPKI form).
RELEASE_KEY="@RELEASE_KEY@"
DEFAULT_BASE="https://github.com/clawdbot/clawdbot/releases"
BLOCK_BEGIN="# >>> clawdbot >>>"
BLOCK_END="# <<< clawdbot <<<"
RECEIPT_NAME=".clawdbot-install.json"
WORK_NAME=".clawdbot-install"
NEWLINE='
'

usage() {
  cat <<USAGE
Installs clawdbot, or updates it: one file, no root needed.

Usage: sh install.sh [options]          from a pipe:  ... | sh -s -- [options]

  --version <version>   this version instead of the newest   (CLAWDBOT_VERSION)
  --channel <name>      stable or beta                       (CLAWDBOT_CHANNEL)
  --beta                the same as --channel beta
  --dir <folder>        where the program goes; else ~/.local/bin, for root /usr/local/bin
                                                             (CLAWDBOT_INSTALL_DIR)
  --no-modify-path      do not add the folder to PATH        (CLAWDBOT_NO_MODIFY_PATH=1)
  --no-onboard          do not start the set-up questions    (CLAWDBOT_NO_ONBOARD=1)
  --no-prompt           ask nothing                          (CLAWDBOT_NO_PROMPT=1)
  --verify              check the installed file once more at the end, and start it
  --dry-run             say what would be done, and do none of it   (CLAWDBOT_DRY_RUN=1)
  --uninstall           stop and remove the service, the program, its links and the PATH lines
  --purge               with --uninstall: remove conversations, settings and workspace too, after asking
  --quiet               only warnings and errors
  --verbose             every step
  --help                this text

  CLAWDBOT_INSTALL_BASE_URL   another source of the files: https://..., file:///..., or http:// on this machine
  CLAWDBOT_INSTALL_STALL      give a download up after so many seconds without a byte; else 60

Ends with 0 when done, 1 when something failed, 2 when an option is wrong.
USAGE
}

# --- Words to the user ---------------------------------------------------------------------------------------------

say() { [ -n "$quiet" ] || printf '%s\n' "$*"; }
detail() { [ -z "$verbose" ] || printf '  %s\n' "$*"; }
warn() { printf 'warning: %s\n' "$*" >&2; }

# die <what happened> [what to do next]; the code is 1.
die() {
  printf 'error: %s\n' "$1" >&2
  [ -z "${2-}" ] || printf '%s\n' "$2" >&2
  exit 1
}

wrong_usage() {
  printf 'error: %s\nRun it with --help to see the options.\n' "$1" >&2
  exit 2
}

# --- Options -------------------------------------------------------------------------------------------------------

# Sets $value to the variable of this name in any of the product's three spellings, the newest first, like the program does.
from_env() {
  eval "value=\${OPENCLAW_$1-}"
  [ -n "$value" ] || eval "value=\${MOLTBOT_$1-}"
  [ -n "$value" ] || eval "value=\${CLAWDBOT_$1-}"
}

# Sets $value to 1, or to nothing when the variable is unset, empty, 0, false or no.
switch_from_env() {
  from_env "$1"
  case $value in '' | 0 | false | no) value= ;; *) value=1 ;; esac
}

read_options() {
  from_env VERSION && version=$value
  from_env CHANNEL && channel=$value
  from_env INSTALL_DIR && dir=$value
  from_env INSTALL_BASE_URL && base=$value
  from_env INSTALL_STALL && stall=$value
  switch_from_env NO_MODIFY_PATH && no_modify_path=$value
  switch_from_env NO_ONBOARD && no_onboard=$value
  switch_from_env NO_PROMPT && no_prompt=$value
  switch_from_env DRY_RUN && dry_run=$value
  verify='' uninstall='' purge='' quiet='' verbose=''

  while [ $# -gt 0 ]; do
    case $1 in
      --version=* | --channel=* | --dir=* | --install-method=*)
        word=$1
        shift
        set -- "${word%%=*}" "${word#*=}" "$@"
        continue
        ;;
      --version | --channel | --dir | --install-method)
        [ -n "${2-}" ] || wrong_usage "$1 needs a value."
        case $1 in
          --version) version=$2 ;;
          --channel) channel=$2 ;;
          --dir) dir=$2 ;;
          # The older installer chose between npm and git with it; there is one way now.
          *) case $2 in npm | git) ;; *) wrong_usage "--install-method is npm or git, not \"$2\"." ;; esac ;;
        esac
        shift
        ;;
      --beta) channel=beta ;;
      --no-modify-path) no_modify_path=1 ;;
      --no-onboard) no_onboard=1 ;;
      --no-prompt) no_prompt=1 ;;
      --dry-run) dry_run=1 ;;
      --verify) verify=1 ;;
      --uninstall) uninstall=1 ;;
      --purge) purge=1 ;;
      --quiet | -q) quiet=1 ;;
      --verbose) verbose=1 ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) wrong_usage "There is no option \"$1\"." ;;
    esac
    shift
  done

  [ -z "$purge" ] || [ -n "$uninstall" ] || wrong_usage "--purge goes with --uninstall."
  case ${stall:=60} in *[!0-9]* | 0*) wrong_usage "CLAWDBOT_INSTALL_STALL is a number of seconds, not \"$stall\"." ;; esac
  check_version
  check_base
}

# A version becomes part of an address and of file names, so nothing but a version gets through.
check_version() {
  case $version in
    '' | latest | stable) version='' ;;
    beta) version='' channel=beta ;;
    *)
      is_version "${version#v}" ||
        wrong_usage "\"$version\" is not a version. One looks like 2026.11.20 or 2026.11.20-beta.1."
      version=${version#v}
      ;;
  esac
  case ${channel:=stable} in stable | beta) ;; *) wrong_usage "The channel is stable or beta, not \"$channel\"." ;; esac
}

is_version() {
  case $1 in
    *[!0-9A-Za-z.+-]* | *..* | *. | [!0-9]*) return 1 ;;
    *.*.*) [ ${#1} -le 64 ] ;;
    *) return 1 ;;
  esac
}

# Without encryption only on this machine: whoever sits in between could hand out another script as well.
check_base() {
  base=${base:-$DEFAULT_BASE}
  while :; do case $base in *[!/]/) base=${base%/} ;; *) break ;; esac done
  case $base in *[[:cntrl:]]*) wrong_usage "CLAWDBOT_INSTALL_BASE_URL has a control character in it." ;; esac
  loopback=
  case $base in
    file:///*) return ;;
    https://?*) ;;
    http://*)
      host=${base#http://}
      host=${host%%/*}
      case $host in
        127.0.0.1 | localhost | '[::1]') ;;
        127.0.0.1:* | localhost:* | '[::1]:'*)
          case ${host##*:} in '' | *[!0-9]*) host= ;; esac
          ;;
        *) host= ;;
      esac
      [ -n "$host" ] ||
        wrong_usage "CLAWDBOT_INSTALL_BASE_URL is plain http to another machine; use https:// or file:///."
      loopback=1
      ;;
    *) wrong_usage "CLAWDBOT_INSTALL_BASE_URL begins with https:// or file:///, not \"$base\"." ;;
  esac
  case $base in
    *[!A-Za-z0-9:/._~%@+=,-]*)
      case $base in 'http://[::1]'*) ;; *) wrong_usage "CLAWDBOT_INSTALL_BASE_URL has a character that no address has." ;; esac
      ;;
  esac
}

# --- This machine --------------------------------------------------------------------------------------------------

has() { command -v "$1" >/dev/null 2>&1; }

# Sets $target to the name of the build for this machine, or says why there is none.
find_target() {
  system=$(uname -s)
  machine=$(uname -m)
  case $system in
    Linux)
      if [ -n "${TERMUX_VERSION-}" ] || [ "$(uname -o 2>/dev/null || :)" = Android ]; then
        die "Android (Termux) cannot run clawdbot: its programs are built for another C library and kernel policy." \
          "Run it on a computer or a server, and use it from the phone's browser."
      fi
      os=linux
      ;;
    Darwin)
      os=darwin
      # A shell that Rosetta translates says x86_64 on an Apple processor.
      if [ "$machine" = x86_64 ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || :)" = 1 ]; then machine=arm64; fi
      ;;
    MINGW* | MSYS* | CYGWIN* | Windows_NT)
      die "This script is for Linux and macOS; on Windows there is a program file instead." \
        "Download clawdbot-windows-x64.exe from $base, rename it to clawdbot.exe and put it in a folder of your PATH.
Or run this script inside WSL: wsl.exe --install, then the same command there."
      ;;
    *) die "There is no build of clawdbot for $system." "It runs on Linux, macOS and Windows." ;;
  esac
  case $machine in
    x86_64 | amd64) target=$os-x64 ;;
    aarch64 | arm64) target=$os-arm64 ;;
    *) die "There is no build of clawdbot for this processor ($machine)." "It needs a 64-bit x86 or ARM processor." ;;
  esac
  if [ "$os" = linux ] && [ "$(word_size)" = 32 ]; then
    die "This system is 32-bit, although the processor ($machine) is not; there is no 32-bit build of clawdbot." \
      "Install the 64-bit edition of this system."
  fi
}

# 32 or 64: what the programs of this system are, whatever its kernel is; nothing when it cannot be told.
word_size() {
  if has getconf && getconf LONG_BIT 2>/dev/null; then return; fi
  # The fifth byte of an ELF file is its class; here it is that of the program that reads it.
  case $(od -An -t x1 -j 4 -N 1 /proc/self/exe 2>/dev/null | tr -d ' ') in
    01) echo 32 ;;
    02) echo 64 ;;
  esac
}

# Sets $dir to the absolute folder of the program.
find_dir() {
  if [ -z "$dir" ]; then
    if [ "$(id -u)" = 0 ]; then
      dir=/usr/local/bin
    else
      [ -n "${HOME-}" ] || die "HOME is not set, so there is no place to install to." "Name one with --dir <folder>."
      dir=$HOME/.local/bin
    fi
  fi
  case $dir in *[[:cntrl:]]*) wrong_usage "The folder's name has a control character in it." ;; esac
  case $dir in
    /*) ;;
    # Quoted, or behind `--dir=`, the shell does not put the home folder in.
    [~] | [~]/*) dir=${HOME-}${dir#[~]} ;;
    *) dir=$(pwd)/$dir ;;
  esac
  while :; do case $dir in ?*/) dir=${dir%/} ;; *) break ;; esac done
  bin=$dir/clawdbot
  receipt=$dir/$RECEIPT_NAME
}

# --- Downloads -----------------------------------------------------------------------------------------------------

find_fetcher() {
  case $base in file://*) fetcher=copy && return ;; esac
  fetcher=
  for name in curl wget fetch; do
    if has "$name"; then fetcher=$name && break; fi
  done
  [ -n "$fetcher" ] || die "There is neither curl nor wget here to download with." \
    "Install one of them (Debian: apt-get install curl; Alpine: apk add curl), then run this again."
  if [ "$fetcher" = wget ]; then
    case $(wget --version 2>/dev/null || :) in *'GNU Wget'*) ;; *) fetcher=busybox ;; esac
  fi
}

# fetch_with <address> <file> [how much to show: silent | bar]. Its errors go to standard error.
fetch_with() {
  case $fetcher in
    copy)
      [ -f "${1#file://}" ] || { echo "there is no such file" >&2 && return 22; }
      cat <"${1#file://}" >"$2"
      ;;
    curl)
      set -- "$1" "$2" "${3-silent}"
      if [ "$3" = bar ]; then set -- "$1" "$2" --progress-bar; else set -- "$1" "$2" --silent --show-error; fi
      if [ -n "$loopback" ]; then set -- "$@" --proto =http,https --noproxy '*'; else set -- "$@" --proto =https --tlsv1.2; fi
      file=$2 address=$1
      shift 2
      curl --fail --location --globoff --max-redirs 10 --connect-timeout 20 --retry 1 --speed-limit 1 \
        --speed-time "$stall" "$@" --output "$file" "$address" </dev/null
      ;;
    wget)
      set -- "$1" "$2" "${3-silent}"
      if [ "$3" = bar ]; then set -- "$1" "$2" --quiet --show-progress; else set -- "$1" "$2" --no-verbose; fi
      if [ -n "$loopback" ]; then set -- "$@" --no-proxy; fi
      # It would rewrite its list of hosts in the home folder, under our limit for the size of files.
      case $(wget --help 2>/dev/null) in *--no-hsts*) set -- "$@" --no-hsts ;; esac
      file=$2 address=$1
      shift 2
      wget --tries=2 --waitretry=1 --max-redirect=10 --timeout="$stall" "$@" -O "$file" "$address" </dev/null
      ;;
    busybox)
      file=$2 address=$1
      if [ "${3-silent}" = bar ]; then set --; else set -- -q; fi
      if [ -n "$loopback" ]; then set -- "$@" -Y off; fi
      case $(wget --help 2>&1) in *'-T '*) set -- "$@" -T "$stall" ;; esac
      wget "$@" -O "$file" "$address" </dev/null
      ;;
    fetch) fetch -q -T "$stall" -o "$2" "$1" </dev/null ;;
  esac
}

# Files of more bytes than this cannot be written from here on, whichever program writes and whatever a server sends. bash
# counts in units twice as big, so a look at the size has to follow.
limit_files() {
  # Ignored, so that the write fails instead of killing the program.
  trap '' XFSZ
  ulimit -f "$(($1 / 512 + 1))"
}

# What a program wrote to $scratch/why, in one line: curl explains itself below its message, the others above it.
reason() {
  tr -d '\000' <"$scratch/why" | sed -n -e '/^curl: ([0-9]*) /{s///;p;q;}' -e '/^$/d' -e 's/^wget: //' \
    -e 's/^[0-9-]* [0-9:]* ERROR/ERROR/' -e '$p' | cut -c 1-200
}

# fetch_file <address> <file> <most bytes> [bar]. Returns 1 and sets $why when it fails, and leaves no file then.
fetch_file() {
  detail "GET $1"
  failed=0
  why=
  if [ "${4-}" = bar ]; then
    (limit_files "$3" && fetch_with "$1" "$2" bar) || failed=$?
  else
    (limit_files "$3" && fetch_with "$1" "$2") 2>"$scratch/why" || failed=$?
    why=$(reason)
    if grep -q 'certificate validation not implemented' "$scratch/why"; then unchecked_tls=1; fi
  fi
  if [ -f "$2" ] && [ "$(size_of "$2")" -gt "$3" ]; then failed=1 why="it is bigger than it can be"; fi
  if [ "$failed" -eq 0 ]; then return 0; fi
  rm -f "$2"
  why=${why:-the download failed with code $failed}
  return 1
}

size_of() { wc -c <"$1" | tr -d ' '; }

# is_older <version> <version>: whether the first comes before the second.
is_older() {
  left=${1%%[-+]*}
  right=${2%%[-+]*}
  for _ in 1 2 3; do
    case ${left%%.*}.${right%%.*} in *[!0-9.]* | .* | *. | ??????????*) return 1 ;; esac
    [ "${left%%.*}" -ge "${right%%.*}" ] || return 0
    [ "${left%%.*}" -eq "${right%%.*}" ] || return 1
    left=${left#*.}
    right=${right#*.}
  done
  # 2026.1.1-beta.1 comes before 2026.1.1.
  case $1 in *-*) case $2 in *-*) ;; *) return 0 ;; esac ;; esac
  return 1
}

# Sets $version to what the channel's latest.txt says.
find_version() {
  [ -z "$version" ] || return 0
  case $channel in stable) address=$base/latest/download/latest.txt ;; *) address=$base/download/$channel/latest.txt ;; esac
  fetch_file "$address" "$scratch/latest" 1024 ||
    die "The newest version cannot be read from $address: $why." \
      "Check the connection, or name a version with --version <version>."
  version=$(tr -d '\000\r' <"$scratch/latest" | head -n 1)
  is_version "$version" || {
    version=
    die "What is at $address is not the name of a version." \
      "A sign-in page of the network may have answered instead. Open the address in a browser, or name a version with --version."
  }
  # Whoever shows an old list must not bring back an old version with its old faults.
  present=$("$bin" --version </dev/null 2>/dev/null || :)
  if is_version "$present" && is_older "$version" "$present"; then
    say "clawdbot $present is installed; the newest at $base is $version, which is older. Nothing was changed."
    say "To go back on purpose: --version $version"
    exit 0
  fi
}

# --- Checks --------------------------------------------------------------------------------------------------------

find_summer() {
  for name in sha256sum shasum openssl; do
    if has "$name"; then summer=$name && return; fi
  done
  die "Nothing here can make SHA-256 sums, so the download could not be checked." \
    "Install one of sha256sum (coreutils), shasum (perl) or openssl, then run this again."
}

sha256_of() {
  case $summer in
    sha256sum) sha256sum <"$1" ;;
    shasum) shasum -a 256 <"$1" ;;
    openssl) openssl dgst -sha256 -r <"$1" ;;
  esac | cut -c 1-64
}

# The sum of a file of the release; nothing when it is not listed, or listed twice with different sums.
listed_sum() {
  pattern=$(printf '%s' "$1" | sed 's/[.]/[.]/g')
  found=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$pattern\$/\1/p" "$scratch/SHA256SUMS" | sort -u)
  case $found in *"$NEWLINE"*) ;; *) printf '%s' "$found" ;; esac
}

# openssl_verifies <openssl> <key in base64> <signature in base64, a file> <signed file>
openssl_verifies() {
  printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$2" >"$scratch/key.pem"
  tr -d ' \r\n' <"$3" | "$1" base64 -d -A >"$scratch/sig.bin" 2>/dev/null || return 1
  "$1" pkeyutl -verify -pubin -inkey "$scratch/key.pem" -rawin -in "$4" -sigfile "$scratch/sig.bin" >/dev/null 2>&1
}

# Sets $verifier to an openssl that can check Ed25519 signatures, or to nothing. Older ones and LibreSSL cannot, and fail like
# for a wrong signature; so each has to accept a signature that is known to be right and refuse the same over other bytes.
find_verifier() {
  verifier=
  probe_key=MCowBQYDK2VwAyEAkfxzTcPUFmXRW69QjlsCeW+WN15GokLbyzVGqcsZGnk=
  printf '%s' 'spowrkVDfxjwQHHuUNkDwG3+7/xq23CPhwKP74ELtM11aprWR+EVz9UCeTBNwt4S7BW24i+zjMV/Ylx/zGEYDw==' >"$scratch/probe.sig"
  printf 'clawdbot' >"$scratch/probe"
  printf 'clawdbox' >"$scratch/probe.wrong"
  for name in openssl /opt/homebrew/opt/openssl@3/bin/openssl /usr/local/opt/openssl@3/bin/openssl; do
    has "$name" || continue
    if openssl_verifies "$name" "$probe_key" "$scratch/probe.sig" "$scratch/probe" &&
      ! openssl_verifies "$name" "$probe_key" "$scratch/probe.sig" "$scratch/probe.wrong"; then
      verifier=$name
      return
    fi
  done
}

# Downloads SHA256SUMS, and checks who signed it. Sets $signature to what to tell about that.
fetch_sums() {
  fetch_file "$release/SHA256SUMS" "$scratch/SHA256SUMS" 65536 ||
    die "There is no version $version at $base: $why." "Leave out --version to get the newest, or check the connection."
  case $RELEASE_KEY in
    @*) verifier='' signature="not checked: this copy of install.sh carries no release key" ;;
    *)
      find_verifier
      [ -n "$verifier" ] || signature="not checked: there is no openssl 3 here"
      ;;
  esac
  if [ -z "$verifier" ]; then
    [ -z "$unchecked_tls" ] ||
      die "The wget here does not check certificates, and the signature is $signature. Nothing would tell whose file this is." \
        "Install curl (Debian: apt-get install curl ca-certificates; Alpine: apk add curl), then run this again."
    warn "the signature is $signature; the checksums are checked."
    return
  fi
  fetch_file "$release/SHA256SUMS.sig" "$scratch/SHA256SUMS.sig" 1024 ||
    die "The signature of version $version cannot be downloaded: $why." \
      "A mirror must have SHA256SUMS.sig beside SHA256SUMS. Nothing was changed."
  openssl_verifies "$verifier" "$RELEASE_KEY" "$scratch/SHA256SUMS.sig" "$scratch/SHA256SUMS" ||
    die "The signature of version $version is wrong: these files were not made by clawdbot's release." \
      "Nothing was changed. Try another source; if it stays so, please report it."
  signature="verified"
  detail "signature of SHA256SUMS: right"
}

# Downloads the program to $work/clawdbot and checks it, the packed file and the unpacked one.
fetch_program() {
  name=clawdbot-$target
  program_sum=$(listed_sum "$name")
  [ -n "$program_sum" ] ||
    die "Version $version at $base has no clawdbot for $target." "Its SHA256SUMS does not list $name. Choose another version with --version."
  if [ -f "$bin" ] && [ ! -L "$bin" ] && [ "$(sha256_of "$bin")" = "$program_sum" ]; then
    same=1
    return
  fi
  same=
  packed_sum=
  if has gzip; then packed_sum=$(listed_sum "$name.gz"); fi
  if [ -n "$packed_sum" ]; then file=$name.gz; else file=$name; fi
  start_work
  say "Downloading clawdbot $version for $target from $release/$file"
  bar=
  if [ -z "$quiet" ] && [ -t 2 ]; then bar=bar; fi
  fetched=$work/$file
  fetch_file "$release/$file" "$fetched" 1073741824 $bar || {
    no_space_left
    die "$file cannot be downloaded: $why." "Nothing was changed. Check the connection, then run this again."
  }
  check_sum "$fetched" "$file" "${packed_sum:-$program_sum}"
  if [ -n "$packed_sum" ]; then
    gzip -dc <"$fetched" >"$work/clawdbot" 2>"$scratch/why" || {
      no_space_left
      die "$file cannot be unpacked: $(tail -n 1 "$scratch/why")" "Nothing was changed."
    }
    rm -f "$fetched"
    check_sum "$work/clawdbot" "$name" "$program_sum"
  else
    mv -f "$fetched" "$work/clawdbot"
  fi
}

# check_sum <file> <its name in the release> <sum>
check_sum() {
  sum=$(sha256_of "$1")
  if [ "$sum" = "$3" ]; then
    detail "sha256 of $2: $sum, right"
    return
  fi
  got=$(size_of "$1")
  rm -f "$1"
  die "$2 is not the file that was published: its checksum is $sum, not $3 ($got bytes)." \
    "It was deleted, and nothing was changed. It may have been damaged or cut off on its way: run this again."
}

# Ends with a message of its own when the disk is full; after something could not be written.
no_space_left() {
  free=$(df -Pk "$dir" 2>/dev/null | sed -n '2s/.* \([0-9][0-9]*\)  *[0-9]*%.*/\1/p')
  if [ -n "$free" ] && [ "$free" -lt 2048 ]; then
    die "There is no space left in $dir." \
      "Nothing was changed. About 250 MB are needed; free some, or choose another folder with --dir, then run this again."
  fi
}

# Starts the downloaded file before it is put into its place: it may be for another machine, or the folder forbids programs.
try_program() {
  chmod 755 "$work/clawdbot"
  code=0
  said=$("$work/clawdbot" --version </dev/null 2>"$scratch/why") || code=$?
  if [ "$code" -ne 0 ]; then
    why=$(tr -d '\000' <"$scratch/why" | tail -n 3)
    case $code in
      132) hint="The processor lacks instructions that the program needs: it needs an x86-64 processor with SSE4.2 (2009 or later)." ;;
      *) hint="It was built for $target; this machine is $(uname -srm). If that does not fit, please report both lines." ;;
    esac
    die "clawdbot $version does not start here (code $code)${why:+: $why}" "Nothing was changed. $hint"
  fi
  [ "$said" = "$version" ] ||
    die "The file of version $version says that it is \"$(printf '%s' "$said" | head -n 1 | cut -c 1-60)\"." \
      "Nothing was changed. The source mixes its versions up: try another one."
}

# --- Folders that are taken back at the end ------------------------------------------------------------------------

# A small one for texts; removed by $cleanup.
start_scratch() {
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/clawdbot-install.XXXXXX" 2>/dev/null) ||
    scratch=$(mktemp -d /tmp/clawdbot-install.XXXXXX 2>/dev/null) ||
    die "No temporary folder can be made in ${TMPDIR:-/tmp}." "Name another one: TMPDIR=<folder> sh install.sh"
}

# The folder for the download, on the same disk as its destination. Its name is always the same, so it also keeps two runs
# apart, and a run that was killed leaves nothing behind for long.
start_work() {
  [ -z "$work" ] || return 0
  [ -d "$dir" ] || made_dir=1
  mkdir -p "$dir" 2>"$scratch/why" || die "$dir cannot be made: $(tail -n 1 "$scratch/why")" "$(other_dir)"
  wanted=$dir/$WORK_NAME
  if ! mkdir -m 700 "$wanted" 2>"$scratch/why"; then
    [ -d "$wanted" ] || {
      if grep -qi 'no space' "$scratch/why"; then no_space_left; fi
      die "Nothing can be written in $dir: $(tail -n 1 "$scratch/why")" "$(other_dir)"
    }
    take_over "$wanted"
  fi
  work=$wanted
  printf '%s\n' $$ >"$work/pid" || {
    no_space_left
    die "Nothing can be written in $dir." "$(other_dir)"
  }
  printf '#!/bin/sh\nexit 0\n' >"$work/probe"
  chmod 755 "$work/probe"
  "$work/probe" 2>/dev/null </dev/null ||
    die "Programs cannot be started in $dir: its file system is mounted with noexec, or a policy forbids it." \
      "Choose another folder with --dir <folder>."
}

other_dir() {
  if [ "$(id -u)" = 0 ]; then
    echo "Choose a folder that can be written with --dir <folder>."
  else
    echo "Choose a folder of yours with --dir, for example --dir \"\$HOME/.local/bin\"."
  fi
}

# take_over <folder of another run>: only when that run has ended.
take_over() {
  other=
  if [ -f "$1/pid" ]; then other=$(tr -dc '0-9' <"$1/pid" | cut -c 1-10); fi
  if [ -z "$other" ] || kill -0 "$other" 2>/dev/null || [ -d "/proc/$other" ] || ps -p "$other" >/dev/null 2>&1; then
    die "Another installation works in $dir${other:+ (process $other)}." \
      "Wait until it has ended. If there is none: rm -r '$1'"
  fi
  # Only one of several runs can move it away.
  if mv "$1" "$1.$$" 2>/dev/null && rm -rf "$1.$$" && mkdir -m 700 "$1" 2>/dev/null; then return; fi
  die "Another installation has just begun in $dir." "Wait until it has ended."
}

cleanup() {
  [ -z "$scratch" ] || rm -rf "$scratch"
  [ -z "$work" ] || rm -rf "$work"
  # Only a folder of this run, and only when nothing came into it.
  [ -z "$made_dir" ] || rmdir "$dir" 2>/dev/null || :
}

# --- Receipt: what was made, so that --uninstall takes away that and nothing else -----------------------------------

json_string() { printf '"%s"' "$(printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g')"; }

# A list of lines as a JSON array, one item per line.
json_list() {
  first=1
  printf '['
  printf '%s\n' "$1" | while IFS= read -r item; do
    [ -n "$item" ] || continue
    [ -n "$first" ] || printf ','
    first=
    printf '\n    %s' "$(json_string "$item")"
  done
  printf '\n  ]'
}

write_receipt() {
  {
    printf '{\n  "schema": 1,\n  "version": %s,\n  "target": %s,\n' "$(json_string "$version")" "$(json_string "$target")"
    printf '  "channel": %s,\n  "source": %s,\n' "$(json_string "$channel")" "$(json_string "$base")"
    printf '  "sha256": "%s",\n  "signature": %s,\n' "$program_sum" "$(json_string "$signature")"
    printf '  "links": %s,\n' "$(json_list "$links")"
    printf '  "pathFiles": %s,\n  "madeFiles": %s\n}\n' "$(json_list "$path_files")" "$(json_list "$made_files")"
  } >"$work/receipt"
}

# receipt_list <key>: the items, one per line; nothing without a receipt.
receipt_list() {
  [ -f "$receipt" ] || return 0
  sed -n "/^  \"$1\": \[\$/,/^  \]/s/^    \"\(.*\)\",\{0,1\}\$/\1/p" "$receipt" | sed -e 's/\\"/"/g' -e 's/\\\\/\\/g'
}

# has_line <list> <line>
has_line() { case "$NEWLINE$1$NEWLINE" in *"$NEWLINE$2$NEWLINE"*) ;; *) return 1 ;; esac }

# Prints the list with one more line at its end, unless the line is there.
with_line() { if has_line "$1" "$2"; then printf '%s' "$1"; else printf '%s' "${1:+$1$NEWLINE}$2"; fi; }

# --- Placing -------------------------------------------------------------------------------------------------------

# The other names that the system has had. One that exists already stays: it may be the older program itself.
plan_links() {
  links=
  for name in openclaw moltbot; do
    if has_line "$old_links" "$name" || { [ ! -e "$dir/$name" ] && [ ! -L "$dir/$name" ]; }; then
      links=$(with_line "$links" "$name")
    fi
  done
}

make_links() {
  for name in $links; do
    if [ -e "$dir/$name" ] || [ -L "$dir/$name" ]; then continue; fi
    ln -s clawdbot "$dir/$name" 2>/dev/null || warn "the link $dir/$name could not be made."
  done
}

# Puts $work/clawdbot into its place. At every moment $bin is the whole old file or the whole new one, also for whoever runs it.
place() {
  if [ -e "$bin" ] || [ -L "$bin" ]; then
    rm -f "$work/prev"
    if [ -L "$bin" ]; then
      ln -s "$(readlink "$bin")" "$work/prev"
    else
      ln "$bin" "$work/prev" 2>/dev/null || cp -p "$bin" "$work/prev" 2>"$scratch/why" || {
        no_space_left
        die "The old version cannot be kept: $(tail -n 1 "$scratch/why")" "Nothing was changed."
      }
    fi
    mv -f "$work/prev" "$bin.prev"
  fi
  mv -f "$work/clawdbot" "$bin" 2>"$scratch/why" ||
    die "$bin cannot be replaced: $(tail -n 1 "$scratch/why")" "Nothing was changed. $(other_dir)"
}

# --- PATH ----------------------------------------------------------------------------------------------------------

on_path() { case ":${PATH-}:" in *":$1:"* | *":$1/:"*) ;; *) return 1 ;; esac }

sh_quote() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"; }

# The folder as a word of a shell; below the home folder by $HOME, so that the file can be shared between machines.
# shellcheck disable=SC2016 # $HOME is for the shell that reads the word
dir_word() {
  below=${dir#"${HOME:-/}"/}
  case $below in
    "$dir") sh_quote "$dir" ;;
    *[!A-Za-z0-9/._+-]*) printf '"$HOME"' && sh_quote "/$below" ;;
    *) printf '"$HOME/%s"' "$below" ;;
  esac
}

path_line() {
  case $1 in
    *.fish)
      word=$(printf '%s' "$dir" | sed -e 's/\\/\\\\/g' -e "s/'/\\\\'/g")
      printf "contains -- '%s' \$PATH; or set -gx PATH '%s' \$PATH" "$word" "$word"
      ;;
    *)
      word=$(dir_word)
      # shellcheck disable=SC2016 # $PATH is for the shell that reads the line
      printf 'case ":$PATH:" in *:%s:*) ;; *) PATH=%s:"$PATH" && export PATH ;; esac' "$word" "$word"
      ;;
  esac
}

# The start files of the user's shell, one per line; nothing for a shell whose files we do not know.
shell_files() {
  [ -n "${HOME-}" ] || return 0
  case ${SHELL-} in
    */zsh) printf '%s\n' "${ZDOTDIR:-$HOME}/.zshrc" ;;
    */bash)
      printf '%s\n' "$HOME/.bashrc"
      # Of these bash reads the first that exists, when one signs in.
      for name in .bash_profile .bash_login .profile; do
        if [ -e "$HOME/$name" ]; then printf '%s\n' "$HOME/$name" && return; fi
      done
      printf '%s\n' "$HOME/.profile"
      ;;
    */fish) printf '%s\n' "${XDG_CONFIG_HOME:-$HOME/.config}/fish/conf.d/clawdbot.fish" ;;
  esac
}

# real_file <path>: where its symlinks end, or nothing when they do not end.
real_file() {
  real=$1
  hops=0
  while [ -L "$real" ]; do
    hops=$((hops + 1))
    [ "$hops" -le 20 ] || return 1
    next=$(readlink "$real")
    case $next in /*) real=$next ;; *) real=$(dirname "$real")/$next ;; esac
  done
  printf '%s' "$real"
}

# Whether a start file is the user's own to change: not one that Nix or an administrator made and linked.
may_edit() {
  real=$(real_file "$1") || return 1
  case $real in /nix/store/*) return 1 ;; esac
  if [ -e "$real" ]; then
    # shellcheck disable=SC2012 # the third word is the number of the owner, before any name
    owner=$(ls -ldn "$real" | { read -r _ _ owner _ && echo "$owner"; })
    [ -f "$real" ] && [ -w "$real" ] && [ "$owner" = "$(id -u)" ]
  fi
}

# Sets $path_files to the files that get a block, and $path_hint when the user has to do it.
plan_path() {
  path_files=$old_path_files
  path_plan=
  path_hint=
  [ -z "$no_modify_path" ] || return 0
  case $dir in *:*) warn "$dir has a colon in it, so it cannot be on PATH." && return ;; esac
  [ -z "${CI-}" ] || return 0
  # In a terminal that was open before, the folder is on PATH only later; the block of the first run stays as it is.
  if on_path "$dir" && [ -z "$path_files" ]; then return; fi
  files=$(shell_files)
  [ -n "$files" ] || path_hint=1
  while IFS= read -r file; do
    [ -n "$file" ] || continue
    if may_edit "$file"; then
      path_plan=$(with_line "$path_plan" "$file")
      path_files=$(with_line "$path_files" "$file")
    else
      warn "$file is not changed: it is not yours to change, or leads to a file of Nix or an administrator."
      path_hint=1
    fi
  done <<FILES
$files
FILES
}

# with_block <file>: its text with our block at the end, behind an empty line.
with_block() {
  if [ -f "$1" ]; then without_block "$1" || return 1; fi
  case $1 in *.fish) ;; *) echo ;; esac
  printf '%s\n%s\n%s\n' "$BLOCK_BEGIN" "$(path_line "$1")" "$BLOCK_END"
}

# replace_file <path> <new content, a file>: in one step, with the mode of before.
replace_file() {
  real=$(real_file "$1") || return 1
  if [ -e "$real" ]; then cp -p "$real" "$real.clawdbot-new" || return 1; fi
  if cat "$2" >"$real.clawdbot-new" && mv -f "$real.clawdbot-new" "$real"; then return 0; fi
  rm -f "$real.clawdbot-new"
  return 1
}

write_path() {
  while IFS= read -r file; do
    [ -n "$file" ] || continue
    if [ -f "$file" ] && grep -qxF -- "$(path_line "$file")" "$file"; then continue; fi
    if with_block "$file" >"$scratch/rc" && mkdir -p "$(dirname "$file")" && replace_file "$file" "$scratch/rc"; then
      say "Added $dir to PATH in $file"
    else
      warn "$file could not be changed."
      path_hint=1
    fi
  done <<FILES
$path_plan
FILES
}

# without_block <file>: its text without our block, to the byte as it was before the block came.
without_block() {
  # The last beginning before the first end: one that somebody left open above is not ours.
  end=$(grep -nxF -- "$BLOCK_END" "$1" | head -n 1 | cut -d : -f 1)
  begin=
  if [ -n "$end" ]; then begin=$(head -n "$end" "$1" | grep -nxF -- "$BLOCK_BEGIN" | tail -n 1 | cut -d : -f 1); fi
  if [ -z "$begin" ]; then
    cat "$1"
    return
  fi
  if [ "$begin" -gt 1 ]; then
    # The block brought an empty line; without it the text before ends as it ended, with a newline or without.
    before=$(head -n "$((begin - 1))" "$1" | wc -c)
    head -c "$((before - 1))" "$1" || return 1
    # What the user wrote below the block must not run into the last line above it.
    if [ "$(tail -n "+$((end + 1))" "$1" | wc -c)" -gt 0 ] && [ "$(head -c "$((before - 1))" "$1" | tail -c 1 | wc -l)" -eq 0 ]; then
      echo
    fi
  fi
  tail -n "+$((end + 1))" "$1"
}

# Another clawdbot that is found first would hide this one.
warn_of_others() {
  old_ifs=$IFS
  IFS=:
  set -f
  for folder in ${PATH-}; do
    # The same folder under another name is no other one.
    [ "$(cd "${folder:-.}" 2>/dev/null && pwd -P)" != "$(cd "$dir" && pwd -P)" ] || break
    if [ -n "$folder" ] && [ -f "$folder/clawdbot" ] && [ -x "$folder/clawdbot" ]; then
      case $(readlink "$folder/clawdbot" 2>/dev/null || :) in
        *node_modules*) other="Remove it with: npm uninstall -g clawdbot" ;;
        *) other="Remove it, or put $dir before $folder in PATH." ;;
      esac
      warn "another clawdbot is found first: $folder/clawdbot. $other"
      break
    fi
  done
  set +f
  IFS=$old_ifs
}

# --- Service -------------------------------------------------------------------------------------------------------

# json_value <json> <section> <key>: the value of a key inside a section of JSON text, when it is a word or a number.
json_value() {
  flat=$(printf '%s' "$1" | tr -d ' \t\r\n')
  rest=${flat#*"\"$2\":{"}
  [ "$rest" != "$flat" ] || return 0
  flat=$rest
  rest=${flat#*"\"$3\":"}
  [ "$rest" != "$flat" ] || return 0
  printf '%s' "${rest%%[,\}]*}"
}

# A profile is its name, or - for the usual one, of which nothing is said. As an option, and in a sentence:
profile_option() { [ "$1" = - ] || printf ' --profile %s' "$1"; }
of_profile() { [ "$1" = - ] || printf ' of profile %s' "$1"; }

# Runs the installed program: cli <profile> <words>...
cli() {
  if [ "$1" = - ]; then shift; else set -- --profile "$@"; fi
  "$bin" "$@" </dev/null
}

# The profiles that have a service: the usual one by what the program says, the others by their files.
service_profiles() {
  [ -x "$bin" ] || return 0
  status=$(cli - gateway status --json 2>/dev/null || :)
  if [ "$(json_value "$status" service installed)" = true ]; then echo -; fi
  for file in "${HOME-}"/.config/systemd/user/clawdbot-gateway-*.service "${HOME-}"/Library/LaunchAgents/com.clawdbot.gateway.*.plist; do
    [ -f "$file" ] || continue
    name=${file##*/}
    name=${name#clawdbot-gateway-}
    name=${name#com.clawdbot.gateway.}
    name=${name%.service}
    name=${name%.plist}
    case $name in '' | *[!A-Za-z0-9_-]*) ;; *) printf '%s\n' "$name" ;; esac
  done
}

# How the service of a profile does: `up` when its gateway answers, `stopped` when it was stopped, else `down`.
service_state() {
  status=$(cli "$1" gateway status --json 2>/dev/null || :)
  if [ "$(json_value "$status" rpc ok)" = true ]; then
    echo up
  elif [ "$(json_value "$status" service running)" = false ]; then
    echo stopped
  else
    echo down
  fi
}

# json_line <json> <key>: a text of JSON that has one key per line, as the program prints it.
json_line() {
  printf '%s\n' "$1" | sed -n "s/^ *\"$2\": \"\(.*\)\",\{0,1\}\$/\1/p" | head -n 1 | sed -e 's/\\"/"/g' -e 's/\\n/ /g' -e 's/\\\\/\\/g'
}

# Restarts a service and waits for it; returns 1 and sets $why when it is not healthy.
restart_service() {
  code=0
  said=$(cli "$1" gateway restart --json 2>"$scratch/why") || code=$?
  case $(printf '%s' "$said" | tr -d ' \t\r\n') in *'"ok":false'*) [ "$code" -ne 0 ] || code=1 ;; esac
  why=$(json_line "$said" error)
  why=${why:-$(tail -n 3 "$scratch/why" | tr -d '\000' | cut -c 1-300)}
  why=${why:-it ended with code $code}
  return "$code"
}

# Where to read more: the supervisor's own log, as the program knows it.
log_place() {
  log=$(json_line "$(cli "$1" gateway status --json 2>/dev/null || :)" logCommand)
  echo "Its log: ${log:+$log, or }clawdbot$(profile_option "$1") logs"
}

# After an update: the running services get the new version, or the old version comes back.
restart_services() {
  for service in $services; do
    was=${service##*:}
    profile=${service%:*}
    name="service$(of_profile "$profile")"
    if [ "$was" = stopped ]; then
      say "The $name was not running, and stays so. Start it with: clawdbot$(profile_option "$profile") gateway start"
      continue
    fi
    say "Restarting the $name"
    if restart_service "$profile"; then continue; fi
    reason=$why
    if [ "$was" = down ]; then
      warn "the $name is not healthy, as it was before the update: $reason"
      warn "$(log_place "$profile")"
      continue
    fi
    roll_back "$profile" "$reason"
  done
}

roll_back() {
  [ -e "$bin.prev" ] || [ -L "$bin.prev" ] || die "The service is not healthy after the update: $2" "$(log_place "$1")"
  mv -f "$bin.prev" "$bin"
  if [ -f "$work/receipt.old" ]; then mv -f "$work/receipt.old" "$receipt"; else rm -f "$receipt"; fi
  for service in $services; do
    case $service in *:stopped) continue ;; esac
    restart_service "${service%:*}" ||
      die "clawdbot $version was not healthy after the restart, and neither is the old version that was put back: $why" \
        "$(log_place "$profile")"
  done
  die "clawdbot $version was not healthy after the restart, so the old version was put back and runs again.
The reason: $2" "$(log_place "$1")"
}

# --- Removal -------------------------------------------------------------------------------------------------------

# ask <question>: true only for a yes that was typed.
ask() {
  [ -z "$no_prompt" ] || return 1
  printf '%s [y/N] ' "$1" >/dev/tty
  IFS= read -r answer </dev/tty || answer=
  case $answer in y | Y | yes | Yes | YES) ;; *) return 1 ;; esac
}

has_terminal() { (: </dev/tty >/dev/tty) 2>/dev/null; }

remove_all() {
  if [ -n "$purge" ] && [ -z "$no_prompt" ] && [ -z "$dry_run" ] && ! has_terminal; then
    die "--purge asks before it removes anything, and there is no terminal to ask on." \
      "To remove all data without a question, add --no-prompt."
  fi
  if [ ! -f "$receipt" ]; then
    if [ ! -e "$bin" ] && [ ! -L "$bin" ]; then
      say "There is no clawdbot in $dir."
      elsewhere=$(command -v clawdbot 2>/dev/null || :)
      case $elsewhere in /*) say "There is one at $elsewhere: add --dir '$(dirname "$elsewhere")' if it came from this script." ;; esac
      [ -z "$purge" ] || remove_data
      return
    fi
    die "$bin was not installed by this script, so it stays." \
      "Remove it the way it came, for example with: npm uninstall -g clawdbot"
  fi
  remove_services
  if [ -n "$purge" ] && [ -z "$dry_run" ] && [ -x "$bin" ] && [ "$(service_state -)" = up ]; then
    die "A gateway still runs, and would lose its data under its hands." "End it (Ctrl+C in its terminal), then run this again."
  fi
  old_links=$(receipt_list links)
  for name in $old_links; do
    if [ "$(readlink "$dir/$name" 2>/dev/null || :)" = clawdbot ]; then remove_file "$dir/$name"; fi
  done
  remove_path
  remove_file "$bin.prev"
  remove_file "$bin"
  made=$(receipt_list madeFiles)
  remove_file "$receipt"
  if [ -z "$dry_run" ] && has_line "$made" "$dir"; then rmdir "$dir" 2>/dev/null || :; fi
  [ -z "$purge" ] || remove_data
  if [ -n "$dry_run" ]; then
    say "Nothing was changed (--dry-run)."
  else
    say "clawdbot is removed from $dir."
    [ -n "$purge" ] || say "Settings, conversations and the workspace are still there: ~/.clawdbot and ~/clawd."
  fi
}

remove_file() {
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then return; fi
  if [ -n "$dry_run" ]; then
    say "Would remove $1"
  else
    rm -f "$1" 2>/dev/null || die "$1 cannot be removed." "Run this as the user who installed it."
    detail "removed $1"
  fi
}

remove_services() {
  if ! "$bin" --version </dev/null >/dev/null 2>&1; then
    if [ -e "$bin" ]; then warn "$bin does not start, so a service of it could not be looked for."; fi
    return 0
  fi
  for profile in $(service_profiles); do
    if [ -n "$dry_run" ]; then
      say "Would stop and remove the service$(of_profile "$profile")"
      continue
    fi
    say "Removing the service$(of_profile "$profile")"
    cli "$profile" gateway uninstall >"$scratch/said" 2>"$scratch/why" ||
      die "The service could not be removed: $(tail -n 2 "$scratch/why")" \
        "Nothing else was removed. Try it by hand, then run this again: $bin$(profile_option "$profile") gateway uninstall"
  done
}

remove_path() {
  made=$(receipt_list madeFiles)
  while IFS= read -r file; do
    if [ -z "$file" ] || [ ! -f "$file" ]; then continue; fi
    if ! grep -qxF -- "$(path_line "$file")" "$file"; then
      if grep -qxF -- "$BLOCK_BEGIN" "$file"; then warn "the PATH lines in $file are for another folder, and stay."; fi
      continue
    fi
    if [ -n "$dry_run" ]; then
      say "Would take the PATH lines out of $file"
      continue
    fi
    if ! without_block "$file" >"$scratch/rc"; then
      warn "the PATH lines could not be taken out of $file; they are between the clawdbot marks."
      continue
    fi
    if [ ! -s "$scratch/rc" ] && has_line "$made" "$file"; then
      rm -f "$file"
    else
      replace_file "$file" "$scratch/rc" || warn "the PATH lines could not be taken out of $file; they are between the clawdbot marks."
    fi
    detail "took the PATH lines out of $file"
  done <<FILES
$(receipt_list pathFiles)
FILES
}

# The state folder and the usual workspace, each after a question of its own. Nothing else: a workspace of another name may be
# a folder that the user had before.
remove_data() {
  from_env STATE_DIR
  state=${value:-${HOME:+$HOME/.clawdbot}}
  if [ -n "$state" ] && looks_like_state "$state"; then
    remove_folder "$state" "settings, conversations and sign-ins"
  elif [ -d "$state" ]; then
    warn "$state stays: it does not look like a state folder of clawdbot."
  fi
  [ -n "${HOME-}" ] || return 0
  remove_folder "$HOME/clawd" "the workspace: what the assistant remembers and wrote"
  for folder in "$HOME"/.clawdbot-* "$HOME"/clawd-*; do
    if [ -d "$folder" ]; then say "Left as it is: $folder (of another profile or agent)"; fi
  done
}

looks_like_state() {
  for name in clawdbot.json moltbot.json openclaw.json moldbot.json clawdbot.sqlite; do
    if [ -f "$1/$name" ]; then return 0; fi
  done
  return 1
}

# remove_folder <folder> <what is in it>
remove_folder() {
  [ -d "$1" ] || return 0
  if [ -L "$1" ]; then
    warn "$1 stays: it is a link to $(readlink "$1"); remove that folder yourself."
    return
  fi
  real=$(cd "$1" && pwd -P) || return 0
  home=$(cd "${HOME:-/}" && pwd -P)
  case $home/ in
    "${real%/}"/*)
      warn "$1 stays: your home folder is inside it."
      return
      ;;
  esac
  if [ -n "$dry_run" ]; then
    say "Would remove $real ($2)"
  elif [ -z "$no_prompt" ] && ! ask "Remove $real ($2)?"; then
    say "Kept $real"
  elif rm -rf "$real" 2>"$scratch/why"; then
    say "Removed $real"
  else
    warn "$real could not be removed completely: $(tail -n 1 "$scratch/why")"
  fi
}

# --- Everything ----------------------------------------------------------------------------------------------------

install_all() {
  find_target
  find_fetcher
  find_summer
  find_version
  release=$base/download/v$version
  old_links=$(receipt_list links)
  old_path_files=$(receipt_list pathFiles)
  made_files=$(receipt_list madeFiles)
  [ ! -d "$bin" ] || die "$bin is a folder." "Choose another place with --dir <folder>."
  plan_links
  plan_path
  if [ -n "$dry_run" ]; then
    tell_plan
    return
  fi

  fetch_sums
  fetch_program
  start_work
  was_there=
  runs_elsewhere=
  services=
  if [ -z "$same" ]; then
    try_program
    if [ -e "$bin" ] || [ -L "$bin" ]; then
      was_there=1
      [ -f "$receipt" ] || say "The clawdbot that is there came from elsewhere; it is kept as $bin.prev"
      for profile in $(service_profiles); do
        services="$services $profile:$(service_state "$profile")"
      done
      if [ -z "$services" ] && [ "$(service_state -)" = up ]; then runs_elsewhere=1; fi
    fi
  fi
  while IFS= read -r file; do
    if [ -n "$file" ] && [ ! -e "$file" ] && [ ! -L "$file" ]; then made_files=$(with_line "$made_files" "$file"); fi
  done <<FILES
$path_plan
FILES
  if [ -n "$made_dir" ]; then made_files=$(with_line "$made_files" "$dir"); fi
  if [ -f "$receipt" ]; then cp "$receipt" "$work/receipt.old"; fi
  write_receipt 2>"$scratch/why" || {
    no_space_left
    die "Nothing can be written in $dir: $(tail -n 1 "$scratch/why")" "Nothing was changed."
  }
  [ -n "$same" ] || place
  mv -f "$work/receipt" "$receipt"
  restart_services
  make_links
  write_path
  if [ -n "$was_there" ]; then
    cli - doctor --non-interactive >"$scratch/said" 2>&1 || warn "clawdbot doctor ended early; run it to see why."
    say "clawdbot doctor: $(tail -n 1 "$scratch/said")"
  fi
  [ -z "$verify" ] || verify_installed
  if [ -n "$same" ]; then say "clawdbot $version is installed already: $bin"; else say "clawdbot $version is installed: $bin"; fi
  warn_of_others
  if [ -n "$runs_elsewhere" ]; then
    say "A gateway still runs with the version before, and not as a service. End it and start it again where it was started."
  fi
  tell_next
}

tell_plan() {
  say "Would install clawdbot $version for $target"
  say "  from   $release"
  say "  to     $bin"
  if [ -e "$bin" ]; then say "  keep   the present one as $bin.prev"; fi
  for name in $links; do
    if [ ! -L "$dir/$name" ]; then say "  link   $dir/$name"; fi
  done
  while IFS= read -r file; do
    if [ -n "$file" ]; then say "  PATH   a block in $file"; fi
  done <<FILES
$path_plan
FILES
  say "Nothing was changed (--dry-run)."
}

verify_installed() {
  [ "$(sha256_of "$bin")" = "$program_sum" ] || die "$bin is not what was just installed." "Something else changes files in $dir."
  said=$("$bin" --version </dev/null 2>/dev/null) || said=
  [ "$said" = "$version" ] || die "$bin does not start." "Run it to see why: $bin --version"
  say "Verified: sha256 $program_sum; signature $signature; it starts."
}

tell_next() {
  [ -z "$quiet" ] || return 0
  if [ -z "$was_there$same$no_onboard$no_prompt${CI-}" ] && [ -t 1 ] && has_terminal; then
    LC_ALL=$user_locale "$bin" onboard </dev/tty || warn "the set-up ended early; go on with: clawdbot onboard"
    return
  fi
  command=clawdbot
  if ! on_path "$dir" && [ -z "$no_modify_path" ]; then
    if [ -n "$path_plan" ] && [ -z "$path_hint" ]; then
      say "Open a new terminal, or run this in the present one:"
    else
      say "Add this line to the start file of your shell, and run it now:"
    fi
    say "  export PATH=$(dir_word):\"\$PATH\""
  elif ! on_path "$dir"; then
    command=$bin
  fi
  say "Next:"
  [ -n "$was_there" ] || say "  $command onboard      sets up a model and the background service"
  say "  $command gateway      runs the assistant in this terminal"
  say "  $command dashboard    prints a link that opens its page, in a second terminal"
}

main() {
  version='' channel='' dir='' base='' stall='' quiet='' verbose=''
  scratch='' work='' bin='' made_dir='' unchecked_tls='' signature=''
  # Bytes are bytes, whatever the language; the program itself gets the user's own setting.
  user_locale=${LC_ALL-}
  LC_ALL=C
  export LC_ALL
  read_options "$@"
  # What is written is for everybody to read and for nobody but the owner to change.
  umask 022
  unset CDPATH
  trap cleanup EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  trap 'exit 129' HUP
  trap 'exit 141' PIPE
  find_dir
  start_scratch
  if [ -n "$uninstall" ]; then remove_all; else install_all; fi
}

# In braces, so that not even a cut inside this line starts anything.
{ main "$@"; }
