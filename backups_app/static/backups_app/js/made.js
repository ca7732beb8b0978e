/** When a backup was made: its metadata's time when that is readable, else the object's. */
export function madeAt(backup) {
  const stamp = backup.metadata?.timestamp;
  return stamp && !Number.isNaN(Date.parse(stamp)) ? stamp : backup.lastModified;
}
