# shellcheck shell=bash
# Sourced by docker-setup.sh: reading and writing .env, and putting files in place. Uses die, warn, say and DRY_RUN of the caller.
# A function that gives a text back puts it into REPLY, because $( ) would drop the line breaks at its end.
#
# How Compose reads .env: 'single quotes' are literal; "double quotes" know \n \" \\ and $names; bare values end at " #" and know
# $names too; a quoted value may span lines; the last of two lines with one name counts.

# The whole file in REPLY, without NUL bytes. Empty when there is none.
slurp() {
  REPLY=''
  [ -e "$1" ] || return 0
  [ -f "$1" ] || die "$1 is not a file." "Move it away: mv $(quote "$1") $(quote "$1.old")"
  [ -r "$1" ] || die "$1 cannot be read by this user." "See whose it is: ls -l $(quote "$1") (often: sudo ./docker-setup.sh)"
  # The x keeps the last line breaks, which $( ) would drop.
  REPLY=$(tr -d '\000' <"$1" && printf x)
  REPLY=${REPLY%x}
}

# uid:gid of a file or folder.
# shellcheck disable=SC2012 # stat has other options on macOS, and the name does not matter here
owner_of() { ls -lnd -- "$1" | awk '{ print $3 ":" $4; exit }'; }

# Puts a text in place in one step: a reader sees the old file or the new one, and a full disk leaves the old one.
# $1 path (a link stays a link), $2 mode, $3 text.
put_file() {
  local path mode=$2 text=$3 owner=''
  follow "$1"
  path=$REPLY
  if [ -n "$DRY_RUN" ]; then
    say "+ write $path (mode $mode)"
    return 0
  fi
  slurp "$path"
  if [ -e "$path" ] && [ "$REPLY" = "$text" ]; then
    chmod "$mode" "$path" 2>/dev/null || true
    return 0
  fi
  SCRATCH=$(umask 077 && mktemp "$(dirname "$path")/.docker-setup.XXXXXX" 2>/dev/null) || {
    SCRATCH=''
    die "$path cannot be written. Nothing was changed." "See who may write there: ls -ld $(quote "$(dirname "$path")")"
  }
  if ! printf '%s' "$text" >"$SCRATCH" 2>/dev/null; then
    die "$path could not be written, perhaps because the disk is full. The old file is untouched." "See how much is free: df -h $(quote "$ROOT")"
  fi
  # With sudo the file must stay readable for the user, who will call docker compose without.
  if [ "$(id -u)" = 0 ]; then
    if [ -e "$path" ]; then owner=$(owner_of "$path"); else owner=$(owner_of "$(dirname "$path")"); fi
    chown "$owner" "$SCRATCH" 2>/dev/null || true
  fi
  chmod "$mode" "$SCRATCH"
  mv -f "$SCRATCH" "$path" || die "$path could not be replaced. The old file is untouched." "See whose it is: ls -l $(quote "$path")"
  SCRATCH=''
}

ENTRY_COUNT=0
ENTRY_RAW=()
ENTRY_NAME=()
ENTRY_VALUE=()

# Is $2 one of the words of $1?
has_word() {
  case " $1 " in
    *" $2 "*) return 0 ;;
  esac
  return 1
}

