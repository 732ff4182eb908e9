#!/bin/sh
# Installs claude-otel, upgrades it, takes it off again. For any POSIX shell:
#
#   curl -fsSL https://github.com/claude-otel/claude-otel/releases/latest/download/install.sh | sh
#   ./install.sh --help
#
# The whole script is read before its last line starts it, so half of it does nothing.
set -eu

releases=https://github.com/claude-otel/claude-otel/releases

usage() {
  cat <<EOF
Installs claude-otel into ~/.local/bin, or puts another version in the place of the one that is there.

  install.sh [--version <version>] [--dir <folder>]
  install.sh --uninstall [--dir <folder>]

  --version <version>  this release, not the latest
  --dir <folder>       install here, not into ~/.local/bin
  --download           in a checkout: take a release, do not build from the sources
  --uninstall          take it off again, with its hooks; settings and telemetry stay, and it says where

In a checkout it builds from the sources there (Node 20 or newer and npm are needed), unless one of --version and
--download asks for a release.

  CLAUDE_OTEL_BASE_URL  where releases come from: $releases
EOF
}

say() { printf '%s\n' "$@"; }

fail() {
  printf 'claude-otel: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# --- What is asked for ---

read_arguments() {
  version='' dir='' action=install source=''
  while [ $# -gt 0 ]; do
    case $1 in
      --version | --dir)
        [ -n "${2:-}" ] || fail "$1 needs a value" 'install.sh --help tells more'
        if [ "$1" = --dir ]; then dir=$2; else version=${2#v}; fi
        shift
        ;;
      --version=*) version=${1#*=} version=${version#v} ;;
      --dir=*) dir=${1#*=} ;;
      --download) source=release ;;
      --uninstall) action=uninstall ;;
      -h | --help) usage && exit 0 ;;
      *) fail "there is no option $1" 'install.sh --help tells which there are' ;;
    esac
    shift
  done
  case $version in
    *[!0-9A-Za-z.+-]*) fail "'$version' is no version" 'versions are like 0.1.0' ;;
  esac
  [ -z "$version" ] || source=release
  [ -z "${CLAUDE_OTEL_BASE_URL:-}" ] || source=release
  base=${CLAUDE_OTEL_BASE_URL:-$releases}
  base=${base%/}
  choose_folder
}

choose_folder() {
  is_default=
  if [ -z "$dir" ]; then
    [ -n "${HOME:-}" ] || fail 'HOME is not set, so there is no ~/.local/bin' 'name a folder: --dir <folder>'
    dir=$HOME/.local/bin
    is_default=yes
  fi
  case $dir in
    /*) ;;
    *) dir=$PWD/$dir ;;
  esac
  while [ "$dir" != / ] && [ "${dir%/}" != "$dir" ]; do dir=${dir%/}; done
}

# The checkout that this script lies in, if it does: then $0 is its path, whereas through a pipe it is the shell.
find_checkout() {
  checkout=
  case ${0##*/} in install.sh) ;; *) return 0 ;; esac
  folder=$(CDPATH='' cd -- "$(dirname -- "$0")" 2>/dev/null && pwd) || return 0
  if [ -f "$folder/scripts/bootstrap.mjs" ] && [ -f "$folder/src/main.ts" ]; then checkout=$folder; fi
}

# --- Where it goes ---

# Says no before anything is fetched or changed.
check_folder() {
  existing=$dir
  while [ ! -e "$existing" ]; do existing=$(dirname -- "$existing"); done
  [ -d "$existing" ] || fail "$existing is not a folder" 'choose another: --dir <folder>'
  [ ! -d "$dir/claude-otel" ] || fail "$dir/claude-otel is a folder" 'choose another place: --dir <folder>'
  roots=$(find "$existing" -prune -user 0)
  if [ "$(id -u)" = 0 ]; then
    [ -n "$roots" ] || fail "you are root, but $existing is not root's" \
      'its owner could not change what root leaves there: run this as its owner, without sudo' \
      'or name a folder for everybody: --dir /usr/local/bin'
    [ -z "${SUDO_USER:-}" ] || [ -z "$is_default" ] || fail "no sudo is needed: this would install for root, not for $SUDO_USER" \
      'run it again without sudo, or name a folder for everybody: --dir /usr/local/bin'
  fi
  if [ ! -w "$existing" ] || [ ! -x "$existing" ]; then
    fail "you may not write to $existing${roots:+, which root owns}" \
      'choose a folder of yours: --dir <folder>; there is no need for root'
  fi
}

# --- What runs here ---

find_target() {
  system=$(uname -s) machine=$(uname -m)
  case $system in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    MINGW* | MSYS* | CYGWIN* | Windows_NT)
      fail 'on Windows PowerShell installs it:' "irm $releases/latest/download/install.ps1 | iex"
      ;;
    *) unknown_platform "$system $machine" ;;
  esac
  case $machine in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) unknown_platform "$system $machine" ;;
  esac
  # A shell that Rosetta translates says x86_64; the Mac is not.
  if [ $system = darwin ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || true)" = 1 ]; then machine=arm64; fi
  if [ $system = linux ] && [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 32 ]; then
    unknown_platform 'Linux of 32 bits'
  fi
  target=$system-$machine
  if [ $system = linux ] && is_musl; then target=$target-musl; fi
}

