#!/usr/bin/env bash
# Asks the plugins of a network whether they could serve an ADD now.
# shellcheck source=demo-scenarios/lib.sh
source "$(dirname "$0")/lib.sh"

(($# == 1)) || wrong_usage 'NET'

run_verb status "$1" || exit 1
echo "Network $1 is ready for ADD requests."
