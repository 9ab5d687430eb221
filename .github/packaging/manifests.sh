#!/usr/bin/env bash
# Writes the Homebrew formula and the Scoop manifest of a release.
#
#   manifests.sh REPOSITORY_URL DIST    reads the sums in DIST/SHA256SUMS; writes DIST/seo-auth.rb and DIST/seo-auth.json
#
# They name this release's archives by their sums, so they are made after the archives and never by hand.
set -euo pipefail
shopt -s inherit_errexit # a sum that is missing ends the script, from inside $(…) too
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

repository=$1 dist=$2

field() { sed -n "s/^$1 = \"\(.*\)\"/\1/p" Cargo.toml | head -n 1; }
version=$(field version) description=$(field description)
base=$repository/releases/download/v$version

archive() { echo "seo-auth-$version-$1"; } # TARGET.SUFFIX
sum() { # TARGET.SUFFIX
  local sum
  sum=$(awk -v file="$(archive "$1")" '$2 == file { print $1 }' "$dist/SHA256SUMS")
  [ -n "$sum" ] || { echo "manifests.sh: no sum for $(archive "$1")" >&2; exit 1; }
  echo "$sum"
}
source_of() { # INDENT TARGET.SUFFIX: the two lines by which a formula names an archive
  local sum
  sum=$(sum "$2")
  printf '%*surl "%s"\n%*ssha256 "%s"\n' "$1" '' "$base/$(archive "$2")" "$1" '' "$sum"
}

macos=$(source_of 4 universal-apple-darwin.tar.gz)
linux_intel=$(source_of 6 x86_64-unknown-linux-musl.tar.gz)
linux_arm=$(source_of 6 aarch64-unknown-linux-musl.tar.gz)
windows=$(sum x86_64-pc-windows-msvc.zip)

cat >"$dist/seo-auth.rb" <<RUBY
class SeoAuth < Formula
  desc "${description%%:*}"
  homepage "$repository"
  version "$version"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
$macos
  end

  on_linux do
    on_intel do
$linux_intel
    end
    on_arm do
$linux_arm
    end
  end

  def install
    bin.install "seo-auth"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/seo-auth.bash" => "seo-auth"
    zsh_completion.install "completions/_seo-auth"
    fish_completion.install "completions/seo-auth.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/seo-auth --version")
  end
end
RUBY

jq -n --arg version "$version" --arg description "$description" --arg homepage "$repository" --arg hash "$windows" \
  --arg folder "$(archive x86_64-pc-windows-msvc)" --arg base "$base" \
  --arg next "$repository/releases/download/v\$version" '{
    version: $version,
    description: $description,
    homepage: $homepage,
    license: "MIT|Apache-2.0",
    architecture: { "64bit": { url: "\($base)/\($folder).zip", hash: $hash, extract_dir: $folder } },
    bin: "seo-auth.exe",
    checkver: "github",
    autoupdate: {
      architecture: { "64bit": {
        url: "\($next)/seo-auth-$version-x86_64-pc-windows-msvc.zip",
        extract_dir: "seo-auth-$version-x86_64-pc-windows-msvc"
      } },
      hash: { url: "$baseurl/SHA256SUMS" }
    }
  }' >"$dist/seo-auth.json"
