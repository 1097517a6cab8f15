#!/usr/bin/env bash
# Sets up and runs the tests, each process on a virtual screen of its own.
# Usage: scripts/test.sh [pytest options]; QT_API=pyside6 tests the other Qt binding.
# Without options all tests run, in MMREG_WORKERS processes (default: one per core, at most 4).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh dev
pytest=("${MMREG_VENV:-.venv}/bin/python" -m pytest)
# Many small tests run fastest on one thread each; more threads than cores stall.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
many=(-n "${MMREG_WORKERS:-logical}" --maxprocesses 4 --dist loadfile --no-loadscope-reorder)

if command -v xvfb-run >/dev/null; then
    # The workers open screens themselves, see tests/screens.py: windows on one screen take each
    # other's focus.
    if [ $# = 0 ]; then exec "${pytest[@]}" -q "${many[@]}"; fi
    exec xvfb-run -a -s "-screen 0 1400x1000x24" "${pytest[@]}" "$@"
fi
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ "$(uname -s)" = Linux ]; then
    echo "test: no screen and no xvfb-run: install xvfb, or leave the GUI tests out with: scripts/test.sh -m 'not gui and not network'" >&2
    case " $* " in *"not gui"*) ;; *) exit 1 ;; esac
fi
if [ $# = 0 ]; then  # one screen: one process for all windows
    "${pytest[@]}" -q "${many[@]}" -m "not gui and not network"
    set -- -q -m "gui and not network"
fi
exec "${pytest[@]}" "$@"
