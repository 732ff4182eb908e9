/**
 * The single hub of this user: it owns the folder `hub/` of the state folder for as long as it lives, and says in `hub.json`
 * where it is. It takes that back when it ends: its number may be another process's then, and births are not known everywhere.
 */
import { rmSync } from 'node:fs'
import type { StatePaths } from '../base/paths.ts'
import { ensurePrivateFolder } from '../base/private-folder.ts'
import { version } from '../base/version.ts'
import { claimFolder, isFolderOurs, releaseFolder } from '../session/owner.ts'
import { birthOf } from '../session/processes.ts'
import { writeJsonFile } from '../session/run.ts'
import type { HubPlace, HubPresence } from './presence.ts'

export interface Registration {
  announce(at: HubPlace, isBackground: boolean): void
  /** False when the folder was taken away from below us: then nobody finds this hub any more. */
  isValid(): boolean
  release(): void
}

/** Undefined: another hub lives. The folder is made where it is missing. */
export function registerHub({ hub: folder, hubPresence }: StatePaths): Registration | undefined {
  ensurePrivateFolder(folder)
  if (!claimFolder(folder)) return undefined
  return {
    announce: (at, isBackground) => {
      const presence: HubPresence = { pid: process.pid, birth: birthOf(process.pid), version, isBackground, ...at }
      writeJsonFile(hubPresence, presence)
    },
    isValid: () => isFolderOurs(folder),
    release: () => {
      if (!isFolderOurs(folder)) return
      rmSync(hubPresence, { force: true })
      releaseFolder(folder)
    },
  }
}