unknown_platform() {
  fail "there is no build for $1" 'there are: macOS and Linux (glibc, musl), x64 and arm64, and Windows x64' \
    'where Bun runs a checkout can be built: ./install.sh in it'
}

# Both can be there: the C library that the system's own programs use counts.
is_musl() {
  if getconf GNU_LIBC_VERSION >/dev/null 2>&1; then return 1; fi
  case $(ldd --version 2>&1 || true) in
    *musl*) return 0 ;;
    *GLIBC* | *'GNU libc'*) return 1 ;;
  esac
  for loader in /lib/ld-linux-* /lib64/ld-linux-*; do
    if [ -e "$loader" ]; then return 1; fi
  done
  for loader in /lib/ld-musl-*; do
    if [ -e "$loader" ]; then return 0; fi
  done
  return 1
}

# --- A release ---

# fetch <url> <file> <what it means that there is none>
fetch() {
  code=0
  if has curl; then
    case $1 in https:*) protocols='=https' ;; *) protocols='=http,https' ;; esac
    told=$(curl -fsSL --proto "$protocols" --retry 2 --connect-timeout 20 -o "$2" "$1" 2>&1) || code=$?
    [ $code != 23 ] || no_space "$work"
  else
    # Options that busybox knows too, and does not die of.
    told=$(wget -nv -t 3 -O "$2" "$1" 2>&1) || code=$?
  fi
  [ $code != 0 ] || return 0
  fail_for_space "$work"
  case $told in
    *'error: 404'* | *'ERROR 404'* | *'HTTP/1.'[01]' 404'*) fail "there is no $1" "$3" ;;
  esac
  fail "could not download $1" "$(say "${told:-it ended with $code}" | tail -n 1)" 'try again: nothing was changed'
}

# fail_for_space <folder>: fails if what just failed, with $code and having $told why, had no room there.
fail_for_space() {
  # Death by SIGXFSZ, whose number is 25.
  if [ $code = 153 ]; then no_space "$1"; fi
  case $told in
    *[Nn]'o space left'* | *'ile too large'* | *'ile size limit'* | *[Dd]'isk quota'* | *[Cc]'annot write'* | *'short write'* | *'rote only'* | *'rite error'*) no_space "$1" ;;
  esac
}

no_space() {
  free=$(df -Pk -- "$1" 2>/dev/null | awk 'NR == 2 { printf "%d MB free", $4 / 1024 }')
  fail "there is no space in $1 (${free:-unknown})" 'about 250 MB are needed; nothing was changed' \
    'TMPDIR says where downloads go, --dir where it is installed'
}

sha256_of() {
  if has sha256sum; then sha256sum <"$1"
  elif has shasum; then shasum -a 256 <"$1"
  else openssl dgst -sha256 -r <"$1"
  fi | awk '{ print $1 }'
}

