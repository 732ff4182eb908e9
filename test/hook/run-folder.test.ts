/** Where a hook's record goes, from the environment alone. */
import { describe, expect, test } from 'bun:test'
import { runFolder, stateFolder, wrapperOf } from '../../src/hook/run-folder.ts'

describe('the state folder', () => {
  test.each([
    ['CLAUDE_OTEL_HOME before all others', { CLAUDE_OTEL_HOME: '/own', XDG_STATE_HOME: '/xdg', HOME: '/home' }, '/own'],
    ['then XDG_STATE_HOME', { XDG_STATE_HOME: '/xdg', HOME: '/home' }, '/xdg/claude-otel'],
    ['but not a relative one', { XDG_STATE_HOME: 'xdg', HOME: '/home' }, '/home/.local/state/claude-otel'],
    ['then the home folder', { HOME: '/home' }, '/home/.local/state/claude-otel'],
    ['on Windows the local application data', { LOCALAPPDATA: 'C:\\App', HOME: '/home' }, 'C:\\App\\claude-otel'],
    [
      'empty variables count as not set',
      { CLAUDE_OTEL_HOME: '', XDG_STATE_HOME: '', HOME: '/h' },
      '/h/.local/state/claude-otel',
    ],
    ['nowhere without any of them', {}, undefined],
  ])('is %s', (_, env, folder) => {
    expect(stateFolder(env)).toBe(folder)
  })
})

describe('the run folder', () => {
  test('is the one that the wrapper named', () => {
    expect(runFolder({ CLAUDE_OTEL_RUN: '/runs/1', CLAUDE_OTEL_HOME: '/own', CLAUDE_PID: '7' }, 8)).toBe('/runs/1')
  })

  test('is one for the claude process when nobody wrapped it', () => {
    expect(runFolder({ CLAUDE_OTEL_HOME: '/own', CLAUDE_PID: '7' }, 8)).toBe('/own/runs/claude-7')
    expect(runFolder({ CLAUDE_OTEL_RUN: '', HOME: '/h', CLAUDE_PID: '7' }, 8)).toBe(
      '/h/.local/state/claude-otel/runs/claude-7',
    )
  })

  test('is one for the parent process when claude does not name itself', () => {
    expect(runFolder({ CLAUDE_OTEL_HOME: '/own' }, 8)).toBe('/own/runs/claude-8')
  })

  test('is none without a home', () => {
    expect(runFolder({ CLAUDE_PID: '7' }, 8)).toBeUndefined()
  })
})

describe('the wrapper that a run is named after', () => {
  test('is told by its process id', () => {
    expect(wrapperOf('/own/runs/1795000000000000-4711-abcdef01')).toBe(4711)
  })

  test.each(['/own/runs/claude-7', '/own/runs/x', ''])('is nobody for %j', (run) => {
    expect(wrapperOf(run) > 0).toBe(false)
  })
})
