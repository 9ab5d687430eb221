# shellcheck shell=bash
# Sourced by tests/run and tests/platforms: steps with a name, a time and a verdict, and the place for their tools.
# Written for bash 3.2 too, which is what macOS has.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
exec </dev/null 2>&1 # nothing here asks, and a log keeps the order of the two streams

readonly SKIPPED=77 # the exit status that means a skip, as automake has it

have() { # COMMAND…: all of them are there
  local command
  for command in "$@"; do command -v "$command" >/dev/null || return; done
}

fetching() { # COMMAND…: what asks the network. Two minutes are longer than any mirror takes, and leave time for the tests.
  if have timeout; then timeout 120 "$@"; else "$@"; fi # macOS has no timeout(1), and goes without
}

have cargo || { echo "cargo is not on PATH: install Rust from https://rustup.rs"; exit 1; }
# An empty or absent HOME (a service account, a test of ours) still finds the toolchain beside the cargo that answers.
beside=$(cd "$(dirname "$(command -v cargo)")/../.." && pwd)
if [ -z "${RUSTUP_HOME-}" ] && [ ! -d "${HOME-}/.rustup" ] && [ -d "$beside/.rustup" ]; then
  export RUSTUP_HOME=$beside/.rustup CARGO_HOME=${CARGO_HOME-$beside/.cargo}
fi
# Nothing is built twice in CI, so what makes a second build fast only costs time and disk there.
[ -z "${CI-}" ] || export CARGO_INCREMENTAL=0

target=${CARGO_TARGET_DIR-target}
tools=$target/tools
mkdir -p "$tools" && tools=$(cd "$tools" && pwd) || exit 1
PATH=$tools/bin:$tools/python/bin:$PATH:/usr/sbin:/sbin # nginx lies in sbin, which a plain user's PATH leaves out

python_tool() { # PACKAGE==VERSION…: into a folder of its own, so that nothing of the system's changes
  [ -x "$tools/python/bin/pip" ] || python3 -m venv "$tools/python" || return
  "$tools/python/bin/pip" install --quiet "$@"
} >>"$tools/python.log"

# A script that another one runs adds its steps to that one's table.
[ -n "${STEPS_TABLE-}" ] || { own_table=yes && export STEPS_TABLE=$tools/steps && : >"$STEPS_TABLE"; }

step() { # NAME COMMAND…
  local name=$1 began=$SECONDS status=0 verdict
  shift
  reason=''
  printf '\n== %s\n' "$name"
  "$@" || status=$?
  case $status in
    0) verdict=ok ;;
    "$SKIPPED") verdict="skipped: $reason" ;;
    *) verdict=FAILED ;;
  esac
  printf '== %s: %s (%d s)\n' "$name" "$verdict" $((SECONDS - began))
  printf '%6d s  %-16s %s\n' $((SECONDS - began)) "$name" "$verdict" >>"$STEPS_TABLE"
}

skip() { # REASON
  reason=$1
  return "$SKIPPED"
}

finish() { # shows the table, if it is this script's own; the status says whether nothing failed
  if [ -n "${own_table-}" ]; then
    printf '\n'
    cat "$STEPS_TABLE"
    printf '%6d s  in all\n\n' "$SECONDS"
  fi
  ! grep ' FAILED$' "$STEPS_TABLE" >/dev/null
}
