#!/bin/sh
# A snapshot of a Btrfs subvolume, for backups to read:
#
#   BACKUP_DATA_DIR=/srv/app/data              a folder in the subvolume /srv/app
#   BACKUP_READ_DIR=/srv/app-snapshot/data     the same folder in its snapshot
#   BACKUP_HOOK_STOPPED, BACKUP_HOOK_POST, BACKUP_HOOK_ON_ERROR: this script
#   (BACKUP_HOOK_PRE instead of _STOPPED where no instance is stopped)
set -eu
SUBVOLUME=/srv/app
SNAPSHOT=/srv/app-snapshot

# One that an earlier run has left is too old to be read.
if [ -e "$SNAPSHOT" ]; then
    btrfs subvolume delete "$SNAPSHOT"
fi
case "$TARKEEP_HOOK" in
pre | stopped)
    # Not read-only: SQLite opens the logs of databases in it.
    btrfs subvolume snapshot "$SUBVOLUME" "$SNAPSHOT"
    ;;
esac
