#!/usr/bin/env bash
# Packs a program that was built: archive, completions, man pages, papers.
#
#   package.sh TARGET BINARY     e.g. x86_64-unknown-linux-musl target/x86_64-unknown-linux-musl/release/seo-auth
#
# BINARY is run for its completions and man pages, so it must be one that this machine can run. Leaves the archive in
# target/package/dist and, for cargo-deb, the files that go into it in target/package/share.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=$1 binary=$2
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
name=seo-auth-$version-$target
share=target/package/share
rm -rf "$share" "target/package/$name"
mkdir -p "$share/completions" "$share/man" target/package/dist

"$binary" man --dir "$share/man"
# Named as each shell looks for them.
"$binary" completions bash >"$share/completions/seo-auth.bash"
"$binary" completions zsh >"$share/completions/_seo-auth"
"$binary" completions fish >"$share/completions/seo-auth.fish"
"$binary" completions powershell >"$share/completions/_seo-auth.ps1"
"$binary" completions elvish >"$share/completions/seo-auth.elv"
for file in "$share"/*/*; do
  [ -s "$file" ] || { echo "package.sh: $file came out empty" >&2; exit 1; }
done

cp -R "$share" "target/package/$name"
cp "$binary" README.md LICENSE .github/CHANGELOG.md "target/package/$name/"
cd target/package
case $target in
  *windows*) 7z a -bso0 "dist/$name.zip" "$name" ;;
  *) tar -czf "dist/$name.tar.gz" "$name" ;;
esac
rm -rf "$name"
ls -l dist
