/** What becomes of a session, told as small stories. */
import { describe, expect, test } from 'bun:test'
import { createToolCall, createToolResponse } from '../../src/claude/tool-call.ts'
import { begin, keeper, lasted, type run, Story, usage } from './story.ts'

const agentTool = (description = 'a task') => ({ tool_name: 'Agent', tool_input: { description, prompt: 'go' } })
const inAgent = (agent: string) => ({ agent_id: agent, agent_type: 'explorer' })

describe('a tool call', () => {
  test('that succeeds lasts from its Pre to its Post, below its turn', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .wait(30)
      .post('t1', { duration_ms: 12 })
      .stop()
      .end()
      .exit()
      .tell()
    const tool = told.tool('t1')
    expect(tool.name).toBe('execute_tool Bash')
    expect(lasted(tool)).toBe(40)
    expect(tool.parent?.spanId).toBe(told.turn('p1').ref.spanId)
    expect(tool.attributes).toMatchObject({ 'tool.status': 'success', duration_ms: 12, permission_wait_ms: 0 })
    expect(tool.error).toBeUndefined()
    expect(told.turn('p1').parent?.spanId).toBe(told.session().ref.spanId)
  })

  test('beside others has its own time and its own result', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .pre('t2')
      .pre('t3')
      .post('t2')
      .failed('t3', 'Exit code 3\nbad')
      .post('t1')
      .batch({ t1: 'ok', t2: 'ok', t3: 'bad' })
      .stop()
      .end()
      .exit()
      .tell()
    expect(['t1', 't2', 't3'].map((id) => lasted(told.tool(id)))).toEqual([50, 20, 20])
    expect(told.tool('t3').attributes).toMatchObject({
      'tool.status': 'error',
      'error.type': 'exit_code',
      exit_code: 3,
    })
    expect(told.turn('p1').attributes['tools.total']).toBe(3)
    expect(told.session().attributes).toMatchObject({ 'tools.total': 3, 'tools.errors': 1, tool_names: 'Bash' })
  })

  test('whose Post is stamped before its Pre is told once, with the time that the tool says', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .post('t1', { duration_ms: 8 })
      .wait(-11)
      .pre('t1')
      .stop()
      .end()
      .exit()
      .tell()
    expect(lasted(told.tool('t1'))).toBe(8)
    expect(told.sum('claude.tool_calls_total')).toBe(1)
  })

  test('whose Post was lost is closed when its batch is known and no Post comes after it', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .batch({ t1: 'ok' })
      .wait(3000)
      .pre('t2')
      .post('t2')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes['tool.status']).toBe('success')
    expect(lasted(told.tool('t1'))).toBe(10)
    expect(told.spans.indexOf(told.tool('t1'))).toBeLessThan(told.spans.indexOf(told.tool('t2')))
  })

  test('whose Post comes after its batch is closed by the Post', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .batch({ t1: 'x' })
      .failed('t1', 'no')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes['tool.status']).toBe('error')
  })

  test('that ran out of time is a timeout', () => {
    const error = 'Exit code 143\nCommand timed out after 2m'
    const told = new Story().start().prompt('p1').pre('t1').failed('t1', error).stop().end().exit().tell()
    expect(told.tool('t1').attributes).toMatchObject({ 'tool.status': 'timeout', timeout: true, exit_code: 143 })
  })

  test('that never ran, because the tool is unknown, is an error of no duration', () => {
    const refused = '<tool_use_error>Error: No such tool available: Nope</tool_use_error>'
    const told = new Story().start().prompt('p1').batch({ t1: refused }).stop().end().exit().tell()
    expect(told.tool('t1').attributes).toMatchObject({ 'tool.status': 'error', 'error.type': 'tool_use_error' })
    expect(told.sum('claude.tools_in_flight')).toBe(0)
  })
})

test('a call whose input was changed before it ran tells what ran', () => {
  const story = new Story().start().prompt('p1').pre('t1')
  const told = story
    .post('t1', { tool_input: { command: 'changed' } })
    .stop()
    .end()
    .exit()
    .tell()
  expect(told.tool('t1').attributes).toMatchObject({ 'tool.input.command': 'changed', 'input.summary': 'changed' })
})

describe('a permission', () => {
  const ask = { tool_name: 'Bash', tool_input: { command: 'run t1' } }

  test('that was granted gives the time that a person took', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .hook('PermissionRequest', ask)
      .wait(4000)
      .post('t1', { duration_ms: 20 })
      .stop()
      .end()
      .exit()
      .tell()
    const { attributes, events } = told.tool('t1')
    expect(attributes).toMatchObject({ 'tool.status': 'success', duration_ms: 20, permission_wait_ms: 4000 })
    expect(events.map(({ name }) => name)).toEqual(['permission.asked', 'permission.granted'])
    const [granted, ...more] = told.log('claude.permission.granted')
    expect([granted?.attributes['permission.decision'], more]).toEqual(['granted', []])
  })

  test('that is asked for one of two parallel calls belongs to the one with the same input', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .pre('t2')
      .hook('PermissionRequest', ask)
      .wait(100)
      .post('t2')
      .post('t1')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').events).not.toEqual([])
    expect(told.tool('t2').events).toEqual([])
  })

  test('that a rule denied is known from the batch and the transcript', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .result('t1', { isError: true, denial: 'rule' })
      .batch({ t1: 'Permission to use Bash has been denied.' })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes).toMatchObject({
      'tool.status': 'denied',
      'permission.reason': 'rule',
      duration_ms: 0,
    })
    const [denied, ...more] = told.log('claude.permission.denied')
    expect([denied?.attributes['permission.decision'], more]).toEqual(['denied', []])
  })

  test('that a classifier denied has its reason', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .hook('PermissionDenied', { tool_name: 'Bash', tool_use_id: 't1', reason: 'Classifier unavailable' })
      .batch({ t1: 'denied' })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes).toMatchObject({
      'tool.status': 'denied',
      'permission.reason': 'Classifier unavailable',
    })
  })

  test('that nobody could be asked for, in -p, is denied even without a transcript', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .hook('PermissionRequest', ask)
      .batch({ t1: 'This command requires approval' })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes['tool.status']).toBe('denied')
  })

  test('that a person rejected in the dialog is denied, and the turn is interrupted', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .hook('PermissionRequest', ask)
      .wait(2000)
      .result('t1', { isError: true, denial: 'rejected' })
      .line({ type: 'interrupt', whileRunning: false })
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes['tool.status']).toBe('denied')
    expect(told.tool('t1').attributes.permission_wait_ms).toBeGreaterThanOrEqual(2000)
    expect(told.turn('p1').attributes['turn.status']).toBe('interrupted')
  })
})

