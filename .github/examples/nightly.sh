#!/bin/sh
# For cron: `0 6 * * *  /opt/nightly.sh`. A machine without a desktop has no keyring, so sign in with --store file.
# Exits with 4 where a person must sign in, which cron mails.
set -eu
seo-auth status --warn-before 7d >/dev/null
seo-auth exec semrush -- "${1:-./report.sh}"
