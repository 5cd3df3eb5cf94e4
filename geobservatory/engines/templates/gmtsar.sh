#!/usr/bin/env bash
# GMTSAR behind the engine `command`: gmtsar.sh INPUTS OUTPUTS WORK, or gmtsar.sh --version.
#
# Takes what geObservatory lays out (docs/engines.md) through GMTSAR's own p2p_processing.csh and
# proj_ra2ll.csh, and leaves phase.tif, coherence.tif and amplitude.tif in OUTPUTS. GMTSAR's phase
# grows where the ground moved away from the satellite. Unwrapping is left to geObservatory: SNAPHU
# is not free for every use, and not in Debian's main archive.
#
# GMTSAR 6.5 is packaged from Debian 13 on. On another system make a root of it (as root):
#
#     debootstrap --variant=minbase --include=gmtsar,jq,ghostscript trixie /opt/gmtsar
#
# and set GMTSAR_ROOT=/opt/gmtsar: the work is then done inside, the job's folder mounted on its
# /mnt for the time being.
set -euo pipefail

fail() { echo "gmtsar.sh: $*" >&2; exit 1; }
told() { echo "geobs: $1 % $2"; }

if [ -n "${GMTSAR_ROOT:-}" ]; then
    root=$GMTSAR_ROOT
    [ -x "$root/usr/bin/gmt" ] || fail "$root: no Debian root with GMTSAR (debootstrap, see above)"
    script=$(cat "$0")
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(--user --map-root-user)
    inside=(env -i "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" HOME=/tmp USER=geobs LC_ALL=C
        bash -c "$script" gmtsar.sh)
    if [ "${1:-}" = --version ]; then
        exec unshare "${as_root[@]}" --mount chroot "$root" "${inside[@]}" --version
    fi
    job=$(dirname "$1")
    for one in "$@"; do
        [ "$(dirname "$one")" = "$job" ] || fail "$one does not lie in $job"
    done
    # The mount is this namespace's own, and gone when the last process in it has ended.
    exec unshare "${as_root[@]}" --mount bash -c '
        mount --bind "$1" "$2/mnt" && shift && root=$1 && shift && exec chroot "$root" "$@"' \
        mount "$job" "$root" "${inside[@]}" \
        "/mnt/$(basename "$1")" "/mnt/$(basename "$2")" "/mnt/$(basename "$3")"
fi

for one in /usr/share/gmtsar/scripts /usr/local/GMTSAR/bin; do
    [ -d "$one" ] && PATH=$PATH:$one
done
for one in gmt jq p2p_processing.csh make_s1a_tops; do
    command -v "$one" >/dev/null || fail "$one is missing; on Debian 13: apt-get install gmtsar jq"
done
if [ "${1:-}" = --version ]; then
    echo "GMTSAR $(dpkg-query -W -f '${Version}' gmtsar 2>/dev/null || echo '(not of Debian)'), GMT $(gmt --version)"
    exit 0
fi