describe('Esc', () => {
  test('while a tool runs interrupts it and the turn, at that time', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .wait(500)
      .result('t1', { isError: true, denial: 'rejected' })
      .line({ type: 'interrupt', whileRunning: true })
      .wait(60_000)
      .end('prompt_input_exit')
      .exit()
      .tell()
    expect(told.tool('t1').attributes).toMatchObject({ 'tool.status': 'interrupted', interrupted: true })
    expect(told.turn('p1').attributes['turn.status']).toBe('interrupted')
    expect(lasted(told.turn('p1'))).toBeLessThan(1000)
  })

  test('while the answer streams interrupts the turn', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .wait(500)
      .line({ type: 'interrupt', whileRunning: false })
      .prompt('p2')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.turns().map(({ attributes }) => attributes['turn.status'])).toEqual(['interrupted', 'completed'])
    expect(told.turn('p1').error).toBeDefined()
  })

  test('that no transcript tells of is noticed at the next prompt', () => {
    const told = new Story().start().prompt('p1').pre('t1').wait(900).prompt('p2').stop().end().exit().tell()
    expect(told.turn('p1').attributes['turn.status']).toBe('interrupted')
    expect(told.tool('t1').attributes['tool.status']).toBe('interrupted')
    expect(told.turn('p2').attributes['turn.status']).toBe('completed')
  })

  test('leaves the tools of a background agent alone', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStart', inAgent('a1'))
      .pre('t1', inAgent('a1'))
      .line({ type: 'interrupt', whileRunning: false })
      .post('t1', inAgent('a1'))
      .hook('SubagentStop', inAgent('a1'))
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes['tool.status']).toBe('success')
    expect(told.agent('a1').error).toBeUndefined()
  })
})

describe('a turn', () => {
  test('answers its prompt, and the next one the next', () => {
    const told = new Story()
      .start()
      .prompt('p1', 'one')
      .stop()
      .wait(5000)
      .prompt('p2', 'two')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.turns().map(({ attributes }) => [attributes['turn.index'], attributes['prompt.preview']])).toEqual([
      [1, 'one'],
      [2, 'two'],
    ])
    expect(told.turns().map(lasted)).toEqual([10, 10])
    expect(told.session().attributes).toMatchObject({ turns: 2, 'prompt.preview': 'one' })
    expect(told.sum('claude.turns_total', { outcome: 'completed' })).toBe(2)
  })

  test('without a prompt hook, as of !command, begins with what happens first', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .stop()
      .wait(1000)
      .during('p2')
      .message('m1')
      .pre('t1')
      .post('t1')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.turn('p2').attributes).toMatchObject({ 'prompt.source': 'unannounced', 'turn.status': 'completed' })
    expect(told.tool('t1').parent?.spanId).toBe(told.turn('p2').ref.spanId)
  })

  test('without a prompt hook, after one whose end nobody told, ends that one', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .wait(1000)
      .during('p2')
      .pre('t2')
      .post('t2')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.turn('p1').attributes['turn.status']).toBe('interrupted')
    expect(told.tool('t1').parent?.spanId).toBe(told.turn('p1').ref.spanId)
  })

  test('whose Stop a hook refused goes on as another turn of the same prompt', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .stop()
      .pre('t1')
      .post('t1')
      .stop({ stop_hook_active: true })
      .end()
      .exit()
      .tell()
    const [first, second] = told.turns()
    expect(told.turns()).toHaveLength(2)
    expect(first?.ref.spanId).not.toBe(second?.ref.spanId)
    expect(told.tool('t1').parent?.spanId).toBe(second?.ref.spanId)
    expect(second?.attributes['prompt.id']).toBe('p1')
  })

  test('is not opened again by a notification after its end', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .stop()
      .wait(60_000)
      .hook('Notification', { notification_type: 'idle_prompt', message: 'waiting' })
      .end()
      .exit()
      .tell()
    expect(told.turns()).toHaveLength(1)
    expect(told.log('claude.notification')[0]?.attributes['notification.type']).toBe('idle_prompt')
  })

  test('is not opened again by a Post or a batch that was stamped after its Stop', () => {
    const told = new Story().start().prompt('p1').pre('t1').stop().post('t1').batch({ t1: 'ok' }).end().exit().tell()
    expect(told.turns()).toHaveLength(1)
    expect(told.spans.filter(({ name }) => name.startsWith('execute_tool'))).toHaveLength(1)
  })

  test('is not opened again by a Pre that was stamped after its Stop, of a call that is over', () => {
    const tools = [createToolCall({ name: 'Bash', useId: 't1', input: { command: 'run t1' } }, keeper)]
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1', { stopReason: 'tool_use', tools })
      .result('t1', { isError: true, denial: 'permission-rule' })
      .stop()
      .pre('t1')
      .end()
      .exit()
      .tell()
    expect(told.turns()).toHaveLength(1)
  })

  test('that failed is an error with the failure’s type', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('StopFailure', { error: 'authentication_failed', last_assistant_message: 'Invalid API key' })
      .end()
      .exit({ code: 1 })
      .tell()
    expect(told.turn('p1').attributes).toMatchObject({ 'turn.status': 'error', 'error.type': 'authentication_failed' })
    expect(told.turn('p1').error?.message).toBe('Invalid API key')
  })

  test('that a finished background task began says so', () => {
    const told = new Story()
      .start()
      .prompt('p1', '<task-notification>\n</task-notification>')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.turn('p1').attributes['prompt.source']).toBe('task_notification')
  })
})

