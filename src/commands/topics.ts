/** `claude-otel help [topic]`: what somebody at a terminal wants to know of one thing; the README has the rest. */
import { Failure } from '../base/errors.ts'
import { nearest } from '../config/suggest.ts'
import { defineOurCommand } from './command.ts'
import { renderHelp } from './help.ts'

const topics: Readonly<Record<string, string>> = {
  settings: `Settings come from five places; the first that says something decides:
  flags (--otel-endpoint …), CLAUDE_OTEL_* variables, OTEL_* variables, your config file, the defaults.

  claude-otel --config      every setting, its value and where it came from; mistakes with their mend
  claude-otel status        whether what they name answers

The config file is JSON, comments allowed; --config names its path. Keys are nested:
  { "export": { "endpoint": "https://collector.example.com:4318", "protocol": "http/protobuf" } }
Port 4317 is gRPC, 4318 is HTTP. With no endpoint at all, sessions go to the hub on this machine.`,

  privacy: `Of prompts, answers and tool texts only the beginning leaves (CLAUDE_OTEL_PREVIEW_LENGTH, 0 for nothing), and known
secrets are masked before anything is written or sent.

  CLAUDE_OTEL_CONTENT=all              texts whole, masked all the same
  CLAUDE_OTEL_REDACT_PATTERNS=…        more to mask
  CLAUDE_OTEL_REDACT_ALLOW=…           what is never masked
Each destination can have rules of its own, which are never wider than what was kept.
What is kept on disk until it is sent is readable by you alone, and removed once it is delivered.`,

  reliability: `Everything is written to a private journal before it is sent, so a collector that is away, a kill -9 or a reboot loses
nothing: the next session or drain sends it, once.

  claude-otel status        what was delivered, what waits, what was dropped, and why
  claude-otel drain         send what waits, now
CLAUDE_OTEL_STORAGE_SIZE and CLAUDE_OTEL_STORAGE_AGE bound what may wait. claude itself never waits for a collector but at its
end, and then at most CLAUDE_OTEL_EXIT_TIMEOUT.`,

  hooks: `Without the wrapper: hooks in Claude Code's settings record every claude, also of IDEs and the Agent SDK.

  claude-otel hooks add                  in your own settings; --project or --local for this folder
  claude-otel hooks add --dry-run        what would change
  claude-otel hooks add --save-config    and what the environment says now, into your config file
  claude-otel hooks list                 where they are
  claude-otel hooks remove               out again; the file as it was, if nobody has changed it
Hooks never see OTEL_* variables: configure them by the config file. After the program has moved, add again.
Under the wrapper a session is recorded once, hooks or not. With --output-format stream-json claude tells of SessionStart hooks.`,

  rich: `Claude by the Agent SDK, for people who want to see: the same telemetry, without hooks that are processes.

  claude-otel run "…"                    one prompt; the answer on stdout, what goes on on stderr
  claude-otel chat                       turn by turn, with one context; /help in it lists its commands
  claude-otel --use-sdk -p "…"           as run, with claude's own words
NO_COLOR, CI, TERM=dumb and --plain leave words alone. All flags are claude's.`,

  hub: `The hub is a collector with a memory and a live dashboard on this machine. A session that has nowhere else to send to starts
it in the background; it ends when nobody has used it for half an hour (CLAUDE_OTEL_HUB_IDLE).

  claude-otel serve                      in the foreground; --stop ends the one that runs
  claude-otel usage week                 tokens and cost by day, week, session, model or project
  claude-otel backfill                   usage from transcripts of before
  eval "$(claude-otel env)"              a plain claude sends its own telemetry there
CLAUDE_OTEL_HUB=off does without.`,

  troubleshooting: `When nothing arrives:

  claude-otel status             settings, claude, hooks, destinations tried out now, and what to mend
  claude-otel status --send      a test span, log record and metric to each destination
  claude-otel --claude-otel-debug …   a line after exit, a log, and all signals in a local file
Sessions that cannot be recorded: claude --bare, --safe-mode and CLAUDE_CODE_SIMPLE=1 run no hooks from anywhere;
disableAllHooks in any settings file switches all off; managed settings may allow only their own.
Hooks alone never see OTEL_* variables; a settings file with comments is not loaded by Claude Code at all.
A proxy (HTTPS_PROXY) stands between you and the collector unless NO_PROXY names it; a certificate of your own CA wants
OTEL_EXPORTER_OTLP_CERTIFICATE.`,
}

export const topicNames = Object.keys(topics)

export default defineOurCommand({
  meta: { name: 'help', description: `Tell of a topic: ${topicNames.join(', ')}.` },
  words: topicNames,
  args: { topic: { type: 'positional', required: false, description: `${topicNames.join(', ')}.` } },
  async run({ args }) {
    process.stdout.write(args.topic === undefined ? renderHelp() : `${textOf(args.topic)}\n`)
  },
})

function textOf(topic: string): string {
  if (Object.hasOwn(topics, topic)) return topics[topic] ?? ''
  const meant = nearest(topic, topicNames)
  const hint = meant === undefined ? `there are: ${topicNames.join(', ')}` : `did you mean ${meant}?`
  throw new Failure('usage', `there is no help on "${topic}"`, hint)
}
