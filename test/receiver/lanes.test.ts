import { expect, test } from 'bun:test'
import { Lanes } from '../../src/receiver/lanes.ts'

function laneOf(lanes: Lanes, names: string[], name: string) {
  return lanes.lane(() => void names.push(name))
}

test('Lanes let in so many at once, and the others in their order', () => {
  const lanes = new Lanes(2)
  const inside: string[] = []
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => laneOf(lanes, inside, name))
  for (const lane of [a, b, c, d]) lane?.enter()
  expect(inside).toEqual(['a', 'b'])
  b?.leave()
  expect(inside).toEqual(['a', 'b', 'c'])
  a?.leave()
  expect(inside).toEqual(['a', 'b', 'c', 'd'])
})

test('A lane that is left twice is free once', () => {
  const lanes = new Lanes(1)
  const inside: string[] = []
  const first = laneOf(lanes, inside, 'first')
  first.enter()
  laneOf(lanes, inside, 'second').enter()
  laneOf(lanes, inside, 'third').enter()
  first.leave()
  first.leave()
  expect(inside).toEqual(['first', 'second'])
})

test('Who goes while waiting is not let in later', () => {
  const lanes = new Lanes(1)
  const inside: string[] = []
  const first = laneOf(lanes, inside, 'first')
  const second = laneOf(lanes, inside, 'second')
  first.enter()
  second.enter()
  second.leave()
  first.leave()
  laneOf(lanes, inside, 'third').enter()
  expect(inside).toEqual(['first', 'third'])
})