describe('a subagent', () => {
  test('whose start is stamped after its end is one all the same, and one that starts again is another', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('call', agentTool())
      .message('m1', {}, 'a1')
      .hook('SubagentStop', inAgent('a1'))
      .hook('SubagentStart', inAgent('a1'))
      .post('call', { ...agentTool(), ...response('a1') })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.agent('a1').error).toBeUndefined()
    const again = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStart', inAgent('a1'))
      .hook('SubagentStop', inAgent('a1'))
      .hook('SubagentStart', inAgent('a1'))
      .hook('SubagentStop', inAgent('a1'))
      .stop()
      .end()
      .exit()
      .tell()
    expect(again.agents('a1')).toHaveLength(2)
  })

  const response = (agentId: string) => ({ tool_response: { agentId, status: 'completed' } })

  test('in the foreground hangs below the call that started it, with its own tools', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('call', agentTool())
      .hook('SubagentStart', inAgent('a1'))
      .pre('t1', inAgent('a1'))
      .post('t1', inAgent('a1'))
      .entry({ k: 'agent', at: begin, session: 's1', agent: 'a1', toolUseId: 'call', description: 'a task' })
      .hook('SubagentStop', inAgent('a1'))
      .post('call', { ...agentTool(), ...response('a1') })
      .stop()
      .end()
      .exit()
      .tell()
    const agent = told.agent('a1')
    expect(agent.name).toBe('invoke_agent explorer')
    expect(agent.parent?.spanId).toBe(told.tool('call').ref.spanId)
    expect(agent.attributes['gen_ai.agent.description']).toBe('a task')
    expect(told.tool('t1').parent?.spanId).toBe(agent.ref.spanId)
    expect(told.session().attributes['subagents.total']).toBe(1)
  })

  test('in the background outlives its turn, and hangs below its call all the same', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('call', agentTool())
      .hook('SubagentStart', inAgent('a1'))
      .post('call', { ...agentTool(), ...response('a1') })
      .stop({ background_tasks: [{ id: 'a1' }] })
      .pre('t1', inAgent('a1'))
      .post('t1', inAgent('a1'))
      .hook('SubagentStop', inAgent('a1'))
      .prompt('p2', '<task-notification>')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.agent('a1').parent?.spanId).toBe(told.tool('call').ref.spanId)
    expect(told.agent('a1').endUnixMicro).toBeGreaterThan(told.turn('p1').endUnixMicro)
    expect(told.tool('t1').parent?.spanId).toBe(told.agent('a1').ref.spanId)
    expect(told.turn('p1').attributes['background_tasks.running']).toBe(1)
    expect(told.turns()).toHaveLength(2)
  })

  test('of a subagent hangs below the other’s call', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('outer', agentTool())
      .hook('SubagentStart', inAgent('a1'))
      .pre('inner', { ...agentTool(), ...inAgent('a1') })
      .hook('SubagentStart', inAgent('a2'))
      .pre('t1', inAgent('a2'))
      .post('t1', inAgent('a2'))
      .entry({ k: 'agent', at: begin, session: 's1', agent: 'a2', toolUseId: 'inner' })
      .hook('SubagentStop', inAgent('a2'))
      .post('inner', { ...agentTool(), ...inAgent('a1'), ...response('a2') })
      .entry({ k: 'agent', at: begin, session: 's1', agent: 'a1', toolUseId: 'outer' })
      .hook('SubagentStop', inAgent('a1'))
      .post('outer', { ...agentTool(), ...response('a1') })
      .stop()
      .end()
      .exit()
      .tell()
    const chain = [
      told.tool('t1'),
      told.agent('a2'),
      told.tool('inner'),
      told.agent('a1'),
      told.tool('outer'),
      told.turn('p1'),
    ]
    for (const [index, span] of chain.slice(0, -1).entries()) {
      expect(span.parent?.spanId).toBe(chain[index + 1]?.ref.spanId)
    }
  })

  test('whose beginning was not seen begins with its first event', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1', inAgent('a1'))
      .post('t1', inAgent('a1'))
      .hook('SubagentStop', inAgent('a1'))
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.agent('a1').parent?.spanId).toBe(told.turn('p1').ref.spanId)
    expect(told.tool('t1').parent?.spanId).toBe(told.agent('a1').ref.spanId)
  })

  test('that is told of before it begins gets its description', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('call', agentTool())
      .entry({
        k: 'agent',
        at: begin,
        session: 's1',
        agent: 'a1',
        agentType: 'planner',
        toolUseId: 'call',
        description: 'plan',
      })
      .hook('SubagentStart', { agent_id: 'a1' })
      .hook('SubagentStop', { agent_id: 'a1' })
      .post('call', agentTool())
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.agent('a1').name).toBe('invoke_agent planner')
    expect(told.agent('a1').parent?.spanId).toBe(told.tool('call').ref.spanId)
  })

  test('that goes on after its end is a second span', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStart', inAgent('a1'))
      .hook('SubagentStop', inAgent('a1'))
      .stop()
      .prompt('p2')
      .hook('SubagentStart', inAgent('a1'))
      .pre('t1', inAgent('a1'))
      .post('t1', inAgent('a1'))
      .hook('SubagentStop', inAgent('a1'))
      .stop()
      .end()
      .exit()
      .tell()
    const [first, second] = told.agents('a1')
    expect(told.agents('a1')).toHaveLength(2)
    expect(first?.parent?.spanId).toBe(told.turn('p1').ref.spanId)
    expect(told.tool('t1').parent?.spanId).toBe(second?.ref.spanId)
  })

  test('that a message wakes after its end begins again, below the call that woke it, with its own tokens', () => {
    const words = { stopReason: 'end_turn', text: { text: 'x', bytes: 1, truncated: false } }
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1', agentTool())
      .entry({ k: 'agent', at: begin, session: 's1', agent: 'a1', toolUseId: 't1' })
      .hook('SubagentStart', inAgent('a1'))
      .message('m1', words, 'a1')
      .hook('SubagentStop', inAgent('a1'))
      .post('t1', { ...agentTool(), tool_response: { agentId: 'a1' } })
      .pre('t2', { tool_name: 'SendMessage', tool_input: { to: 'a1' } })
      .post('t2', { tool_name: 'SendMessage', tool_input: { to: 'a1' }, tool_response: { resumedAgentId: 'a1' } })
      .wait(20)
      .message('m2', { ...words, usage: usage(20, 2) }, 'a1')
      .hook('SubagentStop', inAgent('a1'))
      .stop()
      .end()
      .exit()
      .tell()
    const [first, second] = told.agents('a1')
    expect([first, second].map((agent) => agent?.parent?.spanId)).toEqual([
      told.tool('t1').ref.spanId,
      told.tool('t2').ref.spanId,
    ])
    expect([first, second].map((agent) => agent?.attributes['tokens.input'])).toEqual([10, 20])
    expect(second?.name).toBe(first?.name ?? '')
  })

  test('that was seen before its call was lies within the call all the same, and its messages within it', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .entry({ k: 'agent', at: begin, session: 's1', agent: 'a1', toolUseId: 't1' })
      .message('m0', { tools: [createToolCall({ name: 'Agent', useId: 't1', input: {} }, keeper)] })
      .message('m1', {}, 'a1')
      .pre('t1', agentTool())
      .hook('SubagentStop', inAgent('a1'))
      .post('t1', { ...agentTool(), duration_ms: 5 })
      .stop()
      .end()
      .exit()
      .tell()
    const [agent, call] = [told.agent('a1'), told.tool('t1')]
    const [, chat] = told.chats().toSorted((a, b) => a.startUnixMicro - b.startUnixMicro)
    expect(call.startUnixMicro).toBeLessThanOrEqual(agent.startUnixMicro)
    expect(agent.startUnixMicro).toBeLessThanOrEqual(chat?.startUnixMicro ?? 0)
  })

  test('whose call was never seen hangs below its turn', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStart', inAgent('a1'))
      .entry({ k: 'agent', at: begin, session: 's1', agent: 'a1', toolUseId: 'never seen' })
      .hook('SubagentStop', inAgent('a1'))
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.agent('a1').parent?.spanId).toBe(told.turn('p1').ref.spanId)
  })

  test('whose last events are stamped after its SubagentStop keeps them', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStart', inAgent('a1'))
      .pre('t1', inAgent('a1'))
      .hook('SubagentStop', inAgent('a1'))
      .post('t1', inAgent('a1'))
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.agents('a1')).toHaveLength(1)
    expect(told.tool('t1').parent?.spanId).toBe(told.agent('a1').ref.spanId)
  })

  test('that only ends, as a compaction’s helper does, is none', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStop', { agent_id: 'h', agent_type: '' })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.session().attributes['subagents.total']).toBe(0)
  })

  test('counts its tokens for itself, its turn and the session', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStart', inAgent('a1'))
      .message('m1', { usage: usage(100, 20) }, 'a1')
      .hook('SubagentStop', inAgent('a1'))
      .message('m2', { usage: usage(7, 3) })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.agent('a1').attributes['tokens.total']).toBe(120)
    expect(told.turn('p1').attributes['tokens.total']).toBe(130)
    expect(told.session().attributes).toMatchObject({ 'tokens.total': 130, 'model_requests.total': 2 })
    expect(told.sum('claude.tokens_total', { 'claude.query_source': 'subagent' })).toBe(120)
  })
})

