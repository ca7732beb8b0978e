#!/bin/sh
# A clone of a ZFS snapshot, for backups to read:
#
#   BACKUP_DATA_DIR=/tank/app/data             a folder in the dataset tank/app
#   BACKUP_READ_DIR=/tank/app-snapshot/data    the same folder in the clone
#   BACKUP_HOOK_STOPPED, BACKUP_HOOK_POST, BACKUP_HOOK_ON_ERROR: this script
#   (BACKUP_HOOK_PRE instead of _STOPPED where no instance is stopped)
set -eu
DATASET=tank/app
CLONE=tank/app-snapshot

# One that an earlier run has left is too old to be read. -R takes the clone with it.
if zfs list -t snapshot "$DATASET@tarkeep" >/dev/null 2>&1; then
    zfs destroy -R "$DATASET@tarkeep"
fi
case "$TARKEEP_HOOK" in
pre | stopped)
    # A clone, as a snapshot is read-only: SQLite opens the logs of databases in it.
    zfs snapshot "$DATASET@tarkeep"
    zfs clone "$DATASET@tarkeep" "$CLONE"
    ;;
esac
