#!/usr/bin/env bash
# Signs and notarises a macOS program: sign-macos.sh BINARY
#
# Takes CERTIFICATE (a Developer ID Application certificate, PKCS #12, base64), CERTIFICATE_PASSWORD, IDENTITY,
# NOTARY_KEY (an App Store Connect API key), NOTARY_KEY_ID and NOTARY_ISSUER from the environment. Without an IDENTITY it signs
# ad hoc: the program runs, but the Keychain takes each new version for a stranger. The workflow says why that matters.
set -euo pipefail

binary=$1
if [ -z "${IDENTITY-}" ]; then
  echo "::warning::no signing identity: signed ad hoc, so the Keychain will ask again after every update"
  codesign --force --sign - "$binary"
  exit
fi

work=$(mktemp -d)
keychain=$work/signing.keychain-db
password=$(openssl rand -hex 20)
trap 'security delete-keychain "$keychain" || true; rm -rf "$work"' EXIT
umask 077

security create-keychain -p "$password" "$keychain"
security unlock-keychain -p "$password" "$keychain"
base64 -d <<<"$CERTIFICATE" >"$work/certificate.p12"
security import "$work/certificate.p12" -k "$keychain" -P "$CERTIFICATE_PASSWORD" -T /usr/bin/codesign
security set-key-partition-list -S apple-tool:,apple: -s -k "$password" "$keychain" >/dev/null
security list-keychains -d user -s "$keychain" login.keychain-db

codesign --force --options runtime --timestamp --keychain "$keychain" --sign "$IDENTITY" "$binary"
codesign --verify --strict --verbose=2 "$binary"

printf '%s' "$NOTARY_KEY" >"$work/notary.p8"
# A bare program can't carry its ticket: Gatekeeper asks Apple for it, by the program's hash.
ditto -c -k "$binary" "$work/seo-auth.zip"
xcrun notarytool submit "$work/seo-auth.zip" --wait --timeout 30m \
  --key "$work/notary.p8" --key-id "$NOTARY_KEY_ID" --issuer "$NOTARY_ISSUER"
