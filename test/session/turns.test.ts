/** Which prompts are one turn, and when a turn is over that nobody says the end of. */
import { describe, expect, test } from 'bun:test'
import { createAssembler } from '../../src/session/assembler.ts'
import { begin, lasted, Story } from './story.ts'

const words = (text: string) => ({ text, bytes: text.length, truncated: false })
const answered = { stopReason: 'end_turn', text: words('Said.') }

describe('prompts from the queue', () => {
  const dequeue = { type: 'dequeue' } as const

  test('that leave it together are one turn', () => {
    const told = new Story()
      .start()
      .line(dequeue)
      .line(dequeue)
      .prompt('p1', 'second')
      .prompt('p2', 'third')
      .message('m1', answered)
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.turns()).toHaveLength(1)
    expect(told.turn('p1').attributes).toMatchObject({ 'turn.status': 'completed', 'prompt.preview': 'second' })
    expect(told.log('claude.user_prompt').map(({ body }) => body)).toEqual(['second', 'third'])
    expect(told.log('claude.user_prompt').map(({ attributes }) => attributes['prompt.id'])).toEqual(['p1', 'p2'])
    expect(told.chats()[0]?.parent?.spanId).toBe(told.turn('p1').ref.spanId)
  })

  test('that leave it one after the other are a turn each, though the first was interrupted', () => {
    const told = new Story()
      .start()
      .line(dequeue)
      .prompt('p1')
      .wait(100)
      .line(dequeue)
      .prompt('p2')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.turns().map(({ attributes }) => attributes['turn.status'])).toEqual(['interrupted', 'completed'])
  })

  test('that the model is told of while the turn runs are logged in it', () => {
    const queued = { type: 'queued-prompt', prompt: words('and this'), source: 'user' } as const
    const told = new Story().start().prompt('p1').pre('t1').post('t1').line(queued).stop().end().exit().tell()
    expect(told.turns()).toHaveLength(1)
    const [, log] = told.log('claude.user_prompt')
    expect(log).toMatchObject({ body: 'and this', ref: told.turn('p1').ref })
  })
})

describe('a turn that is not to go on', () => {
  const stop = (reason: 'blocked_by_hook' | 'stopped_by_hook' | 'max_turns') =>
    ({ type: 'turn-stop', reason, message: words('why') }) as const

  test('says who forbade it, and is over then, however long the session lasts', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .pre('t1')
      .post('t1')
      .line(stop('stopped_by_hook'))
      .wait(60_000)
      .end()
      .exit()
      .tell()
    const turn = told.turn('p1')
    expect(turn.attributes).toMatchObject({
      'turn.status': 'interrupted',
      'error.type': 'stopped_by_hook',
      'error.message': 'why',
    })
    expect(lasted(turn)).toBeLessThan(100)
    expect(told.log('claude.turn.end')[0]?.timeUnixMicro).toBe(turn.endUnixMicro)
  })

  test('may be told before its prompt, for which our hook was slower than the one that blocked it', () => {
    const told = new Story().start().line(stop('blocked_by_hook')).prompt('p1').end().exit().tell()
    expect(told.turn('p1').attributes['error.type']).toBe('blocked_by_hook')
  })

  test('is a turn also where nothing else was told of it', () => {
    const blocked = { ...stop('blocked_by_hook'), prompt: words('not this') }
    const told = new Story().start().line(blocked).end().exit().tell()
    expect(told.turns().map(({ attributes }) => attributes)).toMatchObject([
      { 'error.type': 'blocked_by_hook', 'prompt.preview': 'not this', 'turn.status': 'interrupted' },
    ])
    expect(told.log('claude.user_prompt').map(({ body }) => body)).toEqual(['not this'])
  })

  test('does not speak of a prompt much later', () => {
    const told = new Story()
      .start()
      .line(stop('blocked_by_hook'))
      .wait(10_000)
      .prompt('p1')
      .end()
      .exit({ signal: 'SIGKILL' })
      .tell()
    expect(told.turn('p1').attributes['error.type']).toBe('interrupted')
  })
})

