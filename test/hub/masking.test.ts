/** What the hub keeps of Claude Code's own telemetry has no secrets in it. */
import { describe, expect, test } from 'bun:test'
import { maskNative } from '../../src/hub/masking.ts'
import type { OtlpBatch, OtlpLogRecord, OtlpSpan } from '../../src/telemetry/otlp.ts'
import { createRedactor, defaultRedaction } from '../../src/telemetry/redact.ts'
import { plant } from '../privacy/secrets.ts'
import { readBatches, recordedCases } from '../usage/recorded.ts'

const { redact } = createRedactor(defaultRedaction)
const native = 'com.anthropic.claude_code.events'

function sourceOf(scopeName: string) {
  return { resource: { 'service.name': 'claude-code' }, scopeName, scopeVersion: '1', scopeAttributes: {} }
}

function logOf(scopeName: string, words: string): OtlpLogRecord {
  const attributes = {
    prompt: words,
    tool_parameters: JSON.stringify({ full_command: words }),
    list: [words, { nested: words }],
    'event.sequence': 7,
  }
  const times = { timeUnixMicro: 1, observedUnixMicro: 1 }
  return { source: sourceOf(scopeName), ...times, severityNumber: 9, eventName: 'x', body: words, attributes }
}

function spanOf(words: string): OtlpSpan {
  const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1, kind: 1, statusCode: 2 }
  const times = { startUnixMicro: 1, endUnixMicro: 2 }
  const events = [{ timeUnixMicro: 1, name: 'tool.output', attributes: { output: words } }]
  const said = { name: 'claude_code.tool', attributes: { user_prompt: words }, events, statusMessage: words }
  return { source: sourceOf('com.anthropic.claude_code.tracing'), ...ids, ...times, ...said, links: [] }
}

const textOf = (batch: OtlpBatch): string => JSON.stringify(batch)

describe('what Claude Code tells of itself', () => {
  test.each(plant(4))('is kept without the secret of kind $kind', ({ secret, text }) => {
    const logs = maskNative({ signal: 'logs', logs: [logOf(native, text)] }, redact)
    const traces = maskNative({ signal: 'traces', spans: [spanOf(text)] }, redact)
    const [start = ''] = secret.split('\n')
    for (const batch of [logs, traces]) expect(textOf(batch)).not.toContain(JSON.stringify(start).slice(1, -1))
  })

  test('is otherwise kept as it is', () => {
    const words = ' {"a": 1,  "b": "ordinary\\nwords"}'
    for (const each of [words, words.trim(), '[1, 2]', '{broken', ''])
      expect(maskNative({ signal: 'logs', logs: [logOf(native, each)] }, redact)).toEqual({
        signal: 'logs',
        logs: [logOf(native, each)],
      })
  })
})

test.each(recordedCases)('nothing of %s is taken for a secret', (name) => {
  for (const batch of readBatches(name)) expect(maskNative(batch, redact)).toEqual(batch)
})

test('what others tell is kept as it comes', () => {
  const secret = `ghp_${'Ab1'.repeat(12)}`
  const batch: OtlpBatch = { signal: 'logs', logs: [logOf('my.app', secret)] }
  expect(maskNative(batch, redact)).toEqual(batch)
})
