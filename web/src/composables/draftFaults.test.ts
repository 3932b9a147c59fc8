import { describe, expect, it } from 'vitest'
import type { Recipient } from '@client'
import { faults, refusedFields } from './draftFaults'
import { EVERYONE, emptyDraft, noticeOf } from '@/stores/draft'

const user = (name: string): Recipient => ({ type: 'user', name, display_name: name })
const draft = { ...emptyDraft(), to: [user('ann')], title: 'Hi' }
const now = new Date('2026-06-01T12:00').getTime()

describe('a draft', () => {
  it('that is complete has no fault', () => {
    expect(faults(draft)).toEqual({})
  })

  it('needs a recipient and a title', () => {
    expect(faults({ ...draft, to: [], title: '  ' })).toEqual({ to: 'to', title: 'title' })
  })

  it('goes to ten people at most, unless an administrator writes', () => {
    const people = Array.from({ length: 11 }, (_, n) => user(`u${n}`))
    expect(faults({ ...draft, to: people }).to).toBe('tooMany')
    expect(faults({ ...draft, to: people }, true).to).toBeUndefined()
  })

  it('counts characters, not halves of them', () => {
    expect(faults({ ...draft, title: '🔔'.repeat(200) })).toEqual({})
    expect(faults({ ...draft, title: '🔔'.repeat(201) }).title).toBe('titleLong')
    expect(faults({ ...draft, category: '🔔'.repeat(64) })).toEqual({})
    expect(faults({ ...draft, category: '🔔'.repeat(65) }).category).toBe('category')
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
    `https://example.com/${'a'.repeat(2048)}`,
  ])('may not link to "%s"', (url) => {
    expect(faults({ ...draft, url }).url).toBe('url')
    expect(faults({ ...draft, actions: [{ label: 'Open', url }] })).toEqual({ link0: 'url' })
  })

  it('needs both halves of each link below it', () => {
    const actions = [
      { label: 'Open', url: '/a' },
      { label: ' ', url: '' },
      { label: 'x'.repeat(41), url: '/b' },
    ]
    expect(faults({ ...draft, actions })).toEqual({
      label1: 'label',
      link1: 'url',
      label2: 'label',
    })
  })

  it('is sent in the time to come, within a year', () => {
    const at = (deliverAt: string) => faults({ ...draft, deliverAt }, false, now).deliverAt
    expect(at('2026-06-01T12:00')).toBe('past')
    expect(at('2026-06-01T12:01')).toBeUndefined()
    expect(at('2027-06-01T11:59')).toBeUndefined()
    expect(at('2027-06-03T12:00')).toBe('far')
  })

  it('expires after it was sent', () => {
    const at = (deliverAt: string, expiresAt: string) =>
      faults({ ...draft, deliverAt, expiresAt }, false, now).expiresAt
    expect(at('', '2026-06-01T11:00')).toBe('past')
    expect(at('', '2026-06-01T13:00')).toBeUndefined()
    expect(at('2026-06-01T13:00', '2026-06-01T13:00')).toBe('order')
    expect(at('2026-06-01T13:00', '2026-06-01T13:01')).toBeUndefined()
  })
})

describe('what is sent of a draft', () => {
  it('leaves out what is empty', () => {
    expect(noticeOf(draft)).toEqual({
      to: { users: ['ann'] },
      title: 'Hi',
      body: '',
      format: 'text',
      severity: 'info',
    })
  })

  it('says times as instants, whatever the zone of the writer', () => {
    const { deliver_at, expires_at } = noticeOf({
      ...draft,
      deliverAt: '2026-06-01T13:00',
      expiresAt: '2026-06-02T13:00',
    })
    expect(new Date(deliver_at ?? '').getTime()).toBe(now + 3_600_000)
    expect(deliver_at).toMatch(/Z$/)
    expect(new Date(expires_at ?? '').getTime()).toBe(now + 25 * 3_600_000)
  })

  it('goes to people, groups or everyone', () => {
    const group: Recipient = { type: 'group', name: 'ops', display_name: 'Ops' }
    expect(noticeOf({ ...draft, to: [user('ann'), group] }).to).toEqual({
      users: ['ann'],
      groups: ['ops'],
    })
    expect(noticeOf({ ...draft, to: [EVERYONE] }).to).toEqual({ everyone: true })
  })
})

it('a refusal is told beside the field that it is about', () => {
  const errors = ['to.users', 'actions[1].label', 'actions[0].url', 'deliver_at', 'else']
  expect(refusedFields(errors.map((field) => ({ field })))).toEqual({
    to: 'unknownTo',
    label1: 'label',
    link0: 'url',
    deliverAt: 'past',
  })
})
