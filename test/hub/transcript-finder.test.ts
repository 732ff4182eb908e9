/** The transcript of a session on this machine, by the id that somebody sent. */
import { afterAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findPlace } from '../../src/hub/transcript-finder.ts'

const home = mkdtempSync(join(tmpdir(), 'claude-otel-finder-'))
afterAll(() => rmSync(home, { recursive: true }))

test('a transcript is found in the folder of any project, and nothing else is', () => {
  const projects = join(home, '.claude/projects')
  for (const folder of ['-a', '-b']) mkdirSync(join(projects, folder), { recursive: true })
  writeFileSync(join(projects, '-b/one.jsonl'), '')
  writeFileSync(join(home, '.claude/secret.jsonl'), '')
  const transcript = join(projects, '-b/one.jsonl')
  expect(findPlace({ HOME: home }, 'one')).toEqual({ transcript })
  const lines = [{ type: 'x', text: 'a "cwd":"/not/this"' }, { type: 'user', cwd: '/w "o" r\\k' }, { cwd: '/later' }]
  writeFileSync(transcript, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  expect(findPlace({ HOME: home }, 'one')).toEqual({ transcript, cwd: '/w "o" r\\k' })
  expect(findPlace({ HOME: '/nowhere', CLAUDE_CONFIG_DIR: join(home, '.claude') }, 'one')).toBeDefined()
  for (const id of ['two', '', '../../secret', '-b/one']) expect(findPlace({ HOME: home }, id)).toBeUndefined()
  expect(findPlace({}, 'one')).toBeUndefined()
  expect(findPlace({ HOME: '/nowhere' }, 'one')).toBeUndefined()
})