describe('a message of the model', () => {
  test('of several lines counts once, with its last usage and its text', () => {
    const text = { text: 'hi', bytes: 2, truncated: false }
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1', { usage: usage(10, 1), text })
      .message('m1', { usage: usage(10, 7, { thinking: 4 }) })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.chats()).toHaveLength(1)
    expect(told.chats()[0]?.attributes).toMatchObject({
      'tokens.output': 7,
      'gen_ai.usage.reasoning.output_tokens': 4,
      'gen_ai.response.id': 'm1',
      'gen_ai.system': 'anthropic',
    })
    const [response, ...more] = told.log('claude.assistant_response')
    expect([response?.body, response?.attributes['response.bytes'], more]).toEqual(['hi', 2, []])
    expect(told.sum('claude.tokens_total', { 'token.kind': 'output' })).toBe(7)
  })

  test('counts once when its lines come again later, as after a compaction', () => {
    const told = new Story().start().prompt('p1').message('m1').message('m2').message('m1').stop().end().exit().tell()
    expect(told.chats()).toHaveLength(2)
    expect(told.session().attributes['model_requests.total']).toBe(2)
  })

  test('by another model than before is a switch, told once', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1', { model: 'opus' })
      .message('m2', { model: 'sonnet' })
      .message('m3', { model: 'sonnet' })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.log('claude.model_switch').map(({ body }) => body)).toEqual(['opus → sonnet'])
  })

  test('after a switch that was announced tells no second one', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1', { model: 'opus' })
      .hook('PostModelSwitch', { from_model: 'opus', to_model: 'sonnet', source: 'command' })
      .message('m2', { model: 'sonnet' })
      .stop()
      .end()
      .exit()
      .tell()
    const switches = told.log('claude.model_switch').map(({ attributes }) => attributes)
    expect(switches).toMatchObject([{ 'model.from': 'opus', 'model.to': 'sonnet', 'model.source': 'command' }])
    expect(switches).toHaveLength(1)
    expect(told.session().attributes.model).toBe('sonnet')
  })

  test('that could not be had is a failed request, and its retries are errors', () => {
    const message = { text: '529 overloaded', bytes: 14, truncated: false }
    const told = new Story()
      .start()
      .prompt('p1')
      .line({ type: 'api-retry', status: 529, message, attempt: 1, retryInMs: 600 })
      .line({ type: 'api-failure', error: 'overloaded', status: 529, message, startUnixMicro: begin })
      .hook('StopFailure', { error: 'overloaded', last_assistant_message: 'overloaded' })
      .end()
      .exit({ code: 1 })
      .tell()
    expect(told.sum('claude.api_errors_total')).toBe(2)
    const retries = told.log('claude.api_error').filter(({ attributes }) => attributes['retry.attempt'] !== undefined)
    expect(retries.map(({ attributes }) => attributes)).toMatchObject([{ 'retry.attempt': 1, 'retry.delay_ms': 600 }])
    expect(told.chats()[0]?.error).toBeDefined()
    expect(told.session().attributes).toMatchObject({ 'api_errors.total': 2, 'model_requests.total': 0 })
  })
})