# SHA256SUMS names the archive of each target, and so the version: one file says what to take and what it must be.
find_archive() {
  if [ -n "$version" ]; then from=download/v$version; else from=latest/download; fi
  fetch "$base/$from/SHA256SUMS" "$work/SHA256SUMS" "no release ${version:+$version }is published there"
  line=$(awk -v target="-$target.tar.gz" '
    $2 ~ /^claude-otel-[0-9]/ && substr($2, length($2) - length(target) + 1) == target { print $1, $2; exit }
  ' "$work/SHA256SUMS")
  expected=${line%% *} archive=${line#* }
  case $expected in
    '') fail "this release has no build for $target" "see $base/$from/SHA256SUMS" ;;
    *[!0-9a-f]*) fail "$base/$from/SHA256SUMS is not a list of checksums" ;;
  esac
  [ ${#expected} = 64 ] || fail "$base/$from/SHA256SUMS is not a list of checksums"
  found=${archive#claude-otel-} found=${found%"-$target.tar.gz"}
  [ -z "$version" ] || [ "$found" = "$version" ] || fail "asked for $version, found $found at $base/$from"
  version=$found
}

download_release() {
  find_target
  has tar || fail 'tar is missing' 'install it'
  has curl || has wget || fail 'neither curl nor wget is here' 'install one of them, or build from a checkout'
  has sha256sum || has shasum || has openssl ||
    fail 'sha256sum, shasum and openssl are all missing, so no download can be verified' 'install one of them'
  work=$(mktemp -d "${TMPDIR:-/tmp}/claude-otel.XXXXXX") || fail "no temporary folder in ${TMPDIR:-/tmp}"
  find_archive
  say "Downloading claude-otel $version for $target (some 50 MB) …"
  fetch "$base/download/v$version/$archive" "$work/$archive" 'this release is not complete: try again later'
  actual=$(sha256_of "$work/$archive")
  [ "$actual" = "$expected" ] || fail "$archive is not what was published: nothing was changed" \
    "its SHA-256 is $actual" "it should be  $expected" 'the download was cut or changed on its way: try again'
  make_stage
  code=0
  told=$(tar -xzf "$work/$archive" -C "$stage" 2>&1) || code=$?
  if [ $code != 0 ]; then
    fail_for_space "$stage"
    fail "cannot unpack $archive" "$told"
  fi
  candidate=$stage/${archive%.tar.gz}/claude-otel
}

# --- From the sources ---

build_checkout() {
  has node || fail 'to build from this checkout Node 20 or newer is needed' 'install it (https://nodejs.org), or take a release: ./install.sh --download'
  say "Building claude-otel in $checkout …"
  (cd "$checkout" && node scripts/bootstrap.mjs build) || fail 'the build failed: see above' 'or take a release: ./install.sh --download'
  make_stage
  code=0
  told=$(cp -- "$checkout/dist/claude-otel" "$stage/claude-otel" 2>&1) || code=$?
  if [ $code != 0 ]; then
    fail_for_space "$stage"
    fail "cannot copy to $stage" "$told"
  fi
  candidate=$stage/claude-otel
}

# --- Putting it in its place ---

# Within the folder itself, so that the last step is a rename: there is the old one or the new one, never half of one.
make_stage() {
  mkdir -p -- "$dir" || fail "cannot make $dir"
  stage=$(mktemp -d "$dir/.claude-otel.XXXXXX") || fail "cannot write to $dir"
}

put_in_place() {
  chmod 755 "$candidate"
  if ! told=$("$candidate" --version 2>&1 </dev/null); then
    case $told in
      *libstdc++*) fail 'this system has no libstdc++, which the build for musl needs' 'on Alpine: apk add libstdc++' 'nothing was changed' ;;
      *) fail 'what was built for this platform does not run on it; nothing was changed' "$(say "$told" | head -n 3)" ;;
    esac
  fi
  before=
  [ ! -e "$dir/claude-otel" ] || before=$("$dir/claude-otel" --version 2>/dev/null </dev/null | head -n 1) || before='another claude-otel'
  mv -f -- "$candidate" "$dir/claude-otel" || fail "cannot write to $dir"
  if [ -n "$before" ] && [ "$before" != "$told" ]; then say "Installed $told in $dir in the place of $before."
  else say "Installed $told in $dir."
  fi
}

# Says what the person may want to do; does none of it.
tell_about_path() {
  case :${PATH:-}: in
    *:"$dir":*)
      other=$(command -v claude-otel || true)
      [ "$other" = "$dir/claude-otel" ] || [ -z "$other" ] || say "Before it in PATH stands $other: that one is run."
      ;;
    *)
      say '' "$dir is not in PATH. To have it there, add this to your shell's file:" ''
      case ${SHELL:-} in
        */fish) say "  fish_add_path '$dir'" '   # ~/.config/fish/config.fish' ;;
        */zsh) say "  export PATH=\"$dir:\$PATH\"" '   # ~/.zshrc' ;;
        */bash) say "  export PATH=\"$dir:\$PATH\"" '   # ~/.bashrc' ;;
        *) say "  export PATH=\"$dir:\$PATH\"" '   # ~/.profile' ;;
      esac
      ;;
  esac
  say '' 'Run claude-otel in the place of claude. claude-otel --help tells more.'
}

uninstall() {
  if [ ! -e "$dir/claude-otel" ] && [ ! -L "$dir/claude-otel" ]; then
    say "There is no claude-otel in $dir."
    return 0
  fi
  # A hook that names a program that is gone would fail in every session, and a hub would go on without one.
  "$dir/claude-otel" hooks remove </dev/null >/dev/null 2>&1 || :
  "$dir/claude-otel" serve --stop </dev/null >/dev/null 2>&1 || :
  rm -f -- "$dir/claude-otel" 2>/dev/null || fail "you may not remove $dir/claude-otel" 'its owner can'
  say "Removed $dir/claude-otel."
  settings=${CLAUDE_CONFIG_DIR:-${HOME:-}/.claude}/settings.json
  if grep -q claude-otel "$settings" 2>/dev/null; then say "Words in $settings still name it: take that out."; fi
  if [ -n "${CLAUDE_OTEL_HOME:-}" ]; then
    kept_folders "$CLAUDE_OTEL_HOME"
  else
    kept_folders "${XDG_STATE_HOME:-${HOME:-}/.local/state}/claude-otel" "${XDG_CONFIG_HOME:-${HOME:-}/.config}/claude-otel"
  fi
}

kept_folders() {
  for folder in "$@"; do
    [ ! -d "$folder" ] || say "Left as it is, yours to remove: $folder"
  done
}

clean_up() {
  code=$?
  trap - EXIT
  for folder in "${work:-}" "${stage:-}"; do
    [ -z "$folder" ] || rm -rf -- "$folder"
  done
  exit $code
}

main() {
  work='' stage=''
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  umask 022
  read_arguments "$@"
  if [ $action = uninstall ]; then
    uninstall
    return 0
  fi
  find_checkout
  check_folder
  if [ -n "$checkout" ] && [ -z "$source" ]; then build_checkout; else download_release; fi
  put_in_place
  tell_about_path
}

main "$@"
