#!/usr/bin/env bash
# The executables for arm64: built with a cross compiler, their unit tests and every verb in an emulator. Takes about ten
# minutes, half of them for the libraries, the first time; needs root and apt.
#
#   tests/arm64.sh

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

(($# == 0)) || { echo "usage: ${0##*/}" >&2; exit 2; }
((EUID == 0)) || { echo "${0##*/} needs root, to run servers as another user: sudo $0" >&2; exit 1; }
./setup_dependencies.sh tests
./setup_dependencies.sh arm64
make all
BINDIR=$PWD/plugins/bin PYTHONPATH=$PWD/tests/lib python3 tests/e2e/arm64_test.py
