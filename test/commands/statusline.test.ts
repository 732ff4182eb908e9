/** The status line, by the compiled binary: what it makes of Claude Code's input, and that the user's own command keeps its place. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { BINARY, buildIfStale } from '../../scripts/build.ts'
import { parseStatusLine } from '../../src/claude/status-line.ts'
import { renderStatusLine } from '../../src/commands/statusline.ts'

beforeAll(buildIfStale, 60_000)

/** As Claude Code 2.1.329 tells it, shortened. */
const told = {
  session_id: '48a9ff1d-940a-499a-b34f-a3b5070cf7f3',
  cwd: '/home/dev/proj',
  model: { id: 'claude-opus-5-5', display_name: 'Opus 5.5' },
  cost: { total_cost_usd: 1.25, total_duration_ms: 900_000, total_api_duration_ms: 216 },
  context_window: {
    total_input_tokens: 3312,
    context_window_size: 200_000,
    current_usage: {
      input_tokens: 104,
      output_tokens: 44,
      cache_creation_input_tokens: 204,
      cache_read_input_tokens: 66_000,
    },
    used_percentage: 33,
  },
}

async function statusline(input: string, args: readonly string[] = [], more: Readonly<Record<string, string>> = {}) {
  const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent', ...more }
  const child = Bun.spawn([BINARY, 'statusline', ...args], {
    env,
    stdin: Buffer.from(input),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { stdout, stderr, code: await child.exited }
}

describe('the status line', () => {
  test('tells model, context, cost and burn', async () => {
    expect(await statusline(JSON.stringify(told), ['--plain'])).toEqual({
      stdout: 'Opus 5.5 · context 33 % of 200k · $1.25 · $5.00/h\n',
      stderr: '',
      code: 0,
    })
  })

  test('warns by colour when the context fills up, unless colours are not wanted', async () => {
    const full = structuredClone(told)
    full.context_window.current_usage.cache_read_input_tokens = 190_000
    const [colours, none] = await Promise.all([
      statusline(JSON.stringify(full)),
      statusline(JSON.stringify(full), [], { NO_COLOR: '1' }),
    ])
    expect(colours.stdout).toContain('\u001b[31mcontext 95 % of 200k\u001b[0m')
    expect(none.stdout).not.toContain('\u001b')
  })

  test('lets the user’s own command speak first, with the same input', async () => {
    const { stdout } = await statusline(JSON.stringify(told), ['--plain', '--with', 'cut -c 1-14'])
    expect(stdout).toBe('{"session_id":\nOpus 5.5 · context 33 % of 200k · $1.25 · $5.00/h\n')
  })

  test.each([
    ['fails', 'echo half; exit 1'],
    ['takes too long', 'sleep 30'],
    ['is not there', 'no-such-program'],
    ['leads back to us', `${BINARY} statusline --plain --with 'echo round'`],
  ])('is told without a command of the user’s that %s', async (what, command) => {
    const { stdout, code } = await statusline(JSON.stringify(told), ['--plain', '--with', command])
    const line = 'Opus 5.5 · context 33 % of 200k · $1.25 · $5.00/h\n'
    expect({ stdout, code }).toEqual({ stdout: what === 'leads back to us' ? line + line : line, code: 0 })
  })

  test.each(['', 'words', '[]', '{}', '{"model":7,"cost":null,"context_window":[]}'])(
    'of %p is empty',
    async (input) => {
      expect(await statusline(input)).toEqual({ stdout: '\n', stderr: '', code: 0 })
    },
  )

  test('says what it knows where something is missing', () => {
    const line = (more: object) => renderStatusLine(parseStatusLine(JSON.stringify(more)) ?? {})
    expect(line({ model: { id: 'm' } })).toBe('m')
    expect(line({ context_window: { used_percentage: 4 } })).toBe('context 4.0 %')
    expect(line({ cost: { total_cost_usd: 0.004, total_duration_ms: 2000 } })).toBe('$0.00')
    expect(line({ context_window: { context_window_size: 1_000_000, current_usage: { input_tokens: 1000 } } })).toBe(
      'context 0.1 % of 1M',
    )
  })
})
