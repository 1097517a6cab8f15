#!/usr/bin/env bash
# Sets up and runs the main job: registers two samples, prints their registration error, shows napari.
# Usage: scripts/demo.sh [FOLDER for the results, default mmreg-demo]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh all
exec "${MMREG_VENV:-.venv}/bin/mmreg" demo -o "${1:-mmreg-demo}"