[ $# = 3 ] || fail "call it with INPUTS OUTPUTS WORK"
inputs=$1 outputs=$2 work=$3
ask() { jq -er "$1" "$inputs/request.json"; }

# The image of a swath and its annotation, named as GMTSAR wants them: one stem.
stem() {
    local folder
    folder=$inputs/$(ask ".$1.products[0]")
    basename "$(find "$folder/annotation" -maxdepth 1 -name "s1?-${2,,}-slc-${polarisation,,}-*.xml")" .xml
}

# Link image, annotation and orbit of a pass where p2p_processing.csh looks for them.
lay() {
    local folder orbit
    folder=$inputs/$(ask ".$1.products[0]")
    orbit=$(ask ".$1.orbit") || fail "no orbit file for the $1: GMTSAR needs one (orbits.fetch)"
    [ -r "$folder/measurement/$2.tiff" ] || fail "$folder/measurement/$2.tiff cannot be read in here"
    ln -sf "$folder/annotation/$2.xml" "$folder/measurement/$2.tiff" raw/
    ln -sf "$inputs/$orbit" "raw/$2.EOF"
}

set_parameter() { sed -i "s/^$1 *=.*/$1 = $2/" "$3"; }

polarisation=$(ask .polarisation)
for which in reference secondary; do
    [ "$(ask ".$which.products | length")" = 1 ] ||
        fail "the $which has several slices; this template takes one (create_frame_tops.csh joins them)"
done
export USER=${USER:-geobs} HOME=$work
cd "$work"
gmt grdconvert "$inputs/dem.tif" -Gdem.grd
ask '.swaths[]' > swaths
mapfile -t swaths < swaths

: > filelist
done=0
for swath in "${swaths[@]}"; do
    part=F${swath#IW}
    mkdir -p "$part/raw" "$part/topo" && cd "$part"
    ln -sf ../../dem.grd raw/dem.grd && ln -sf ../../dem.grd topo/dem.grd
    one=$(stem reference "$swath") other=$(stem secondary "$swath")
    lay reference "$one" && lay secondary "$other"
    pop_config.csh S1_TOPS > config.txt
    set_parameter threshold_geocode 0 config.txt
    set_parameter threshold_snaphu 0 config.txt
    # The land mask would come from GMT's servers.
    set_parameter mask_water 0 config.txt
    told $((5 + 70 * done / ${#swaths[@]})) "aligning $swath"
    p2p_processing.csh S1_TOPS "$one" "$other" config.txt 2>&1 | while IFS= read -r line; do
        echo "$line"
        case $line in
            *DEM2TOPO_RA.CSH*START*) told $((5 + (70 * done + 25) / ${#swaths[@]})) "topography of $swath" ;;
            *INTF.CSH*START*) told $((5 + (70 * done + 50) / ${#swaths[@]})) "interferogram of $swath" ;;
        esac
    done
    # p2p_processing.csh ends with 0 whatever happened.
    made=$(find "$PWD/intf" -name phasefilt.grd 2>/dev/null | head -n 1)
    [ -n "$made" ] || fail "$swath: p2p_processing.csh left no interferogram; its errors are above"
    made=$(dirname "$made")
    [ "$(ask .filter 2>/dev/null || echo false)" = true ] || cp "$made/phase.grd" "$made/phasefilt.grd"
    prm() { echo "$1" | awk '{print "S1_" substr($1, 16, 8) "_" substr($1, 25, 6) "_F" substr($1, 7, 1) ".PRM"}'; }
    echo "$made/:$(prm "$one"):$(prm "$other")" >> "$work/filelist"
    ln -sf "../../topo/trans.dat" "$made/trans.dat"
    config=$PWD/config.txt
    done=$((done + 1))
    cd "$work"
done

if [ ${#swaths[@]} -gt 1 ]; then
    told 77 "merging swaths"
    rm -rf merge && mkdir merge && cd merge
    ln -s ../dem.grd . && ln -s "$made"/gauss_* .
    merge_unwrap_geocode_tops.csh ../filelist "$config"
    sed 's/phasefilt\.grd/display_amp.grd/' tmp_phaselist > tmp_amplitudelist
    merge_swath tmp_amplitudelist display_amp.grd
    made=$PWD
fi

told 80 "geocoding"
cd "$made"
rm -f raln.grd ralt.grd
# Angles must not be averaged where they leap from π to -π; their sine and cosine may.
gmt grdmath phasefilt.grd COS = cosine.grd
gmt grdmath phasefilt.grd SIN = sine.grd
for name in cosine sine corr display_amp; do
    proj_ra2ll.csh trans.dat "$name.grd" "${name}_ll.grd"
done
gmt grdmath sine_ll.grd cosine_ll.grd ATAN2 = phase_ll.grd
mkdir -p "$outputs"
while read -r name file; do
    gmt grdconvert "${name}_ll.grd" "$outputs/$file.tif=gd:GTiff"
done <<'END'
phase phase
corr coherence
display_amp amplitude
END
told 100 "done"
