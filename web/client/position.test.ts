import { expect, it } from 'vitest'
import { atOrBefore } from './position'

it.each([
  ['e-9', 'e-10', true],
  ['e-10', 'e-10', true],
  ['e-10', 'e-9', false],
  ['e-9007199254740993', 'e-9007199254740992', false],
  ['f-1', 'e-10', false],
  ['e-1', null, false],
  ['e-01', 'e-10', false],
  ['nonsense', 'e-10', false],
])('%s at or before %s: %s', (id, mark, expected) => {
  expect(atOrBefore(id, mark)).toBe(expected)
})
