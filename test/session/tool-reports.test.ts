/** What is told of a permission, and of the time that it took. */
import { describe, expect, test } from 'bun:test'
import { createToolCall } from '../../src/claude/tool-call.ts'
import { keeper, Story } from './story.ts'

const asked = (id: string) => ({ tool_name: 'Bash', tool_input: { command: `run ${id}` } })
const rejected = { text: 'The user does not want to proceed', bytes: 33, truncated: false }
const interrupt = { type: 'interrupt', whileRunning: true } as const

const announced = (id: string) => createToolCall({ name: 'Bash', useId: id, input: { command: `run ${id}` } }, keeper)

function waiting(): Story {
  return new Story().start().prompt('p1').pre('t1').hook('PermissionRequest', asked('t1')).wait(5000)
}

const decisions = (told: ReturnType<Story['tell']>) =>
  told.logs.filter(({ eventName }) => /permission\.(granted|denied)/.test(eventName)).map(({ eventName }) => eventName)

describe('a call for which a person was asked', () => {
  test('and that ran has its waiting apart from its running', () => {
    const told = waiting().post('t1', { duration_ms: 1000 }).stop().end().exit().tell()
    expect(told.tool('t1').attributes).toMatchObject({ duration_ms: 1000, permission_wait_ms: 4020 })
    expect(decisions(told)).toEqual(['claude.permission.granted'])
    expect(told.tool('t1').events.map(({ name }) => name)).toEqual(['permission.asked', 'permission.granted'])
  })

  test('and that they rejected did nothing but wait', () => {
    const told = waiting()
      .result('t1', { isError: true, denial: 'user-rejected', neverRan: true, message: rejected })
      .line({ type: 'interrupt', whileRunning: false })
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes).toMatchObject({
      'tool.status': 'denied',
      duration_ms: 0,
      permission_wait_ms: 5020,
    })
    expect(decisions(told)).toEqual(['claude.permission.denied'])
    expect(told.sum('claude.tool_call_duration_ms')).toBe(0)
  })

  test('and that they rejected is denied though the hook that tells of the question was lost', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .result('t1', { isError: true, denial: 'user-rejected', neverRan: true, message: rejected })
      .line({ type: 'interrupt', whileRunning: false })
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes['tool.status']).toBe('denied')
  })

  test('and that was interrupted while it ran was granted at a time that nobody knows', () => {
    const told = waiting()
      .result('t1', { isError: true, denial: 'user-rejected', message: rejected })
      .line(interrupt)
      .end()
      .exit()
      .tell()
    const { attributes } = told.tool('t1')
    expect(attributes['tool.status']).toBe('interrupted')
    expect([attributes.duration_ms, attributes.permission_wait_ms]).toEqual([undefined, undefined])
    expect(decisions(told)).toEqual(['claude.permission.granted'])
  })

  test('and that claude did not live to decide on was neither granted nor denied', () => {
    const told = waiting().exit({ signal: 'SIGKILL' }).tell()
    const { attributes, events } = told.tool('t1')
    expect(attributes['tool.status']).toBe('abandoned')
    expect([attributes.duration_ms, attributes.permission_wait_ms]).toEqual([undefined, undefined])
    expect(decisions(told)).toEqual([])
    expect(events.map(({ name }) => name)).toEqual(['permission.asked'])
  })

  test('begins no later than the question, though its PreToolUse was stamped after it', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('PreToolUse', { tool_name: 'Read', tool_input: {}, tool_use_id: 't0' })
      .message('m1', { stopReason: 'tool_use', tools: [announced('t1')] })
      .hook('PermissionRequest', asked('t1'))
      .pre('t1')
      .exit({ signal: 'SIGKILL' })
      .tell()
    const [log] = told.log('claude.permission.asked')
    expect(told.tool('t1').startUnixMicro).toBeLessThanOrEqual(log?.timeUnixMicro ?? 0)
  })
})

describe('a question', () => {
  test('belongs to the call of the agent that asks, though another agent makes the same call', () => {
    const agent = (id: string) => ({ agent_id: id, agent_type: 'explorer' })
    const same = { tool_input: { command: 'the same' } }
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStart', agent('a1'))
      .hook('SubagentStart', agent('a2'))
      .pre('t1', { ...agent('a1'), ...same })
      .pre('t2', { ...agent('a2'), ...same })
      .hook('PermissionRequest', { tool_name: 'Bash', ...same, ...agent('a2') })
      .post('t1', { ...agent('a1'), ...same })
      .post('t2', { ...agent('a2'), ...same })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.log('claude.permission.asked').map(({ ref }) => ref.spanId)).toEqual([told.tool('t2').ref.spanId])
  })
})
