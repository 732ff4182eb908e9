import { describe, expect, test } from 'bun:test'
import { parseFlags } from '../../src/config/flags.ts'

const valueOptions = new Set(['--model', '--append-system-prompt'])
const parse = (...argv: string[]) => parseFlags(argv, (option) => valueOptions.has(option))

describe('our flags', () => {
  test('are taken out wherever they stand, and the rest keeps its bytes and order', () => {
    const { flags, rest, problems } = parse(
      '-p',
      '--otel-endpoint',
      'http://h',
      'a  b',
      '--otel-protocol=grpc',
      '',
      '-c',
    )
    expect(flags).toEqual({ 'otel-endpoint': 'http://h', 'otel-protocol': 'grpc' })
    expect(rest).toEqual(['-p', 'a  b', '', '-c'])
    expect(problems).toEqual([])
  })

  test('are claude’s after a --', () => {
    expect(parse('--', '--otel-endpoint', 'x', '--otel-nonsense')).toEqual({
      flags: {},
      rest: ['--', '--otel-endpoint', 'x', '--otel-nonsense'],
      problems: [],
    })
  })

  test('are not what stands as the value of one of claude’s options', () => {
    const { flags, rest } = parse('--append-system-prompt', '--otel-endpoint', '--model', '--claude-otel-debug', '-p')
    expect(flags).toEqual({})
    expect(rest).toEqual(['--append-system-prompt', '--otel-endpoint', '--model', '--claude-otel-debug', '-p'])
  })

  test('that are switches take no value', () => {
    expect(parse('--claude-otel-debug', 'prompt', '--otel-disabled=false')).toMatchObject({
      flags: { 'claude-otel-debug': true, 'otel-disabled': 'false' },
      rest: ['prompt'],
    })
  })

  test('may be given twice: the last wins', () => {
    expect(parse('--otel-service-name=a', '--otel-service-name', 'b').flags).toEqual({ 'otel-service-name': 'b' })
  })

  test('keep everything after the first equals sign, line breaks too', () => {
    expect(parse('--otel-headers=a=b\nc').flags).toEqual({ 'otel-headers': 'a=b\nc' })
  })

  test('leave a prompt that only looks like one of them alone', () => {
    const prompts = ['--otel', '-otel-endpoint', 'say --otel-endpoint', '--claude-otel-debugger']
    expect(parse(...prompts)).toEqual({ flags: {}, rest: prompts, problems: [] })
  })

  test('that do not exist are told with the one that was meant', () => {
    const { problems, rest } = parse('--otel-endpont=x', 'hello')
    expect(rest).toEqual(['hello'])
    expect(problems.map(({ kind, message, hint }) => [kind, message, hint])).toEqual([
      ['usage', 'there is no flag --otel-endpont', 'did you mean --otel-endpoint?'],
    ])
  })

  test('without their value are told, and the next flag is not eaten', () => {
    for (const argv of [['--otel-endpoint'], ['--otel-endpoint', '--verbose'], ['--otel-endpoint', '--', 'x']]) {
      const { problems, rest, flags } = parse(...argv)
      expect(problems.map((each) => each.message)).toEqual(['--otel-endpoint has no value'])
      expect(rest).toEqual(argv.slice(1))
      expect(flags).toEqual({})
    }
  })
})
