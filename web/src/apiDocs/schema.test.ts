import { describe, expect, it } from 'vitest'
import description from '../../openapi.json'
import { type Description, membersOf, typeOf } from './schema'

const api = description as unknown as Description

describe('what the page about the API shows', () => {
  it('names types in a few signs', () => {
    expect(typeOf({ type: ['string', 'null'] })).toBe('string | null')
    expect(typeOf({ type: 'string', enum: ['user', 'admin'] })).toBe('"user" | "admin"')
    expect(typeOf({ type: 'array', items: { enum: [1, 2] } })).toBe('(1 | 2)[]')
    expect(typeOf({ $ref: '#/components/schemas/Action' })).toBe('Action')
  })

  it('lists the members of members', () => {
    const body = api.paths['/api/v1/notices']!.post!.requestBody!.content['application/json']!
    const lines = membersOf(body.schema!, api.components.schemas)
    expect(lines.find((line) => line.name === 'title')).toMatchObject({ required: true })
    expect(lines.map((line) => line.name)).toEqual(
      expect.arrayContaining(['to', 'to.users', 'actions', 'actions[].label']),
    )
  })
})
