# Sourced by the scripts that make data: unpacks what a Debian package holds, without installing it, and puts files in
# place whole or not at all. $package is where it is unpacked, $made a folder to write to.

# begin PACKAGE TOOL...
begin() {
  local tool
  for tool in apt-get dpkg python3 "${@:2}"; do
    command -v "$tool" >/dev/null || { echo "$(basename "$0"): no $tool; apt-get install dpkg python3 xz-utils" >&2; exit 1; }
  done
  package=$(mktemp -d)
  made=$(mktemp -d)
  trap 'rm -rf "$package" "$made"' EXIT
  chmod 755 "$made"
  (cd "$package" && apt-get -qq -o APT::Sandbox::User=root download "$1") >&2 ||
    { echo "$(basename "$0"): apt-get download $1 failed; apt-get update, and try again" >&2; exit 1; }
  dpkg -x "$package/$1"_*.deb "$package"
}

# place DIRECTORY: what was made.
place() {
  mkdir -p "$(dirname "$1")"
  rm -rf "$1.part"
  cp -r "$made" "$1.part"
  rm -rf "$1"
  mv "$1.part" "$1"
}
