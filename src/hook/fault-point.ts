/**
 * The moments at which the fault suite kills a process of ours. A call is `globalThis.faultPoint?.('pump.taken')`: the build drops
 * it from the shipped binary, and only the suite's own build (test/faults/main.ts) puts something behind it.
 */
export type FaultPoint =
  /** The hook: started, its payload read, its record written, about to start a pump. */
  | 'hook.begin'
  | 'hook.read'
  | 'hook.written'
  | 'hook.pump'
  /** The wrapper: claude started, folder made, run.json written, pump open, claude ended, about to close the pump. */
  | 'wrap.started'
  | 'wrap.folder'
  | 'wrap.context'
  | 'wrap.open'
  | 'wrap.ended'
  | 'wrap.close'
  /** Whoever owns a run: the spool about to be read, read, its records in the journal, its files removed. */
  | 'pump.take'
  | 'pump.taken'
  | 'journal.append'
  | 'journal.torn'
  | 'journal.appended'
  | 'pump.removed'
  /** A batch about to leave, accepted, acknowledged on disk. */
  | 'export.begin'
  | 'export.sent'
  | 'export.acked'
  /** The run about to go, half gone; a dead owner's place about to be taken. */
  | 'run.remove'
  | 'run.removing'
  | 'run.replace'

declare global {
  /** `first` is what has happened by then of something that is not done in one step. */
  var faultPoint: ((name: FaultPoint, first?: () => void) => void) | undefined
}