describe('the cost', () => {
  const cost = (totalUsd: number, input: number, model = 'opus') => ({
    totalUsd,
    models: { [model]: { usage: usage(input, 0), usd: totalUsd } },
  })

  test('of a new session is what claude states, and tokens without a message are an auxiliary request', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1', { usage: usage(100, 0) })
      .line({ type: 'cost', before: false, cost: cost(0.5, 130) })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.session().attributes).toMatchObject({ 'cost.usd': 0.5, 'tokens.input': 130 })
    const [auxiliary] = told.chats().filter(({ attributes }) => attributes['claude.query_source'] === 'auxiliary')
    expect(auxiliary?.attributes['tokens.input']).toBe(30)
  })

  test('of a resumed session is what it has more than before', () => {
    const told = new Story()
      .start('s1', 'resume')
      .line({ type: 'cost', before: true, cost: cost(2, 1000) })
      .prompt('p1')
      .message('m1', { usage: usage(50, 0) })
      .line({ type: 'cost', before: false, cost: cost(2.25, 1050) })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.session().attributes).toMatchObject({ 'cost.usd': 0.25, 'tokens.input': 50 })
    expect(told.sum('claude.cost_usd_total')).toBeCloseTo(0.25)
    expect(told.chats()).toHaveLength(1)
  })

  test('of a resumed session whose past is unknown is not told', () => {
    const told = new Story()
      .start('s1', 'resume')
      .prompt('p1')
      .line({ type: 'cost', before: false, cost: cost(9, 1000) })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.session().attributes).not.toHaveProperty(['cost.usd'])
    expect(told.sum('claude.cost_usd_total')).toBe(0)
  })

  test('of a fork is what it has more than its origin had', () => {
    const told = new Story()
      .start('s2', 'fork')
      .entry({
        k: 'previous',
        at: begin,
        session: 's2',
        previousId: 's1',
        conversationId: 's1',
        ref: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 },
        cost: cost(1, 500),
      })
      .prompt('p1')
      .line({ type: 'cost', before: false, cost: cost(1.5, 600) })
      .stop()
      .end()
      .exit()
      .tell()
    const session = told.session('s2')
    expect(session.attributes).toMatchObject({
      'cost.usd': 0.5,
      'session.previous_id': 's1',
      'gen_ai.conversation.id': 's1',
    })
    expect(session.links.map(({ ref }) => ref.spanId)).toEqual(['b'.repeat(16)])
  })

  test('that is stated several times grows, and is not added up', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .line({ type: 'cost', before: false, cost: cost(1, 10) })
      .line({ type: 'cost', before: false, cost: cost(1, 10) })
      .line({ type: 'cost', before: false, cost: cost(3, 30) })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.session().attributes['cost.usd']).toBe(3)
    expect(told.sum('claude.cost_usd_total')).toBeCloseTo(3)
  })
})

describe('output that was told of no message, as of an answer that was cut', () => {
  test('counts as tokens, and is no request of its own', () => {
    const total = { totalUsd: 1, models: { opus: { usage: usage(10, 9), usd: 1 } } }
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1')
      .line({ type: 'interrupt', whileRunning: true })
      .line({ type: 'cost', before: false, cost: total })
      .end()
      .exit()
      .tell()
    expect(told.session().attributes).toMatchObject({ 'tokens.output': 9, 'model_requests.total': 1 })
    expect(told.sum('claude.model_requests_total')).toBe(1)
    expect(told.sum('claude.cache_misses_total')).toBe(1)
  })
})

describe('a fork', () => {
  const previous = (previousId: string) =>
    ({ k: 'previous', at: begin, session: 's1', previousId, conversationId: 'c0' }) as const

  test('names the session whose lines it has copied, and keeps its conversation', () => {
    const told = new Story().start('s1', 'fork').entry(previous('s0')).end().exit().tell()
    expect(told.session().attributes).toMatchObject({ 'session.previous_id': 's0', 'gen_ai.conversation.id': 'c0' })
  })

  test('that is resumed goes on from itself, though it still has those lines', () => {
    const told = new Story().start('s1', 'resume').entry(previous('s1')).entry(previous('s0')).end().exit().tell()
    expect(told.session().attributes['session.previous_id']).toBeUndefined()
    expect(told.session().attributes['gen_ai.conversation.id']).toBe('c0')
  })
})

describe('a compaction', () => {
  const boundary = { type: 'compaction', trigger: 'auto', preTokens: 900, postTokens: 100, durationMs: 7 } as const
  const hooks = (story: Story, between: (story: Story) => Story = (same) => same) =>
    between(story.hook('PreCompact', { trigger: 'auto' }))
      .hook('SessionStart', { source: 'compact' })
      .hook('PostCompact', { trigger: 'auto' })

  test('that only hooks tell is told', () => {
    const told = hooks(new Story().start().prompt('p1')).stop().end().exit().tell()
    expect(told.log('claude.compaction').map(({ attributes }) => attributes['compaction.trigger'])).toEqual(['auto'])
    expect(told.session().attributes['compactions.total']).toBe(1)
    expect(told.sum('claude.sessions_total')).toBe(1)
  })

  test('that hooks and transcript tell is told once, with its sizes', () => {
    const told = hooks(new Story().start().prompt('p1'), (story) => story.line(boundary))
      .stop()
      .end()
      .exit()
      .tell()
    const compactions = told.log('claude.compaction').map(({ attributes }) => attributes)
    expect(compactions).toMatchObject([{ 'compaction.pre_tokens': 900, 'compaction.post_tokens': 100 }])
    expect(told.sum('claude.compactions_total')).toBe(1)
  })

  test('that only the transcript tells is told, each time', () => {
    const told = new Story().start().prompt('p1').line(boundary).line(boundary).stop().end().exit().tell()
    expect(told.session().attributes['compactions.total']).toBe(2)
  })
})

