import { createPinia, setActivePinia } from 'pinia'
import { expect, it } from 'vitest'
import type { SentNotice } from '@client'
import { draftOf, emptyDraft, noticeOf, useDraft } from './draft'
import { aNotice } from '@/testing'

const sent: SentNotice = {
  ...aNotice(1, {
    title: 'Disk full',
    body: '**db-1**',
    format: 'markdown',
    severity: 'critical',
    category: 'ops',
    url: '/disks',
    actions: [{ label: 'Look', url: '/look' }],
    expires_at: '2026-06-02T12:00:00Z',
  }),
  to: { users: ['bob'], groups: ['ops'], everyone: true },
  deliver_at: '2026-06-01T12:00:00Z',
  withdrawn_at: '2026-06-01T13:00:00Z',
  recipients: 7,
  reads: 3,
}

it('is written once more with what it said, not to whom, nor when', () => {
  expect(noticeOf(draftOf(sent))).toEqual({
    to: {},
    title: 'Disk full',
    body: '**db-1**',
    format: 'markdown',
    severity: 'critical',
    category: 'ops',
    url: '/disks',
    actions: [{ label: 'Look', url: '/look' }],
  })
  const bare = { ...sent, ...aNotice(2, { title: 'Bare' }), body: '', actions: null, url: null }
  expect(draftOf(bare)).toEqual({ ...emptyDraft(), title: 'Bare' })
})

it('shares nothing with the message in the list', () => {
  const draft = draftOf(sent)
  draft.actions[0]!.label = 'changed'
  draft.actions.push({ label: 'one more', url: '/more' })
  expect(sent.actions).toEqual([{ label: 'Look', url: '/look' }])
})

it('has a name of its own, so that the server does not take it for the one before', () => {
  setActivePinia(createPinia())
  const store = useDraft()
  const keys = [store.key]
  store.start()
  keys.push(store.key)
  store.start(draftOf(sent))
  keys.push(store.key)
  store.renew()
  keys.push(store.key)
  expect(new Set(keys).size).toBe(4)
  expect(store.draft.title).toBe('Disk full')
})
