# shellcheck shell=sh
# Questions about executables, for the other scripts of this folder, answered with nothing but od(1). Sourced, not run.

# Whether $1 is an executable for the architecture $2 (amd64, arm64).
is_for() {
  case $2 in
    amd64) want=3e00 ;;
    arm64) want=b700 ;;
    *) return 1 ;;
  esac
  [ "$(bytes "$1" 0 4)" = 7f454c46 ] && [ "$(bytes "$1" 18 2)" = "$want" ]
}

# Whether the ELF file $1 needs a loader that is not inside it: a program header of type 3 (PT_INTERP).
needs_loader() {
  [ "$(bytes "$1" 0 4)" = 7f454c46 ] || return 1
  headers=$(number "$1" 32 8)
  size=$(number "$1" 54 2)
  left=$(number "$1" 56 2)
  while [ "$left" -gt 0 ]; do
    left=$((left - 1))
    [ "$(number "$1" $((headers + left * size)) 4)" = 3 ] && return 0
  done
  return 1
}

# $3 bytes of $1 from offset $2, in hexadecimal digits.
bytes() {
  od -An -v -tx1 -j "$2" -N "$3" "$1" | tr -d ' \n'
}

# The same as an unsigned number.
number() {
  od -An -v -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' \n'
}
