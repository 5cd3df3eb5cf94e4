#!/usr/bin/env bash
# Run a command with what tests need beyond Python: GEOBS_TEST_DATABASE_URL naming a PostgreSQL that
# has PostGIS, so that the catalogue's tests run there too, Chromium for the pages, and GDAL's
# programs. On Debian as root all are installed; elsewhere this says which tests will be skipped.
set -u

start() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    if ! ls /usr/share/postgresql/*/extension/postgis.control >/dev/null 2>&1; then
        export DEBIAN_FRONTEND=noninteractive
        { timeout 120 apt-get update && timeout 400 apt-get install -y --no-install-recommends \
            postgresql postgresql-postgis; } >/dev/null 2>&1 || return 1
    fi
    local version port
    version=$(ls /usr/lib/postgresql | sort -n | tail -n 1) || return 1
    pg_lsclusters -h 2>/dev/null | grep -q "^$version *geobs " \
        || pg_createcluster "$version" geobs >/dev/null 2>&1 || return 1
    pg_ctlcluster "$version" geobs start >/dev/null 2>&1
    port=$(pg_lsclusters -h | awk -v v="$version" '$1 == v && $2 == "geobs" && $4 ~ /online/ {print $3}')
    [ -n "$port" ] || return 1
    # A server of its own, on loopback, for tests only: its password is no secret.
    (cd / && su postgres -c "psql -qp $port -c \"ALTER ROLE postgres PASSWORD 'geobs'\"") \
        >/dev/null 2>&1 || return 1
    GEOBS_TEST_DATABASE_URL="postgresql://postgres:geobs@127.0.0.1:$port/postgres"
    export GEOBS_TEST_DATABASE_URL
}

browser() {
    local name
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && return 0
    done
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    export DEBIAN_FRONTEND=noninteractive
    { timeout 120 apt-get update && timeout 600 apt-get install -y --no-install-recommends \
        chromium fonts-dejavu-core; } >/dev/null 2>&1
}

gdal() {
    command -v ogrinfo >/dev/null && return 0
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    export DEBIAN_FRONTEND=noninteractive
    { timeout 120 apt-get update && timeout 400 apt-get install -y --no-install-recommends \
        gdal-bin; } >/dev/null 2>&1
}

gdal || echo "make: no GDAL programs here and none could be installed: a test will be skipped"
browser || echo "make: no Chromium here and none could be installed: tests of pages will be skipped"
if [ -z "${GEOBS_TEST_DATABASE_URL:-}" ]; then
    start || echo "make: no PostGIS here and none could be installed: its test will be skipped"
fi
exec "$@"
