# shellcheck shell=bash
# Downloads a release's artifact and verifies it against the SHA-256 that the release publishes.

DOWNLOADS="$ROOT/releases/.download" # in the same file system as the releases; emptied before and after

download() { # URL FILE BYTES
    local scheme="=https"
    [[ "$API" == https://* ]] || scheme="=http,https" # the operator chose a plain API
    # ulimit also bounds the file when the server sends no length.
    (
        ulimit -f "$(($3 / 1024 + 1))"
        curl --fail --silent --show-error --location --max-redirs 5 --proto "$scheme" --proto-redir "$scheme" \
            --globoff --connect-timeout 15 --speed-limit 1 --speed-time 30 --max-time "${DOWNLOAD_TIMEOUT_S:-480}" \
            --retry 3 --retry-delay 2 --retry-connrefused --max-filesize "$3" \
            --header "User-Agent: dunebugger-update-coordinator" --output "$2" --url "$1"
    )
}

# Sets ARTIFACT to the verified file and DIGEST to its digest. Changes only the download folder.
fetch_release() { # VERSION
    # shellcheck disable=SC2153  # TAG and ASSET come from component.env
    local tag="${TAG//'{version}'/$1}" asset="${ASSET//'{version}'/$1}" json="$DOWNLOADS/release.json"
    local lines=() url size sums
    rm -rf "$DOWNLOADS"
    mkdir -p "$DOWNLOADS"
    download "$API/repos/$REPOSITORY/releases/tags/$tag" "$json" "$((8 << 20))" ||
        die "cannot read release $tag of $REPOSITORY from $API; nothing was changed." \
            "Does it exist, and is the server reachable?"
    "$PYTHON" "$LIBRARY/release_asset.py" choose "$json" "$tag" "$asset" > "$DOWNLOADS/choice"
    mapfile -t lines < "$DOWNLOADS/choice"
    url="${lines[0]}" DIGEST="${lines[1]}" size="${lines[2]}" sums="${lines[3]}"
    if [[ -z "$DIGEST" ]]; then
        download "$sums" "$DOWNLOADS/SHA256SUMS" "$((1 << 20))" ||
            die "cannot download $sums; nothing was changed. Is the server reachable?"
        DIGEST="$("$PYTHON" "$LIBRARY/release_asset.py" sum "$DOWNLOADS/SHA256SUMS" "$asset")"
    fi
    ((size <= ${DOWNLOAD_BYTES:-268435456})) ||
        die "cannot download $asset: it has $size bytes, more than DOWNLOAD_BYTES=${DOWNLOAD_BYTES:-268435456};" \
            "raise the limit in component.env"
    phase download 10
    ARTIFACT="$DOWNLOADS/artifact"
    download "$url" "$ARTIFACT" "${DOWNLOAD_BYTES:-268435456}" ||
        die "cannot download $url; nothing was changed." \
            "Is the server reachable, and has $ROOT free space?"
    phase verify-download 30
    verify_artifact "$asset"
}

verify_artifact() { # NAME
    local found
    found="sha256:$(sha256sum "$ARTIFACT" | cut -d ' ' -f 1)"
    [[ "$found" == "$DIGEST" ]] ||
        die "cannot verify $1: its digest is $found, the release publishes $DIGEST; nothing was changed." \
            "It is damaged or was manipulated: repeat the update, then ask the publisher"
}
