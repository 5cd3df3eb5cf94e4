#!/usr/bin/env bash
# Check our graphs and parameter files with pyroSAR, in a virtual environment of its own beside the
# project's, because GDAL's Python bindings have to be built for the GDAL of the machine. On Debian
# as root what that takes is installed; elsewhere this says what is missing, and fails.
# Usage: tests/pyrosar/run.sh PYTHON-OF-THE-PROJECT
set -eu
cd "$(dirname "$0")/../.."
project=$1
own=.venv-pyrosar

built() {
    command -v gdal-config >/dev/null && command -v g++ >/dev/null && "$project" -c '
import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file())'
}

install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    export DEBIAN_FRONTEND=noninteractive
    { timeout 120 apt-get update && timeout 900 apt-get install -y --no-install-recommends \
        libgdal-dev g++ python3-dev; } >/dev/null 2>&1
}

built || { install && built; } || {
    echo "make: GDAL's bindings cannot be built here; on Debian: apt-get install libgdal-dev g++ python3-dev"
    exit 1
}
version=$(gdal-config --version)
if [ ! -x "$own/bin/python" ] || ! "$own/bin/python" -c 'import osgeo, pyroSAR' 2>/dev/null; then
    "$project" -m venv "$own"
    "$own/bin/pip" install --quiet -c constraints.txt numpy setuptools wheel
    "$own/bin/pip" install --quiet --no-build-isolation "gdal==$version"
    "$own/bin/pip" install --quiet -c constraints.txt pyroSAR pysqlite3-binary
fi
packages=$("$project" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
PYTHONPATH=".:$packages" exec "$own/bin/python" -m pytest -q -p no:cacheprovider tests/pyrosar/check.py
