import { expect, it } from 'vitest'
import { firstLine } from './firstLine'

it.each([
  ['# web **4.12** is out\nmore', 'web 4.12 is out'],
  ['> - `ok` and ~~gone~~', 'ok and gone'],
  ['1. see [the log](https://example.com/a) now', 'see the log now'],
  ['![graph](https://example.com/g.png)', 'graph'],
  ['3 * 4 _is_ #12', '3 * 4 _is_ #12'],
  ['', ''],
])('of %j: %j', (body, line) => {
  expect(firstLine({ body, format: 'markdown' })).toBe(line)
})

it('of plain text is as it was written', () => {
  expect(firstLine({ body: '\n # **x**\ny', format: 'text' })).toBe('# **x**')
})
