#!/usr/bin/env bash
# Sets up and runs the tests, on a virtual screen of their own.
# Usage: scripts/test.sh [pytest options]; QT_API=pyside6 tests the other Qt binding.
# Without options all tests run: in MMREG_WORKERS processes (default: one per core, at most 4),
# then those that need a window in a single one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh dev
pytest=("${MMREG_VENV:-.venv}/bin/python" -m pytest)
# Many small tests run fastest on one thread each; more threads than cores stall.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
if command -v xvfb-run >/dev/null; then
    pytest=(xvfb-run -a -s "-screen 0 1400x1000x24" "${pytest[@]}")
elif [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ "$(uname -s)" = Linux ]; then
    echo "test: no screen and no xvfb-run: install xvfb, or leave the GUI tests out with: scripts/test.sh -m 'not gui'" >&2
    case " $* " in *"not gui"*) ;; *) exit 1 ;; esac
fi
if [ $# = 0 ]; then
    "${pytest[@]}" -q -n "${MMREG_WORKERS:-logical}" --maxprocesses 4 -m "not gui and not network"
    set -- -q -m "gui and not network"
fi
exec "${pytest[@]}" "$@"