describe('the end of a session', () => {
  test('with SessionEnd and an exit code is the reason and the code, at the time of SessionEnd', () => {
    const told = new Story().start().prompt('p1').stop().end('prompt_input_exit').wait(700).exit({ code: 3 }).tell()
    expect(told.session().attributes).toMatchObject({
      'session.end_reason': 'prompt_input_exit',
      'process.exit.code': 3,
    })
    expect(lasted(told.session())).toBe(30)
    expect(told.log('session.end')).toHaveLength(1)
  })

  test('without a word is a crash: everything open is abandoned at the last known time', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .hook('SubagentStart', inAgent('a1'))
      .wait(90_000)
      .exit({})
      .tell()
    expect(told.session().attributes).toMatchObject({ 'session.end_reason': 'crashed', 'error.type': 'crashed' })
    expect(told.tool('t1').attributes['tool.status']).toBe('abandoned')
    expect(told.turn('p1').attributes['turn.status']).toBe('abandoned')
    expect(told.agent('a1').attributes['error.type']).toBe('abandoned')
    expect(lasted(told.session())).toBe(30)
  })

  test('with an exit code but no SessionEnd is an end for another reason', () => {
    const told = new Story().start().exit({ code: 1 }).tell()
    expect(told.session().attributes).toMatchObject({
      'session.end_reason': 'other',
      'process.exit.code': 1,
      'error.type': 'exit_1',
    })
  })

  test('by a signal names the signal', () => {
    const told = new Story().start().prompt('p1').end().exit({ signal: 'SIGTERM' }).tell()
    expect(told.session().attributes).toMatchObject({
      'session.end_reason': 'other',
      'process.signal': 'SIGTERM',
      'error.type': 'SIGTERM',
    })
    expect(told.turn('p1').attributes['turn.status']).toBe('interrupted')
  })

  test('by SIGKILL is a crash that names the signal', () => {
    const told = new Story().start().prompt('p1').exit({ signal: 'SIGKILL' }).tell()
    expect(told.session().attributes).toMatchObject({ 'session.end_reason': 'crashed', 'process.signal': 'SIGKILL' })
  })

  test('is final: what comes after it is a straggler and says nothing', () => {
    const story = new Story().start().prompt('p1').stop().end().exit()
    const before = story.tell().signals
    expect(story.pre('t1').post('t1').stop().message('m9').prompt('p3').tell().signals).toEqual(before)
  })

  test('waits for what is stamped between SessionEnd and claude’s exit', () => {
    const told = new Story().start().prompt('p1').pre('t1').end().post('t1').exit().tell()
    expect(told.tool('t1').attributes['tool.status']).toBe('success')
  })

  test('of one claude is not that of another in the same run', () => {
    const story = new Story().by(1).start('s1').prompt('p1').by(2).start('s2').prompt('p2').by(1).in('s1').end().exit()
    const told = story.by(2).in('s2').during('p2').stop().end().exit().tell()
    expect(told.session('s1').attributes['process.pid']).toBe(1)
    expect(told.session('s2').attributes['process.pid']).toBe(2)
    expect(told.turn('p2').attributes['turn.status']).toBe('completed')
    expect(told.session('s1').ref.traceId).not.toBe(told.session('s2').ref.traceId)
  })
})

describe('one claude with several sessions', () => {
  test('/clear ends one and begins another that links to it', () => {
    const told = new Story()
      .start('s1')
      .prompt('p1')
      .stop()
      .end('clear')
      .start('s2', 'clear')
      .prompt('p2')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.session('s1').attributes['session.end_reason']).toBe('clear')
    expect(told.session('s2').attributes).toMatchObject({ 'session.source': 'clear', 'session.previous_id': 's1' })
    expect(told.session('s2').links.map(({ ref }) => ref.spanId)).toEqual([told.session('s1').ref.spanId])
    expect(told.sum('claude.sessions_total')).toBe(2)
  })

  test('/clear and /resume leave background agents running, told on below the next session, and no call twice', () => {
    const agent = { agent_id: 'a1', agent_type: 'general-purpose' }
    const story = new Story().start('s1').prompt('p1').pre('t1', { tool_name: 'Agent' })
    story
      .hook('SubagentStart', agent)
      .post('t1', { tool_name: 'Agent', tool_response: { agentId: 'a1' } })
      .stop()
    story.message('m1', {}, 'a1').pre('t2', agent)
    story.during('of /clear').end('clear').start('s2', 'clear').during('of /clear')
    story.result('t2').post('t2', agent).pre('t3', agent).end('resume')
    story.start('s3', 'resume').prompt('p2').post('t3', agent).post('t2', agent).message('m2', {}, 'a1')
    const told = story.hook('SubagentStop', agent).stop().end().exit().tell()

    expect(told.agents('a1').map(({ attributes, error }) => [attributes['session.id'], error])).toEqual([
      ['s1', undefined],
      ['s2', undefined],
      ['s3', undefined],
    ])
    const [, second, third] = told.agents('a1')
    expect(second?.parent?.spanId).toBe(told.session('s2').ref.spanId)
    expect(third?.parent?.spanId).toBe(told.session('s3').ref.spanId)
    expect(told.tool('t2').attributes).toMatchObject({ 'session.id': 's1', 'tool.status': 'success', background: true })
    expect(told.tool('t3').attributes).toMatchObject({ 'session.id': 's2', 'tool.status': 'success', background: true })
    expect(told.sum('claude.tool_calls_total')).toBe(3)
    expect(told.sum('claude.tool_calls_errors_total')).toBe(0)
    expect(told.session('s2').links.map(({ ref }) => ref.spanId)).toEqual([told.session('s1').ref.spanId])
    expect(told.session('s3').links).toEqual([])
    expect(told.turns('s2')).toEqual([])
    expect(told.turns('s3')).toHaveLength(1)
  })

  test('a message of a background agent that is read after a hook that came later is told within its span', () => {
    const agent = { agent_id: 'a1', agent_type: 'general-purpose' }
    const story = new Story().start('s1').prompt('p1').pre('t1', { tool_name: 'Agent' })
    story
      .hook('SubagentStart', agent)
      .post('t1', { tool_name: 'Agent', tool_response: { agentId: 'a1' } })
      .stop()
    story.during('of /clear').end('clear').start('s2', 'clear').post('t2', agent)
    story.at -= 30_000
    const told = story
      .message('m1', { text: { text: 'Done.', bytes: 5, truncated: false } }, 'a1')
      .end()
      .exit()
      .tell()

    const [log] = told.logs.filter(({ eventName }) => eventName === 'claude.assistant_response')
    const chat = told.spans.find(({ ref }) => ref.spanId === log?.ref.spanId)
    expect(chat?.attributes['session.id']).toBe('s2')
    expect(log?.timeUnixMicro).toBeGreaterThanOrEqual(chat?.startUnixMicro ?? Number.POSITIVE_INFINITY)
  })

  test('/resume goes to another session and back, each time a span of its own', () => {
    const told = new Story()
      .start('s1')
      .prompt('p1')
      .stop()
      .end('resume')
      .start('s2', 'resume')
      .prompt('p2')
      .stop()
      .end('resume')
      .start('s1', 'resume')
      .prompt('p3')
      .stop()
      .end()
      .exit()
      .tell()
    expect(
      told.spans.filter(({ name }) => name === 'claude.session').map(({ attributes }) => attributes['session.id']),
    ).toEqual(['s1', 's2', 's1'])
    expect(told.sum('claude.sessions_total')).toBe(3)
    expect(told.sum('claude.turns_total')).toBe(3)
  })

  test('a session whose beginning was not seen begins with its first event', () => {
    const told = new Story().during('p1').pre('t1').post('t1').stop().end().exit().tell()
    expect(told.session().attributes['session.source']).toBe('startup')
    expect(told.turn('p1').attributes['prompt.source']).toBe('unannounced')
  })
})