describe('a turn whose end nobody tells', () => {
  test('is over with its last sign of life, not with the next prompt an hour later', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1', { stopReason: 'tool_use' })
      .wait(3_600_000)
      .prompt('p2')
      .stop()
      .end()
      .exit()
      .tell()
    expect(lasted(told.turn('p1'))).toBeLessThan(100)
    expect(told.turn('p1').attributes).toMatchObject({ 'turn.status': 'interrupted', 'model_requests.total': 1 })
  })
})

describe('a Stop that comes before the lines of the answer', () => {
  const late = () => new Story().start().prompt('p1').stop()

  test('waits for them: the turn has their tokens and ends at the Stop', () => {
    const told = late().wait(-15).message('m1', answered).wait(500).end().exit().tell()
    const turn = told.turn('p1')
    expect(turn.attributes).toMatchObject({ 'tokens.input': 10, 'model_requests.total': 1, 'turn.status': 'completed' })
    expect(turn.endUnixMicro).toBe(begin + 20_000)
  })

  test('is told as soon as they are there, though nothing else happens', () => {
    const story = late().wait(-15).message('m1', { stopReason: 'end_turn' })
    const before = story.entries.length
    story.line({
      type: 'message',
      messageId: 'm1',
      model: 'opus',
      usage: { input: 10, output: 2, cacheRead: 0, cacheCreation: 0, cacheCreation1h: 0, thinking: 0 },
      startUnixMicro: story.at - 5000,
      ...answered,
    })
    expect(turnsToldAt(story)).toEqual([before])
  })

  test('does not wait longer than stragglers take', () => {
    const story = late().wait(2100).hook('Notification', { notification_type: 'idle_prompt', message: 'waiting' })
    expect(turnsToldAt(story)).toEqual([story.entries.length - 1])
  })

  test('holds a subagent in the same way', () => {
    const agent = { agent_id: 'a1', agent_type: 'explorer' }
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStart', agent)
      .hook('SubagentStop', agent)
      .wait(-15)
      .message('m1', answered, 'a1')
      .stop()
      .end()
      .exit()
      .tell()
    expect(told.agent('a1').attributes).toMatchObject({ 'tokens.input': 10, 'model_requests.total': 1 })
  })
})

/** The numbers of the entries with which a turn was told. */
function turnsToldAt({ entries }: Story): number[] {
  const assembler = createAssembler()
  return entries.flatMap((entry, index) => {
    const spans = assembler.apply(entry).filter((signal) => signal.kind === 'span')
    return spans.some(({ name }) => name === 'invoke_agent claude-code') ? [index] : []
  })
}

describe('a turn whose end nobody told', () => {
  const unfinished = { stopReason: 'tool_use', text: words('Half.') }

  test('is complete where its answer is, be it that another begins or that the session ends', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .message('m1', answered)
      .prompt('p2')
      .message('m2', answered)
      .end()
      .exit()
      .tell()
    expect(told.turns().map(({ attributes }) => attributes['turn.status'])).toEqual(['completed', 'completed'])
  })

  test('was interrupted where the answer was to go on, and abandoned where claude was killed', () => {
    const cut = new Story().start().prompt('p1').message('m1', unfinished).end().exit().tell()
    expect(cut.turn('p1').attributes['turn.status']).toBe('interrupted')
    const killed = new Story().start().prompt('p1').message('m1', answered).exit({ signal: 'SIGKILL' }).tell()
    expect(killed.turn('p1').attributes['turn.status']).toBe('abandoned')
  })

  test('lies within its session, though a hook of it was stamped after the session’s end', () => {
    const story = new Story().start().prompt('p1').pre('t1').end()
    const told = story.post('t1').exit().tell()
    expect(told.turn('p1').endUnixMicro).toBeLessThanOrEqual(told.session().endUnixMicro)
    expect(told.tool('t1').endUnixMicro).toBeLessThanOrEqual(told.session().endUnixMicro)
  })

  test('nor is a subagent interrupted whose answer is there', () => {
    const told = new Story()
      .start()
      .prompt('p1')
      .hook('SubagentStart', { agent_id: 'a1', agent_type: 'Explore' })
      .message('m1', answered, 'a1')
      .wait(500)
      .stop()
      .end()
      .exit()
      .tell()
    const agent = told.agent('a1')
    expect(agent.error).toBeUndefined()
    expect(agent.endUnixMicro).toBeLessThan(told.session().endUnixMicro - 400_000)
  })
})
