#!/bin/sh
# Writes the secrets of docker-compose.yml into a folder (./secrets unless another is named), each
# random, where it is not there yet. Run it again at any time: it never replaces one.
set -eu
umask 077
folder=${1:-secrets}
mkdir -p "$folder"
cd "$folder"

random() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
once() { [ -s "$1" ] || random >"$1"; }

[ -s encryption_key ] || new=yes
once postgres_password
once secret_key
once encryption_key
# For a bucket of your own, put its keys into these two files instead.
once s3_access_key
once s3_secret_key
[ -s database_url ] || printf 'postgresql://tarkeep:%s@postgres:5432/tarkeep' "$(cat postgres_password)" >database_url
[ -s seaweedfs.json ] || cat >seaweedfs.json <<END
{"identities": [{"name": "tarkeep",
  "credentials": [{"accessKey": "$(cat s3_access_key)", "secretKey": "$(cat s3_secret_key)"}],
  "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
END
echo "Secrets are in $PWD."
[ "${new:-}" != yes ] || echo "Keep a copy of encryption_key in another place: without it nobody can open the backups."
