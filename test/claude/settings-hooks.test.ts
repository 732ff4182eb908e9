/** Our hooks in the text of a settings file: what is not ours stays, character by character. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseJsonc } from '../../src/base/jsonc.ts'
import { hookHandler, ourExecutable, registeredEvents } from '../../src/claude/hook-command.ts'
import { putHooks, takeHooks } from '../../src/claude/settings-hooks.ts'

const executable = '/opt/my tools/claude-otel'
const all = handlers(executable)

function handlers(path: string, events: readonly string[] = registeredEvents) {
  return Object.fromEntries(events.map((event) => [event, hookHandler(path, event)]))
}

const put = (text: string, ours = all) => putHooks(text, ours, 'settings.json')
const take = (text: string) => takeHooks(text, 'settings.json')

function parse(text: string): Record<string, unknown> {
  const parsed = parseJsonc(text)
  if ('problem' in parsed) throw new Error(`${parsed.problem}\n${text}`)
  return parsed.value as Record<string, unknown>
}

const written = `{
  // Mine, and not to be lost.
  "model": "opus", /* really */
  "hooks": {
    // Before every command.
    "PreToolUse": [
      { "matcher": "Bash", "hooks": [{ "type": "command", "command": "mine.sh" }] }, // the first
    ],
    "Stop": [ { "hooks": [ {"type":"command","command":"ding"} ] } ],
  },
  "permissions": { "allow": ["Bash(ls:*)"] }, // the end
}
`

describe('hooks that are put into settings', () => {
  test('stand beside those of the user, whose words all stay', () => {
    const text = put(written)
    const { hooks, ...rest } = parse(text)
    const { hooks: theirs, ...others } = parse(written)
    expect(rest).toEqual(others)
    expect(Object.keys(hooks as object).sort()).toEqual([...registeredEvents].sort())
    expect((hooks as { PreToolUse: unknown[] }).PreToolUse).toEqual([
      ...(theirs as { PreToolUse: unknown[] }).PreToolUse,
      { hooks: [all.PreToolUse] },
    ])
    // Every line of theirs is there, and in their order; commas and ours come to stand behind some.
    let at = 0
    for (const line of written.split('\n').map((each) => each.replace(/(?: \])?,$/, ''))) {
      const found = text.indexOf(line, at)
      expect(found, `"${line}" in\n${text}`).toBeGreaterThanOrEqual(at)
      at = found
    }
  })

  test('change nothing when they are there already', () => {
    const once = put(written)
    expect(put(once)).toBe(once)
  })

  test('of a binary that has moved are mended where they stand', () => {
    const moved = put(put(written), handlers('/usr/local/bin/claude-otel'))
    expect(moved).not.toContain('my tools')
    expect(moved.replaceAll('/usr/local/bin/claude-otel', executable)).toBe(put(written))
  })

  test('are exactly the events that are asked for, whatever was there', () => {
    const few = put(put(written), handlers(executable, ['Stop', 'SessionEnd']))
    expect(few).not.toContain('SessionStart')
    expect(parse(few)).toEqual(parse(put(written, handlers(executable, ['Stop', 'SessionEnd']))))
  })

  test('take the place of those that were written by hand, also of doubles', () => {
    const byHand = (args: string[]) => ({ hooks: [{ type: 'command', command: '/old/claude-otel', args }] })
    const shell = { hooks: [{ type: 'command', command: "'/old place/claude-otel' hook Stop" }] }
    const text = JSON.stringify({
      hooks: { PreToolUse: [byHand(['hook', 'pre']), byHand(['hook', 'PreToolUse'])], Stop: [shell], Setup: [shell] },
    })
    expect(parse(put(text)).hooks).toEqual(
      Object.fromEntries(Object.entries(all).map(([event, handler]) => [event, [{ hooks: [handler] }]])),
    )
  })

  test('keep the manner of the text: tabs, line ends, a byte order mark', () => {
    const text = put('\uFEFF{\r\n\t"model": "opus"\r\n}\r\n')
    expect(text).toStartWith('\uFEFF{\r\n\t"model": "opus",\r\n\t"hooks": {\r\n\t\t"SessionStart": [')
    expect(text.replaceAll('\r\n', '')).not.toContain('\n')
  })

  test('make a whole file of none', () => {
    for (const text of ['', ' \n', '{}']) expect(parse(put(text))).toEqual(parse(put('{}\n')))
  })

  for (const [what, text, says] of [
    ['is cut', '{"model": "opus"', 'line 1: close brace expected'],
    ['has a mistake further down', '{\n"a": 1,\n"b" 2\n}', 'line 3: colon expected'],
    ['is a list', '[]', 'not a JSON object'],
    ['has hooks that are no object', '{"hooks": []}', '"hooks" is not an object'],
    ['has an event that is no list', '{"hooks": {"Stop": {}}}', '"hooks.Stop" is not a list'],
    ['says its hooks twice', '{"hooks": {"Stop": []}, "hooks": {"Stop": []}}', 'twice'],
  ] as const) {
    test(`are not put into a text that ${what}`, () => {
      expect(() => put(text)).toThrow(says)
    })
  }
})

describe('hooks that are taken out', () => {
  test('leave what was there, also where the user has changed it since', () => {
    const changed = put(written).replace('"opus"', '"sonnet"')
    expect(take(changed)).not.toContain('claude-otel')
    expect(parse(take(changed))).toEqual({ ...parse(written), model: 'sonnet' })
    for (const comment of written.match(/\/\/.*|\/\*.*?\*\//g) ?? []) expect(take(changed)).toContain(comment)
  })

  test('leave a group of the user to the user', () => {
    const mine = { type: 'command', command: 'mine.sh' }
    const text = JSON.stringify({ hooks: { Stop: [{ matcher: '', hooks: [mine, hookHandler(executable, 'Stop')] }] } })
    expect(parse(take(text))).toEqual({ hooks: { Stop: [{ matcher: '', hooks: [mine] }] } })
  })

  test('are nothing to a text that has none', () => {
    expect(take(written)).toBe(written)
    expect(take('')).toBe('')
  })
})

test('whatever stands in the file, what is put in comes out again and nothing else changes', () => {
  const handler = fc.record({ type: fc.constant('command'), command: fc.string() })
  const group = fc.record(
    { matcher: fc.string(), hooks: fc.array(handler, { minLength: 1 }) },
    { requiredKeys: ['hooks'] },
  )
  const hooks = fc.dictionary(fc.constantFrom('Stop', 'PreToolUse', 'Setup', 'x y'), fc.array(group, { minLength: 1 }))
  const settings = fc.record(
    { model: fc.string(), env: fc.dictionary(fc.string(), fc.string()), hooks },
    { requiredKeys: [] },
  )
  const space = fc.constantFrom(undefined, 1, 2, '\t')
  fc.assert(
    fc.property(settings, space, fc.subarray([...registeredEvents], { minLength: 1 }), (value, indent, events) => {
      const text = JSON.stringify(value, null, indent)
      const added = put(text, handlers(executable, events))
      const removed = parse(take(added))
      const bare = (found: Record<string, unknown>) => ({ ...found, hooks: found.hooks ?? {} })
      expect(bare(removed)).toEqual(bare(parse(text)))
    }),
  )
})

describe('a handler', () => {
  test('names a path with spaces, quotes or backslashes so that it is known again', () => {
    for (const path of ['/opt/my tools/claude-otel', "/it's/claude-otel", 'C:\\Program Files\\claude-otel.exe']) {
      expect(ourExecutable(hookHandler(path, 'Stop'))).toBe(path)
      expect(ourExecutable(hookHandler(path, 'Stop', true))).toBe(path.replaceAll('\\', '/'))
    }
  })

  test('for a shell is called by one as it was meant', () => {
    for (const path of ['/it\'s "my" $HOME/claude-otel', '/usr/bin/claude-otel']) {
      const { command } = hookHandler(path, 'Stop', true)
      const said = Bun.spawnSync(['sh', '-c', `set -- ${command}; printf '%s|' "$@"`]).stdout.toString()
      expect(said).toBe(`${path}|hook|Stop|`)
    }
  })

  test('of somebody else is not ours', () => {
    for (const [command, args] of [
      ['/usr/bin/claude-otel', undefined],
      ['/usr/bin/claude-otel', ['drain']],
      ['/usr/bin/claude-otel', ['drain', '--json']],
      ['/usr/bin/otel', ['hook', 'Stop']],
      ['/usr/bin/claude-otel-not hook Stop; rm -rf x', undefined],
      ['echo claude-otel hook Stop', undefined],
    ] as const) {
      expect(ourExecutable({ type: 'command', command, args })).toBeUndefined()
    }
    expect(ourExecutable('claude-otel hook Stop')).toBeUndefined()
  })
})
