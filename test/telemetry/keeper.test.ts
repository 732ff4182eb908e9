/** What is kept of what comes in. */
import { describe, expect, test } from 'bun:test'
import { type ContentRule, defaultContent } from '../../src/telemetry/content.ts'
import { createKeeper } from '../../src/telemetry/keeper.ts'
import { createRedactor } from '../../src/telemetry/redact.ts'
import { restore } from '../../src/telemetry/summary.ts'

const token = `ghp_${'Ab1'.repeat(12)}`
const previews = (previewLength: number): ContentRule => ({ ...defaultContent, previewLength })
const whole = (...names: string[]): ContentRule => ({ previewLength: 5, whole: names, wholeLength: 1000 })

describe('a keeper', () => {
  test('cuts previews, and keeps whole what is wanted whole, masked both times', () => {
    const keeper = createKeeper({ rule: { previewLength: 10, whole: ['response.preview'], wholeLength: 100_000 } })
    const words = `${'word '.repeat(2000)}${token} end`
    expect(keeper.preview('prompt.preview', words)).toEqual({ text: 'word word ', bytes: 10_044, truncated: true })
    const { text, truncated } = keeper.preview('response.preview', words)
    expect(text.endsWith('word [REDACTED:github-token] end')).toBe(true)
    expect(truncated).toBe(false)
  })

  test('keeps single fields of a tool whole', () => {
    const keeper = createKeeper({ rule: whole('tool.input.command') })
    const { fields, text } = keeper.summarize('tool.input', { command: 'echo one two three', other: 'one two three' })
    expect(fields).toEqual({ command: 'echo one two three', other: 'one t' })
    // The line that says most of it is a preview.
    expect(text).toBe('echo ')
  })

  test('keeps texts for messages only where they are told for them, and only where somebody wants messages', () => {
    const keeper = createKeeper({ rule: whole('gen_ai.input.messages') })
    const kept = (of?: 'message') => [
      keeper.preview('prompt.preview', 'one two three', of).text,
      keeper.summarize('tool.input', { command: 'one two three' }, of).fields.command,
      keeper.summarize('tool.input', { command: 'one two three' }, of).text,
      keeper.summarize('tool.response', 'one two three', of).text,
    ]
    expect(kept()).toEqual(['one t', 'one t', 'one t', 'one t'])
    expect(kept('message')).toEqual(['one two three', 'one two three', 'one t', 'one two three'])
    const calls = createKeeper({ rule: whole('gen_ai.tool.call.arguments') })
    expect([keeper.keepsMessages, calls.keepsMessages]).toEqual([true, false])
    expect(calls.summarize('tool.input', { command: 'one two three' }).fields.command).toBe('one two three')
    expect(calls.preview('prompt.preview', 'one two three', 'message').text).toBe('one t')
    expect(['gen_ai.input.messages', 'gen_ai.output.messages'].map((name) => keeper.keeps(name as never))).toEqual([
      true,
      false,
    ])
  })

  test('says of fields which are JSON, so that a value can be had again', () => {
    const keeper = createKeeper({ rule: whole('all') })
    const value = { path: '/a', options: { deep: [1, 'x'] }, text: '{"not":"an object"}', limit: 5, on: true }
    const summary = keeper.summarize('tool.input', value)
    expect(summary.json).toEqual(['options'])
    expect(restore(summary)).toEqual(value)
    expect(restore(keeper.summarize('tool.response', [{ type: 'text', text: 'a' }]))).toEqual([
      { type: 'text', text: 'a' },
    ])
    expect(restore(keeper.summarize('tool.response', 'plain'))).toBe('plain')
    const cut = createKeeper({ rule: previews(10) }).summarize('tool.input', { options: { deep: 'long enough' } })
    expect(restore(cut)).toEqual({ options: '{"deep":"l' })
  })

  test('masks names of fields, texts deep inside, and values whose name says that they are secret', () => {
    const keeper = createKeeper({ rule: whole('all') })
    const summary = keeper.summarize('tool.input', {
      env: [{ name: 'DB_PASSWORD', value: 'swordfish' }, { deep: { api_key: 12_345_678, [token]: [`x ${token}`] } }],
      dbPassword: 'line one\nline "two"',
    })
    const json = JSON.stringify(summary)
    for (const secret of ['Ab1Ab1', 'swordfish', '12345678', 'line']) expect(json).not.toContain(secret)
    expect(summary.fields.env).toBe(
      '[{"name":"DB_PASSWORD","value":"[REDACTED:secret]"},{"deep":{"api_key":"[REDACTED:secret]","[REDACTED:github-token]":["x [REDACTED:github-token]"]}}]',
    )
  })

  test('keeps no more of a large or deep structure than it needs, in valid JSON before it is cut', () => {
    const keeper = createKeeper({ rule: { previewLength: 2000, whole: [], wholeLength: 0 } })
    const numbers = Array.from({ length: 100_000 }, (_, index) => index)
    const { text, truncated } = keeper.summarize('tool.response', { numbers })
    expect(text).toBe(JSON.stringify({ numbers }).slice(0, 2000))
    expect(truncated).toBe(true)
    let deep: unknown = 'bottom'
    for (let at = 0; at < 5000; at += 1) deep = [deep]
    expect(keeper.summarize('tool.response', { deep }).fields.deep).toMatch(/^\[+"…"\]+$/)
  })

  test('masks names and paths, and can tell the path itself to this process alone', () => {
    const keeper = createKeeper({})
    const path = `/home/dev/${token}/project`
    expect(keeper.maskPath(path)).toBe('/home/dev/[REDACTED:github-token]/project')
    expect(keeper.pathOf(keeper.maskPath(path))).toBe(path)
    expect(keeper.pathOf('/elsewhere')).toBe('/elsewhere')
    expect(keeper.mask('8e81773f-71a1-4f64-ae8c-306fb2dd89aa')).toBe('8e81773f-71a1-4f64-ae8c-306fb2dd89aa')
    expect(keeper.mask('x'.repeat(100_000))).toHaveLength(4096)
  })

  test('counts what it did, once', () => {
    const keeper = createKeeper({ rule: previews(100) })
    keeper.preview('prompt.preview', `${token} and ${token}, password=hunter22`)
    keeper.preview('prompt.preview', 'x'.repeat(101))
    expect(keeper.takeTally()).toEqual({ cut: 1, masked: { 'github-token': 2, secret: 1 } })
    expect(keeper.takeTally()).toBeUndefined()
    keeper.summarize('tool.input', { password: 'hunter22' })
    expect(keeper.takeTally()?.masked.secret).toBeGreaterThan(0)
  })

  test('masks by the user’s rules', () => {
    const redactor = createRedactor({ patterns: [], allow: [token], off: ['secret'] })
    const keeper = createKeeper({ redactor })
    expect(keeper.mask(`${token} password=hunter22`)).toBe(`${token} password=hunter22`)
    expect(keeper.summarize('tool.input', { password: 'hunter22' }).fields).toEqual({ password: 'hunter22' })
  })
})