describe('the trace of a session', () => {
  const root = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), traceFlags: 1 }
  const parent = { traceId: 'c'.repeat(32), spanId: 'e'.repeat(16), traceFlags: 1, traceState: 'x=1' }
  const theirs = `00-${parent.traceId}-${parent.spanId}-01`

  test('of a wrapped claude is the one that its environment names, below what the wrapper was run under', () => {
    const told = new Story({ wrapped: { root, pid: 100, source: 'startup' }, parent })
      .by(100, theirs)
      .start()
      .prompt('p1')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.session().ref.spanId).toBe(root.spanId)
    expect(told.session().parent).toEqual({ ...parent, isRemote: true })
    expect(told.turn('p1').ref.traceId).toBe(root.traceId)
  })

  test('of a second session of a wrapped claude has a root of its own', () => {
    const told = new Story({ wrapped: { root, pid: 100, source: 'startup' } })
      .start('s1')
      .end('clear')
      .start('s2', 'clear')
      .end()
      .exit()
      .tell()
    expect(told.session('s2').ref.spanId).not.toBe(root.spanId)
    expect(told.session('s2').ref.traceId).not.toBe(root.traceId)
  })

  test('of a claude inside a wrapped one hangs below the TRACEPARENT of its environment', () => {
    const inner = `00-${root.traceId}-${root.spanId}-01`
    const story = new Story({ wrapped: { root, pid: 100, source: 'startup' } })
      .by(100)
      .start('s1')
      .by(200, inner)
      .start('s2')
      .end()
      .exit()
    const told = story.by(100).in('s1').end().exit().tell()
    expect(told.session('s2').parent?.spanId).toBe(root.spanId)
    expect(told.session('s2').ref.traceId).toBe(root.traceId)
  })

  test('of a claude that nobody wrapped hangs below the TRACEPARENT that it was run under', () => {
    const told = new Story().by(100, theirs).start().end().exit().tell()
    expect(told.session().parent).toMatchObject({ spanId: parent.spanId, isRemote: true })
  })

  test('has the flags that the sampler or the parent decides', () => {
    const flags = (sampler: typeof run.sampler, traceparent?: string) =>
      new Story({ sampler }).by(100, traceparent).start().end().exit().tell().session().ref.traceFlags
    expect(flags({ kind: 'always_off', parentBased: true, ratio: 1 })).toBe(0)
    expect(flags({ kind: 'always_off', parentBased: true, ratio: 1 }, theirs)).toBe(1)
    expect(flags({ kind: 'always_on', parentBased: true, ratio: 1 }, theirs.replace(/01$/, '00'))).toBe(0)
    expect(flags({ kind: 'traceidratio', parentBased: false, ratio: 0 })).toBe(0)
  })

  test('has the same flags on every span of it', () => {
    const story = new Story({ sampler: { kind: 'always_off', parentBased: true, ratio: 1 } })
    const told = story.start().prompt('p1').pre('t1').post('t1').message('m1').stop().end().exit().tell()
    expect(new Set(told.spans.map(({ ref }) => ref.traceFlags))).toEqual(new Set([0]))
  })
})

describe('what stands in a transcript before the first hook', () => {
  test('is kept until the session begins', () => {
    const cost = (usd: number) => ({ totalUsd: usd, models: { opus: { usage: usage(1, 1), usd } } })
    const told = new Story({ wrapped: { root, pid: 100, source: 'resume' } })
      .line({ type: 'cost', before: true, cost: cost(2) })
      .prompt('p1')
      .message('m1', { model: 'opus' })
      .stop()
      .line({ type: 'cost', before: false, cost: cost(5) })
      .end()
      .exit()
      .tell()
    expect(told.session().attributes).toMatchObject({ 'session.source': 'resume', 'cost.usd': 3 })
  })

  const root = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }

  test('of a session that /clear began where SessionStart is kept from us: it says clear and links', () => {
    const told = new Story({ wrapped: { root, pid: 100, source: 'startup' } })
      .prompt('p1')
      .stop()
      .end('clear')
      .in('s2')
      .prompt('p2')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.session('s2').attributes).toMatchObject({ 'session.source': 'clear', 'session.previous_id': 's1' })
    expect(told.session('s2').links.map(({ ref }) => ref.spanId)).toEqual([root.spanId])
  })
})

