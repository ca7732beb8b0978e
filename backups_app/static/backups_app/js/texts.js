/** Every text of the page, in one place and in one language; times and numbers follow `locale`. */

export const words = {
  locale: "en-GB",
  justNow: "just now",
  today: "today",
  tonight: "tonight",
  tomorrow: "tomorrow",
  dayAt: (day, time) => `${day} at ${time}`,

  kinds: { backup: "Backup", restore: "Restore", verify: "Verification" },
  states: {
    PENDING: "Waiting",
    RUNNING: "Running",
    SUCCEEDED: "Done",
    FAILED: "Failed",
    CANCELLED: "Cancelled",
    LOST: "Lost",
  },
  triggers: {
    manual: "by hand",
    schedule: "by schedule",
    api: "over the API",
    admin: "from the admin",
    cli: "from the command line",
  },
  phases: {
    preparing: "Getting ready",
    scanning: "Looking through the folder",
    archiving: "Packing and sending",
    publishing: "Publishing",
    pruning: "Removing old backups",
    fetching: "Downloading and checking",
    swapping: "Putting the folder in place",
    finishing: "Finishing",
    reading: "Reading all of it",
  },
  phasesOf: {
    backup: ["preparing", "scanning", "archiving", "publishing", "pruning"],
    restore: ["preparing", "fetching", "swapping", "finishing"],
    verify: ["preparing", "reading"],
  },

  verdict: {
    title: (level, reason) =>
      `${{ good: "Protected", attention: "Attention", bad: "Not protected" }[level]}: ${reason}`,
    since: (last, next) =>
      `${last ? `last backup ${last}` : "no backup yet"}${next ? `, next ${next}` : ", none scheduled"}`,
    noneYet: { text: "there is no backup yet", hint: "Mend the settings named here first." },
    pressFirst: {
      text: "there is no backup yet",
      hint: "Press “Back up now” to make the first one.",
    },
    firstRunning: {
      text: "the first backup is still being made",
      hint: "Wait until it is done: until then nothing can be restored.",
    },
    old: (ago) => ({
      text: `the last backup was made ${ago}`,
      hint: "Press “Back up now”, then look at the history for why none was made since.",
    }),
    lastFailed: (message) => `the last try failed${message ? `: ${message}` : ""}`,
    noWorker: {
      text: "no worker is running",
      hint: "Backups wait until one is there. Start Tarkeep's worker again and look at its log for why it stopped.",
    },
    local: {
      text: "backups lie on this same machine",
      hint: `If this machine is lost, they are lost with it. Create a bucket elsewhere, then set ${[
        "BACKUP_S3_BUCKET",
        "BACKUP_S3_ACCESS_KEY",
        "BACKUP_S3_SECRET_KEY",
      ].join(
        ", ",
      )} (and BACKUP_S3_ENDPOINT for storage other than AWS) in the file .env, and start Tarkeep again.`,
    },
    scheduleOff: {
      text: "the schedule is off",
      hint: "Backups are made only when somebody asks. Set BACKUP_ENABLED=true in the file .env and start Tarkeep again.",
    },
    loading: "Looking up whether your data is safe…",
    unknown: (reason) => `Not known: ${reason}`,
    unknownSince: (ago) => `What is shown below is from ${ago}.`,
    signedOut: "You are signed out",
    signedOutHint: "Sign in again to see whether your data is safe.",
    forbidden: "Your account may not see this",
    forbiddenHint: "Ask an administrator for the right to see and make backups.",
    signIn: "Sign in",
    backUp: "Back up now",
    asking: "Asking…",
    tryAgain: "Try again",
  },

  facts: {
    title: "Settings in use",
    bucket: "Bucket",
    folder: "Data folder",
    schedule: "Schedule",
    kept: "Kept",
    keptValue: (number) => (number === 1 ? "the newest one" : `the newest ${number}`),
    encryption: "Encryption",
    on: "on",
    off: "off",
    notSet: "not set",
    scheduleValue: (line, zone) => `${line} (${zone})`,
    scheduleOff: "off",
    total: "In the bucket",
  },

  connection: {
    connecting: "Connecting…",
    live: "Live",
    polling: "Live updates lost: asking every few seconds, reconnecting",
    offline: "No answer from the service, trying again",
  },

  now: {
    title: "Now",
    idle: "Nothing is running.",
    unknown: "Not known.",
    loading: "Asking…",
    waiting: "Waiting for a worker to take it.",
    waitingAgain: (attempt) => `Try ${attempt} waits for a worker: the one before was lost.`,
    percent: (value) => `${Math.floor(value)} %`,
    progressLabel: (kind) => `${kind}: progress`,
    of: (done, total) => `${done} of ${total}`,
    data: "Data",
    sent: "Sent",
    files: "Files",
    rate: "Speed",
    perSecond: (size) => `${size}/s`,
    left: "Time left",
    leftValue: (time) => `about ${time}`,
    elapsed: "Running for",
    started: (trigger, who) => `started ${trigger}${who ? ` (${who})` : ""}`,
    cancel: "Cancel",
    cancelling: "Stopping at the next safe point…",
    stepDone: "done",
    warnings: (number) => (number === 1 ? "1 warning" : `${number} warnings`),
    warningsMore: (number) => `and ${number} more, see the log`,
    done: {
      backup: (size, time) => `Backup done: ${size} in ${time}.`,
      restore: (files, time) => `Restore done: ${files} files in ${time}.`,
      verify: (files, time) => `Backup verified: ${files} files read and sound, in ${time}.`,
    },
    safetyCopy: (path) =>
      `The folder as it was before is kept at ${path}. Delete it when you no longer need it.`,
    ended: {
      FAILED: "failed",
      CANCELLED: "was cancelled",
      LOST: "was lost: its worker disappeared",
    },
    endedAs: (kind, how, reason) => `${kind} ${how}${reason ? `: ${reason}` : "."}`,
    cancelled: {
      backup: "Nothing was published; earlier backups are untouched.",
      restore: "The data folder was not changed.",
      verify: "",
    },
    announce: (kind, phase) => `${kind}: ${phase}`,
  },

  cancel: {
    title: (kind) => `Cancel this ${kind.toLowerCase()}?`,
    backup: "What was sent so far is thrown away. Earlier backups stay as they are.",
    restore:
      "As long as the folder is not yet being put in place, your data folder stays as it is.",
    verify: "Nothing is changed. You can start it again at any time.",
    keep: "Keep it running",
    confirm: (kind) => `Cancel the ${kind.toLowerCase()}`,
  },

  backups: {
    title: "Backups",
    empty: "No backups yet",
    emptyHint: "The first one will appear here as soon as it is done.",
    failed: "The backups cannot be listed",
    loading: "Listing the backups…",
    columns: {
      made: "Made",
      size: "Size",
      dataSize: "Data",
      files: "Files",
      encrypted: "Encrypted",
      actions: "",
    },
    yes: "yes",
    no: "no",
    unknown: "–",
    foreign: "made elsewhere, nothing recorded about it",
    blocked: "Restoring and verifying wait until the running job has ended.",
    restore: "Restore…",
    verify: "Verify",
    restoreLabel: (time) => `Restore the backup of ${time}`,
    verifyLabel: (time) => `Verify the backup of ${time}`,
  },

  restore: {
    title: "Restore this backup?",
    backupOf: (time) => `Backup of ${time}`,
    steps: (folder) => [
      "The backup is downloaded and checked to its last byte. If anything is wrong with it, nothing is changed.",
      `Then the whole folder ${folder} is replaced by it. What was added or changed since is no longer in it.`,
      "The folder as it is now is kept beside it under another name, so you can go back.",
    ],
    stop: "If an application is using this folder, stop it first and start it again afterwards.",
    word: "restore",
    type: "To confirm, type",
    cancel: "Leave it as it is",
    confirm: "Restore",
  },

  history: {
    title: "History",
    empty: "Nothing has run yet",
    emptyHint: "Every backup, restore and verification will be listed here.",
    failed: "The history cannot be read",
    loading: "Reading the history…",
    columns: {
      what: "What",
      state: "State",
      began: "Started",
      took: "Took",
      moved: "Size",
      by: "Who",
    },
    attempt: (number) => `try ${number}`,
    details: "Details",
    phaseTimes: "Time in each phase",
    id: "Job",
    key: "Backup",
    error: "Error code",
    warnings: "Warnings",
  },

  pager: {
    range: (from, to, total) => `${from}–${to} of ${total}`,
    newer: "Newer",
    older: "Older",
    label: (title) => `${title}: pages`,
  },

  notice: { dismiss: "Close" },

  errors: {
    unreachable: {
      message: "The service does not answer",
      hint: "Check that Tarkeep is running and that this computer has a connection. This page keeps trying.",
    },
    unexplained: (status) => ({
      message: `The service answered ${status} without saying why`,
      hint: "Look at its log, logs/app.log, for the reason. This page keeps trying.",
    }),
  },

  tabTitle: {
    good: "Protected",
    attention: "Attention",
    bad: "Not protected",
    unknown: "Not known",
    running: (percent, kind) => `${percent === null ? "" : `${Math.floor(percent)} % `}${kind}`,
    product: "Tarkeep",
  },
};
