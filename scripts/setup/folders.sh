# shellcheck shell=bash
# Sourced by docker-setup.sh: what it leaves on this machine beside .env: the compose file of mounts, the lists of ignored files,
# and folders that the container's user may write to.

# The first line of the file that we write, and so may overwrite and remove.
readonly EXTRA_MARK='# Written by docker-setup.sh from CLAWDBOT_EXTRA_MOUNTS and CLAWDBOT_HOME_VOLUME. Changes here are lost.'

# A text as a YAML scalar that Compose takes letter by letter, in REPLY.
yaml_text() {
  local text=$1 quote="'" two="''" dollar='$' dollars='$$'
  text=${text//"$quote"/"$two"}
  text=${text//"$dollar"/"$dollars"}
  REPLY="'$text'"
}

write_extra_file() {
  local file=docker-compose.extra.yml ours='' list='' volumes='' index=0 source service text
  if [ -f "$file" ] && IFS= read -r text <"$file" && [ "$text" = "$EXTRA_MARK" ]; then ours=yes; fi
  if [ -e "$file" ] && [ -z "$ours" ]; then
    warn "$file was not written by this script: it is now $file.old"
    act mv -f "$file" "$file.old"
  fi
  if [ "$MOUNT_COUNT" = 0 ] && [ -z "$VALUE_HOME_VOLUME" ]; then
    [ -z "$ours" ] || act rm -f "$file"
    return 0
  fi
  if [ -n "$VALUE_HOME_VOLUME" ]; then
    source=$VALUE_HOME_VOLUME
    case $source in
      /*) ;;
      *) add_volume "$source" ;;
    esac
    yaml_text "$source:/home/node"
    list="      - $REPLY"$'\n'
  fi
  while [ "$index" -lt "$MOUNT_COUNT" ]; do
    source=${MOUNTS[index]%%:*}
    case $source in
      /*) ;;
      *) add_volume "$source" ;;
    esac
    yaml_text "${MOUNTS[index]}"
    list="$list      - $REPLY"$'\n'
    index=$((index + 1))
  done
  text=$EXTRA_MARK$'\n'services:$'\n'
  for service in $GATEWAY $CLI; do
    text="$text  $service:"$'\n'"    volumes:"$'\n'"$list"
  done
  if [ -n "$volumes" ]; then text="$text"volumes:$'\n'"$volumes"; fi
  put_file "$file" 600 "$text"
}

# Declares a volume once, under the very name that `docker volume rm` takes. Adds to `volumes` of its caller.
add_volume() {
  yaml_text "$1"
  case $volumes in
    *"  $REPLY:"*) ;;
    *) volumes="$volumes  $REPLY:"$'\n'"    name: $REPLY"$'\n' ;;
  esac
}

# Adds .env to a list of ignored files, unless it is covered.
ignore_env_file() {
  local list text
  for list in .gitignore .dockerignore; do
    if [ -f "$list" ] && grep -qxE '/?\.env\*?|\*\*/\.env\*?|\*\*?' "$list"; then continue; fi
    if [ -n "$DRY_RUN" ]; then
      say "+ add .env to $list"
      continue
    fi
    text=''
    # Its last line may lack its end.
    if [ -s "$list" ] && [ -n "$(tail -c 1 "$list")" ]; then text=$'\n'; fi
    printf '%s.env\n' "$text" 2>/dev/null >>"$list" || warn "$list cannot be written. Add a line to it: .env"
  done
}

# What the container gets of this machine and must be able to write, with its place there. Bash 3.2 cannot loop over pairs.
FOLDERS=()
PLACES=()
settle_folders() {
  FOLDERS=("$VALUE_CONFIG_DIR" "$VALUE_WORKSPACE_DIR")
  PLACES=(/home/node/.clawdbot /home/node/clawd)
  case $VALUE_HOME_VOLUME in
    /*)
      FOLDERS=("${FOLDERS[@]}" "$VALUE_HOME_VOLUME")
      PLACES=("${PLACES[@]}" /home/node)
      ;;
  esac
}

make_folders() {
  local folder
  for folder in "${FOLDERS[@]}"; do
    if [ -d "$folder" ]; then continue; fi
    if [ -e "$folder" ]; then die "$folder is there, but is not a folder." "Move it away: mv $(quote "$folder") $(quote "$folder.old")"; fi
    act mkdir -p -- "$folder" || die "$folder cannot be made." "See who may write above it: ls -ld $(quote "$(dirname "$folder")")"
  done
  # Keys are in there. When it belongs to the container's user already, it is not ours to change.
  act chmod 700 "$VALUE_CONFIG_DIR" 2>/dev/null || true
}

# Runs a command in a container that has the folders, and no network. $1 is the user, or nothing for the image's own.
in_folders() {
  local user=$1 index=0 words
  shift
  words=(run --rm --network none)
  [ -z "$user" ] || words=("${words[@]}" --user "$user")
  while [ "$index" -lt "${#FOLDERS[@]}" ]; do
    words=("${words[@]}" -v "${FOLDERS[index]}:${PLACES[index]}")
    index=$((index + 1))
  done
  docker "${words[@]}" --entrypoint busybox "$VALUE_IMAGE" "$@"
}

# Prints where the container's own user cannot write, and the first file of the state that is another user's. Fails when the
# container cannot be asked.
folders_refused() {
  # shellcheck disable=SC2016 # expanded by the shell in the container
  in_folders '' sh -c '
    for folder; do
      test -r "$folder" && test -w "$folder" && test -x "$folder" || echo "$folder"
    done
    find /home/node/.clawdbot ! -user "$(id -u)" 2>/dev/null | head -n 1' sh "${PLACES[@]}"
}

# Is there anything in a folder? One that may not be read counts as full.
is_full() { [ -n "$(ls -A -- "$1" 2>/dev/null || echo unreadable)" ]; }

# Is a folder of root's empty, or has one of our containers worked in it? /opt/app and the like must not become an agent's.
is_ours() {
  local name
  for name in clawdbot.json moltbot.json openclaw.json clawdbot.sqlite AGENTS.md .clawdbot; do
    [ ! -e "$1/$name" ] || return 0
  done
  ! is_full "$1"
}

give_folders() {
  if [ -n "$DRY_RUN" ]; then
    say "+ make sure that uid $IMAGE_UID, which the container runs as, may write to: ${FOLDERS[*]}"
    return 0
  fi
  # Docker Desktop lends the container the rights of the user.
  [ "$(uname -s)" != Darwin ] || return 0
  local refused folder owner
  # An image of somebody else's has no busybox; then the gateway's own message is the next best.
  refused=$(folders_refused 2>/dev/null) || return 0
  [ -n "$refused" ] || return 0
  step "Giving the folders to the container's user"
  for folder in "${FOLDERS[@]}"; do
    owner=$(owner_of "$folder")
    [ "${owner%%:*}" != "$IMAGE_UID" ] || continue
    # What Docker made for a missing folder, and what an older container wrote as root.
    if [ "${owner%%:*}" = 0 ] && is_ours "$folder"; then continue; fi
    case $folder in
      "$USER_HOME/.clawdbot" | "$USER_HOME/clawd") ;;
      *)
        # Somebody's own files are not given away unasked.
        if is_full "$folder"; then
          die "$folder belongs to uid ${owner%%:*} and is not empty; the container runs as uid $IMAGE_UID and could not write there." \
            "If it may have all of it: sudo chown -R $IMAGE_UID:$IMAGE_UID $(quote "$folder")" \
            "If not: choose another folder with CLAWDBOT_CONFIG_DIR, CLAWDBOT_WORKSPACE_DIR or CLAWDBOT_HOME_VOLUME." \
            "Then run ./docker-setup.sh again."
        fi
        ;;
    esac
    say "$folder goes from uid ${owner%%:*} to uid $IMAGE_UID, which the container runs as. To undo: sudo chown -R $owner $(quote "$folder")"
  done
  if [ "$(id -u)" != 0 ] || ! chown -hR "$IMAGE_UID:$IMAGE_UID" -- "${FOLDERS[@]}" 2>/dev/null; then
    # Without root here, Docker has it.
    in_folders 0 chown -hR "$IMAGE_UID:$IMAGE_UID" "${PLACES[@]}" || true
  fi
  refused=$(folders_refused 2>/dev/null) || return 0
  [ -n "$refused" ] || return 0
  local names=''
  for folder in "${FOLDERS[@]}"; do names="$names $(quote "$folder")"; done
  die "The container runs as uid $IMAGE_UID and cannot write to its folders." \
    "sudo chown -R $IMAGE_UID:$IMAGE_UID$names" \
    "With SELinux also: sudo chcon -Rt container_file_t$names" \
    "With Docker Desktop: share them in Settings, Resources, File sharing." \
    "Then run ./docker-setup.sh again."
}

PARTS="$PARTS folders"
