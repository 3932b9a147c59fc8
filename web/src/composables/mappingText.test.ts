import { describe, expect, it } from 'vitest'
import { placeRefusal, readMapping } from './mappingText'

const WHOLE = `{
  "items": "$.builds[?@.state != 'running']",
  "title": "$.job.name",
  "severity": {
    "from": "$.state",
    "values": {"failed": "warning", "broken": "critical"},
    "default": "success"
  },
  "idempotency_key": "$.event_id"
}`

describe('a mapping', () => {
  it('is read as it is written', () => {
    const { mapping, faults } = readMapping(WHOLE)
    expect(faults).toEqual([])
    expect(mapping).toEqual(JSON.parse(WHOLE))
  })

  it.each([
    ['an end that is missing', '{\n  "title": "$.a"\n', 3, 'syntax', ''],
    ['a comma too many', '{\n  "title": "$.a",\n}', 3, 'syntax', ''],
    ['a comma that is missing', '{\n  "title": "$.a"\n  "body": "$.b"\n}', 3, 'syntax', ''],
    ['a comment', '{\n  // of ours\n  "title": "$.a"\n}', 2, 'syntax', ''],
    ['nothing at all', '', 1, 'syntax', ''],
    ['a list', '["$.a"]', 1, 'object', ''],
    [
      'a member that there is not',
      '{\n  "title": "$.a",\n  "titel": "$.a"\n}',
      3,
      'unknown',
      'titel',
    ],
    [
      'a member that is there twice',
      '{\n  "title": "$.a",\n  "title": "$.b"\n}',
      3,
      'twice',
      'title',
    ],
    ['a number for a text', '{\n  "title": 7\n}', 2, 'text', 'title'],
    ['a severity that is a text', '{\n  "severity": "warning"\n}', 2, 'object', 'severity'],
    ['a severity from nowhere', '{\n  "severity": {"default": "info"}\n}', 2, 'text', 'from'],
    [
      'a table that is none',
      '{"severity": {\n  "from": "$.a",\n  "values": []\n}}',
      3,
      'object',
      'values',
    ],
    [
      'a value that is no text',
      '{"severity": {\n  "from": "$.a",\n  "values": {\n    "failed": 2\n  }\n}}',
      4,
      'text',
      'failed',
    ],
  ])('with %s is refused on its line', (_what, text, line, kind, about) => {
    expect(readMapping(text)).toEqual({ mapping: null, faults: [{ line, kind, about }] })
  })

  it('tells of all that is wrong, from the top', () => {
    const { faults } = readMapping('{\n  "severity": {},\n  "body": 1,\n  "colour": "red"\n}')
    expect(faults.map(({ line, kind }) => [line, kind])).toEqual([
      [2, 'text'],
      [3, 'text'],
      [4, 'unknown'],
    ])
  })

  it.each([
    ['mapping.title', 3],
    ['mapping.severity.from', 5],
    ['mapping.severity.values', 6],
    ['mapping', 1],
    ['mapping.body', 1],
  ])('has the refusal of %s on line %d', (field, line) => {
    expect(placeRefusal(WHOLE, field, 'A path.')).toEqual({
      line,
      kind: 'refused',
      about: 'A path.',
    })
  })
})