describe('several sessions in one trace', () => {
  test('have no span id in common, though they use the same words for their parts', () => {
    const outer = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
    const spanIds = (session: string): string[] => {
      const traceparent = `00-${outer.traceId}-${outer.spanId}-01`
      const story = new Story().by(7, traceparent).start(session).prompt('p1').pre('t1').post('t1').stop().end()
      return story
        .exit()
        .tell()
        .spans.map(({ ref }) => ref.spanId)
    }
    const [first, second] = [spanIds('s1'), spanIds('s2')]
    expect(new Set([...first, ...second]).size).toBe(first.length + second.length)
  })
})

describe('what else is told', () => {
  test('an event that we do not know is a log record with its fields', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('CwdChanged', { old_cwd: '/a', new_cwd: '/b' })
      .stop()
      .end()
      .exit()
      .tell()
    const [event] = told.log('claude.hook.event')
    expect(event?.attributes['hook.event']).toBe('CwdChanged')
    expect(String(event?.attributes['hook.fields'])).toContain('/b')
  })

  test('a record that could not be read is a warning, and is no matter before any session', () => {
    const broken = { k: 'broken', at: begin, from: '1-1', reason: 'half', bytes: 3 } as const
    const told = new Story().entry(broken).start().entry(broken).end().exit().tell()
    const errors = told.log('claude_otel.hook.error')
    expect(errors.map(({ severity, body }) => [severity, body])).toEqual([['warn', 'half']])
    expect(errors[0]?.attributes).toMatchObject({ 'hook.reason': 'half', 'hook.bytes': 3 })
  })

  test('the repository stands on the session, as it was last', () => {
    const story = new Story()
      .start()
      .entry({ k: 'repository', at: begin, session: 's1', attributes: { 'vcs.ref.head.name': 'a' } })
    const told = story
      .entry({ k: 'repository', at: begin, session: 's1', attributes: { 'vcs.ref.head.name': 'b' } })
      .end()
      .exit()
      .tell()
    expect(told.session().attributes['vcs.ref.head.name']).toBe('b')
  })

  test('lines of a session that was never begun say nothing', () => {
    expect(new Story().message('m1').tell().signals).toEqual([])
  })
})

describe('the transcript in the place of lost hooks', () => {
  const tool = (useId: string) => createToolCall({ name: 'Bash', useId, input: { command: `run ${useId}` } }, keeper)
  const prompted = { type: 'prompt', prompt: { text: 'do it', bytes: 5, truncated: false }, source: 'user' } as const

  test('tells the whole turn', () => {
    const told = new Story()
      .start()
      .during('p1')
      .line(prompted)
      .message('m1', { tools: [tool('t1')] })
      .result('t1', { response: createToolResponse({ stdout: 'hello' }, keeper) })
      .message('m2')
      .end()
      .exit()
      .tell()
    expect(told.turn('p1').attributes).toMatchObject({ 'prompt.source': 'user', 'prompt.preview': 'do it' })
    const call = told.tool('t1')
    expect(call.parent?.spanId).toBe(told.turn('p1').ref.spanId)
    expect(call.attributes).toMatchObject({ 'tool.status': 'success', stdout_bytes: 5, 'input.summary': 'run t1' })
    expect(lasted(call)).toBe(10)
    expect(told.log('claude.tool.start')).toHaveLength(1)
  })

  test('and beside those that came tells nothing twice', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .line(prompted)
      .message('m1', { tools: [tool('t1')] })
      .message('m1', { tools: [tool('t1')] })
      .pre('t1')
      .post('t1', { duration_ms: 4 })
      .result('t1')
      .batch({ t1: 'ok' })
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.turns()).toHaveLength(1)
    expect(told.tool('t1').attributes).toMatchObject({ 'tool.status': 'success', duration_ms: 4 })
    for (const event of ['claude.user_prompt', 'claude.tool.start', 'claude.tool.end'])
      expect(told.log(event)).toHaveLength(1)
    expect(told.sum('claude.tool_calls_total')).toBe(1)
  })

  test('says how a command failed whose Post was lost', () => {
    const story = new Story().start().prompt('p1').pre('t1').pre('t2')
    story.result('t1', { isError: true, exitCode: 3 }).result('t2', { isError: true, exitCode: 143, timedOut: true })
    const told = story.stop().end().exit().tell()
    const failed = { 'tool.status': 'error', 'error.type': 'exit_code', exit_code: 3 }
    expect(told.tool('t1').attributes).toMatchObject(failed)
    expect(told.tool('t2').attributes).toMatchObject({ 'tool.status': 'timeout', exit_code: 143 })
  })

  test('closes a call whose Post was lost, with the result’s word', () => {
    const message = { text: 'Exit code 2', bytes: 11, truncated: false }
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1', { tools: [tool('t1'), tool('t2')] })
      .pre('t1')
      .pre('t2')
      .result('t1', { isError: true, message })
      .result('t2')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes).toMatchObject({ 'tool.status': 'error', 'tool.error': 'Exit code 2' })
    expect(told.tool('t2').attributes['tool.status']).toBe('success')
  })

  test('tells a call that never ran as an error of no duration', () => {
    const refused = {
      isError: true,
      refused: true,
      message: { text: '<tool_use_error>x', bytes: 17, truncated: false },
    }
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1', { tools: [tool('t1')] })
      .result('t1', refused)
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.tool('t1').attributes).toMatchObject({ 'error.type': 'tool_use_error', duration_ms: 0 })
    expect(told.sum('claude.tools_in_flight')).toBe(0)
  })
})
