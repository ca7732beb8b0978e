#!/bin/sh
# A snapshot of an LVM volume, mounted for backups to read:
#
#   BACKUP_DATA_DIR=/srv/app/data              a folder on the volume vg/app
#   BACKUP_READ_DIR=/mnt/app-snapshot/data     the same folder in the snapshot
#   BACKUP_HOOK_STOPPED, BACKUP_HOOK_POST, BACKUP_HOOK_ON_ERROR: this script
#   (BACKUP_HOOK_PRE instead of _STOPPED where no instance is stopped)
set -eu
VOLUME=vg/app
SNAPSHOT=vg/app-snapshot
MOUNT=/mnt/app-snapshot
SIZE=5G # room for what is written to the volume while the backup runs

# One that an earlier run has left is too old to be read.
if mountpoint -q "$MOUNT"; then
    umount "$MOUNT"
fi
if lvs "$SNAPSHOT" >/dev/null 2>&1; then
    lvremove -y "$SNAPSHOT"
fi
case "$TARKEEP_HOOK" in
pre | stopped)
    lvcreate --snapshot --size "$SIZE" --name "${SNAPSHOT#*/}" "$VOLUME"
    mkdir -p "$MOUNT"
    mount "/dev/$SNAPSHOT" "$MOUNT" # XFS: mount -o nouuid
    ;;
esac
