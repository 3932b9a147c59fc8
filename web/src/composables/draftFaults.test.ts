import { describe, expect, it } from 'vitest'
import type { Recipient } from '@client'
import { faults } from './draftFaults'

const user = (name: string): Recipient => ({ type: 'user', name, display_name: name })
const draft = { to: [user('ann')], title: 'Hi', body: '', url: '' }

describe('a draft', () => {
  it('that is complete has no fault', () => {
    expect(faults(draft)).toEqual({})
  })

  it('needs a recipient and a title', () => {
    expect(faults({ ...draft, to: [], title: '  ' })).toEqual({ to: 'to', title: 'title' })
  })

  it('goes to ten people at most', () => {
    const people = Array.from({ length: 11 }, (_, n) => user(`u${n}`))
    expect(faults({ ...draft, to: people }).to).toBe('tooMany')
  })

  it('counts characters, not halves of them', () => {
    expect(faults({ ...draft, title: '🔔'.repeat(200) })).toEqual({})
    expect(faults({ ...draft, title: '🔔'.repeat(201) }).title).toBe('titleLong')
  })

  it('counts bytes of the text', () => {
    expect(faults({ ...draft, body: '钟'.repeat(5461) })).toEqual({})
    expect(faults({ ...draft, body: '钟'.repeat(5462) }).body).toBe('bodyLong')
  })

  it.each(['https://example.com/a', 'http://localhost:1', '/inbox/3', ''])(
    'may link to "%s"',
    (url) => {
      expect(faults({ ...draft, url }).url).toBeUndefined()
    },
  )

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    '//evil.example',
    '/\\evil.example',
    'no link',
  ])('may not link to "%s"', (url) => {
    expect(faults({ ...draft, url }).url).toBe('url')
  })
})
