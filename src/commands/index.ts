/** The table of commands: name to what it is for and where it is loaded from. */
import type { Command } from './command.ts'
import type { CommandName } from './route.ts'

interface Entry {
  readonly description: string
  /** Started by our own parts; not shown in the help. */
  readonly isInternal?: boolean
  load(): Promise<Command>
}

export const commands: Readonly<Record<CommandName, Entry>> = {
  backfill: {
    description: 'take usage from the transcripts that Claude Code has kept',
    load: async () => (await import('./backfill.ts')).default,
  },
  chat: {
    description: 'talk to claude in the terminal, turn by turn, by the Agent SDK',
    load: async () => (await import('./chat.ts')).default,
  },
  completion: {
    description: 'print what completes our commands and flags in bash, zsh or fish',
    load: async () => (await import('./completion.ts')).default,
  },
  copy: {
    description: 'move what the hub has kept in SQLite into ClickHouse',
    load: async () => (await import('./copy.ts')).default,
  },
  drain: {
    description: 'send what earlier runs could not',
    load: async () => (await import('./drain.ts')).default,
  },
  env: {
    description: 'print the variables that make plain Claude Code send its own telemetry',
    load: async () => (await import('./env.ts')).default,
  },
  help: {
    description: 'tell of a topic: settings, privacy, reliability, hooks, rich, hub, troubleshooting',
    load: async () => (await import('./topics.ts')).default,
  },
  hook: {
    description: 'record a hook event from stdin: the hook command in settings.json',
    // main.ts has answered it before anything else is loaded.
    load: () => Promise.reject(new Error('a hook is not a command of the command line')),
  },
  hooks: {
    description: 'add, remove or list our hooks in Claude Code’s settings: recording without the wrapper',
    load: async () => (await import('./hooks.ts')).default,
  },
  hub: {
    description: 'the hub in the background, until nobody needs it',
    isInternal: true,
    load: async () => (await import('./hub.ts')).default,
  },
  pump: {
    description: 'empty the spool of a run until its claude has exited',
    isInternal: true,
    load: async () => (await import('./pump.ts')).default,
  },
  run: {
    description: 'run one prompt by the Agent SDK and print the answer',
    load: async () => (await import('./run.ts')).default,
  },
  serve: {
    description: 'the hub: receive OTLP, keep it, count what Claude Code uses, show it',
    load: async () => (await import('./serve.ts')).default,
  },
  stack: {
    description: 'ClickHouse, a Collector, Loki and Grafana as containers: init, up, down, status, logs',
    load: async () => (await import('./stack.ts')).default,
  },
  status: {
    description: 'show what is set up, whether it works, what was sent, what waits, and what to mend',
    load: async () => (await import('./status.ts')).default,
  },
  statusline: {
    description: 'print context, cost and burn for Claude Code’s status line',
    load: async () => (await import('./statusline.ts')).default,
  },
  usage: {
    description: 'tell what was used and what it cost',
    load: async () => (await import('./usage.ts')).default,
  },
}
