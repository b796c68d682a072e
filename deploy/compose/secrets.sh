#!/bin/sh
# Make what `docker compose` mounts as secrets, each once: what is there stays. Usage: secrets.sh FOLDER
# Others may not enter the folder; the files in it can be read, since the users of containers are other users.
set -eu
folder=$1
umask 022
mkdir -p "$folder"
chmod 700 "$folder"

once() {  # FILE COMMAND…: what the command prints, in a file that is whole or not there
    [ -e "$folder/$1" ] && return
    file=$folder/$1
    shift
    "$@" > "$file.new"
    mv "$file.new" "$file"
}

password() {
    python -c 'import secrets; print(secrets.token_urlsafe(24), end="")'
}

address() {  # ROLE PASSWORD_FILE
    printf 'postgresql://%s:%s@postgres/decisions' "$1" "$(cat "$folder/$2")"
}

once owner_password password
once service_password password
once grafana_password password
once owner_address address owner owner_password
once service_address address credit_scoring service_password
if [ ! -e "$folder/demo.key" ]; then
    rm -f "$folder/keys.toml"
    credit-scoring keys new demo --scope predict --scope outcomes --scope read --file "$folder/keys.toml" \
        > "$folder/demo.key.new" 2>/dev/null
    chmod 644 "$folder/keys.toml"
    mv "$folder/demo.key.new" "$folder/demo.key"
fi