# Finds the end of a quoted value. $1 the quote, $2 the text after it. REPLY is what stands before the closing quote, as written;
# fails when there is none.
quoted_part() {
  local quote=$1 rest=$2 part='' piece
  local special="[\\\\$quote]"
  while :; do
    # shellcheck disable=SC2295 # a pattern
    piece=${rest%%$special*}
    [ "$piece" != "$rest" ] || return 1
    part=$part$piece
    rest=${rest:${#piece}}
    if [ "${rest:0:1}" = "$quote" ]; then
      REPLY=$part
      return 0
    fi
    [ "${#rest}" -ge 2 ] || return 1
    part=$part${rest:0:2}
    rest=${rest:2}
  done
}

# Regular expressions stand in variables: how bash reads them between [[ ]] has changed.
readonly BRACED_NAME='^\{([A-Za-z_][A-Za-z0-9_]*)(:?-([^}]*))?\}'
readonly BARE_NAME='^[A-Za-z_][A-Za-z0-9_]*'

# Puts the value of each $NAME, ${NAME} and ${NAME:-default} in its place, and $ for $$. Nothing is run.
expand_names() {
  local rest=$1 done_part='' piece name default
  while :; do
    piece=${rest%%\$*}
    if [ "$piece" = "$rest" ]; then
      REPLY=$done_part$rest
      return 0
    fi
    done_part=$done_part$piece
    rest=${rest:$((${#piece} + 1))}
    if [ "${rest:0:1}" = '$' ]; then
      done_part="$done_part\$"
      rest=${rest:1}
    elif [[ $rest =~ $BRACED_NAME ]]; then
      name=${BASH_REMATCH[1]}
      default=${BASH_REMATCH[3]:-}
      rest=${rest:${#BASH_REMATCH[0]}}
      done_part=$done_part${!name:-$default}
    elif [[ $rest =~ $BARE_NAME ]]; then
      name=${BASH_REMATCH[0]}
      rest=${rest:${#name}}
      done_part=$done_part${!name:-}
    else
      done_part="$done_part\$"
    fi
  done
}

# The value that Compose reads from what stands after the = of a line, in REPLY. Fails when a quote never ends.
decode_value() {
  local text=$1 quote=${1:0:1} part out='' char single="'" escaped_single="\\'"
  if [ "$quote" = "'" ]; then
    quoted_part "'" "${text:1}" || return 1
    # Only the quote itself is escaped in single quotes.
    REPLY=${REPLY//"$escaped_single"/"$single"}
    return 0
  fi
  if [ "$quote" = '"' ]; then
    quoted_part '"' "${text:1}" || return 1
    part=$REPLY
    while [ -n "$part" ]; do
      char=${part%%\\*}
      if [ -n "$char" ]; then
        out=$out$char
        part=${part:${#char}}
        continue
      fi
      char=${part:1:1}
      part=${part:2}
      case $char in
        n) out=$out$'\n' ;;
        r) out=$out$'\r' ;;
        t) out=$out$'\t' ;;
        '"') out="$out\"" ;;
        \\) out="$out\\" ;;
        '$') out="$out\$\$" ;;
        *) out="$out\\$char" ;;
      esac
    done
    expand_names "$out"
    return 0
  fi
  text=${text%%$'\n'*}
  text=${text%%' #'*}
  [ "${text:0:1}" != '#' ] || text=''
  # Blanks at the end do not count, nor does the carriage return of a file from Windows.
  while [ "$text" != "${text%[[:space:]]}" ]; do text=${text%?}; done
  expand_names "$text"
}

# A value as .env has to hold it, in REPLY. Bare where that is safe, so that simple values stay easy to read.
encode_value() {
  local text=$1 slash=\\ twice=\\\\ quote='"' escaped_quote=\\\" dollar='$' escaped_dollar=\\\$ line=$'\n'
  case $text in
    *[!A-Za-z0-9_./:@,+=~-]*) ;;
    *)
      REPLY=$text
      return 0
      ;;
  esac
  case $text in
    *"'"* | *\\* | *$'\n'* | *$'\r'*) ;;
    *)
      REPLY="'$text'"
      return 0
      ;;
  esac
  # Pattern and text stand in variables, and no quotes around the whole: bash 3.2 keeps backslashes and quotes otherwise.
  text=${text//"$slash"/"$twice"}
  text=${text//"$quote"/"$escaped_quote"}
  text=${text//"$dollar"/"$escaped_dollar"}
  text=${text//$'\r'/"\\r"}
  text=${text//"$line"/"\\n"}
  REPLY="\"$text\""
}

# The part after the prefix when the name is one of ours (REPLY), with its place in PREFIXES; else fails.
own_key() {
  local prefix key
  REPLY=''
  if [ "$1" = COMPOSE_FILE ]; then
    REPLY=$1
    return 0
  fi
  for prefix in $PREFIXES; do
    key=${1#"${prefix}_"}
    if [ "$key" != "$1" ] && has_word "$ALWAYS $OPTIONAL" "$key"; then
      REPLY=$key
      return 0
    fi
  done
  return 1
}

add_entry() {
  ENTRY_RAW[ENTRY_COUNT]=$1
  ENTRY_NAME[ENTRY_COUNT]=$2
  ENTRY_VALUE[ENTRY_COUNT]=$3
  ENTRY_COUNT=$((ENTRY_COUNT + 1))
}

readonly ENV_LINE='^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_.]*)[[:space:]]*[=:][[:space:]]*(.*)$'

# Is this the beginning of a quoted value that has not ended yet?
is_open() {
  case $1 in
    \'* | \"*) ;;
    *) return 1 ;;
  esac
  if quoted_part "${1:0:1}" "${1:1}"; then return 1; fi
}

# Takes .env apart into entries: ours with name and value, everything else as it stands.
read_env_file() {
  local line raw name after index=0 ahead
  local lines count=0
  lines=()
  slurp .env
  [ "${#REPLY}" -le 262144 ] || die ".env has ${#REPLY} bytes, which cannot be right." "Look at it, or move it away: mv $(quote "$ROOT/.env") $(quote "$ROOT/.env.old")"
  # A byte order mark would belong to the first name.
  REPLY=${REPLY#$'\xef\xbb\xbf'}
  while IFS= read -r line || [ -n "$line" ]; do
    lines[count]=$line
    count=$((count + 1))
  done <<<"${REPLY%$'\n'}"
  # Here strings end with a line break, so that an empty file would be one empty line.
  [ -n "$REPLY" ] || count=0
  while [ "$index" -lt "$count" ]; do
    raw=${lines[index]}
    index=$((index + 1))
    if ! [[ $raw =~ $ENV_LINE ]]; then
      add_entry "$raw" '' ''
      continue
    fi
    name=${BASH_REMATCH[2]}
    after=${BASH_REMATCH[3]}
    ahead=$index
    line=$raw
    while is_open "$after" && [ "$ahead" -lt "$count" ]; do
      after=$after$'\n'${lines[ahead]}
      line=$line$'\n'${lines[ahead]}
      ahead=$((ahead + 1))
    done
    if is_open "$after"; then
      # A token can be made anew. A folder must not be guessed, and docker compose would refuse the file.
      if own_key "$name" && [ "$REPLY" = GATEWAY_TOKEN ]; then
        add_entry "$raw" "$name" '(cut off)'
        continue
      fi
      die ".env, line $index: the quote that begins there never ends. Was the file cut off?" \
        "Mend or remove that line, then run ./docker-setup.sh again. Nothing was changed."
    fi
    raw=$line
    index=$ahead
    if own_key "$name"; then
      decode_value "$after"
      add_entry "$raw" "$name" "$REPLY"
    else
      add_entry "$raw" '' ''
    fi
  done
}

# The value that .env has for a name, in REPLY; the last line counts. Fails when there is none.
env_file_value() {
  local index=$((ENTRY_COUNT - 1))
  while [ "$index" -ge 0 ]; do
    if [ "${ENTRY_NAME[index]}" = "$1" ]; then
      REPLY=${ENTRY_VALUE[index]}
      return 0
    fi
    index=$((index - 1))
  done
  REPLY=''
  return 1
}

# Writes .env: our values at the places they have, what is new at the end, every other line as it was.
write_env_file() {
  local index=0 name key text='' written=' ' value
  while [ "$index" -lt "$ENTRY_COUNT" ]; do
    name=${ENTRY_NAME[index]}
    if [ -z "$name" ]; then
      text=$text${ENTRY_RAW[index]}$'\n'
    elif ! has_word "$written" "$name"; then
      own_key "$name"
      key=$REPLY
      if [ "$key" != COMPOSE_FILE ] || [ -n "$VALUE_COMPOSE_FILE" ]; then
        value_of "$key"
        encode_value "$REPLY"
        text=$text$name=$REPLY$'\n'
      fi
      written="$written$name "
    fi
    index=$((index + 1))
  done
  for key in $ALWAYS $OPTIONAL; do
    value_of "$key"
    value=$REPLY
    has_word "$written" "CLAWDBOT_$key" && continue
    if [ -z "$value" ] && ! has_word "$ALWAYS" "$key"; then continue; fi
    encode_value "$value"
    text=${text}CLAWDBOT_$key=$REPLY$'\n'
  done
  if [ -n "$VALUE_COMPOSE_FILE" ] && ! has_word "$written" COMPOSE_FILE; then
    encode_value "$VALUE_COMPOSE_FILE"
    text=${text}COMPOSE_FILE=$REPLY$'\n'
  fi
  put_file .env 600 "$text"
}

PARTS="$PARTS env-file"
