import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { AuditEntry } from '@client'
import { later, ok, serve, show, type Answer } from '@/testing'
import AuditView from './AuditView.vue'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

const entry = (id: number, wishes: Partial<AuditEntry> = {}): AuditEntry => ({
  id,
  at: '2026-01-01T00:00:00.000Z',
  action: 'session.locked',
  actor: { type: 'user', name: 'ann', session: '' },
  user: 'bob',
  session: 'ab12',
  key: '',
  ip: '127.0.0.1',
  user_agent: '',
  detail: {},
  ...wishes,
})
const page = (items: AuditEntry[], next: string | null = null) => ok({ items, next_before: next })

it('says in words what was done, by whom and to whom', async () => {
  serve({ 'GET /audit': () => page([entry(1, { detail: { reason: 'admin' } })]) })
  const view = show(AuditView)
  await flushPromises()
  const row = view.get('[data-testid=audit] li').text()
  expect(row).toContain('Session locked · bob')
  expect(row).toContain('by ann · 127.0.0.1 · session ab12')
  expect(row).toContain('reason: admin')
})

it('shows an action it does not know by the name the server gives it', async () => {
  serve({ 'GET /audit': () => page([entry(1, { action: 'moon.landed' })]) })
  const view = show(AuditView)
  await flushPromises()
  expect(view.get('li').text()).toContain('moon.landed')
})

it('narrows by action, person and whole days of the reader, and exports the same', async () => {
  const made = serve({ 'GET /audit': () => page([]) })
  const view = show(AuditView)
  await view.get('[name=action]').setValue('session.')
  await view.get('[name=user]').setValue(' bob ')
  await view.get('[name=from]').setValue('2026-01-01')
  await view.get('[name=to]').setValue('2026-01-01')
  await view.get('form').trigger('submit')
  await flushPromises()
  const asked = new URL(made.at(-1)!.replace('GET ', ''), 'http://b').searchParams
  expect(asked.get('action')).toBe('session.')
  expect(asked.get('user')).toBe('bob')
  expect(asked.has('actor')).toBe(false)
  expect(asked.get('since')).toBe(new Date(2026, 0, 1).toISOString())
  expect(asked.get('until')).toBe(new Date(2026, 0, 2).toISOString())
  expect(view.get('a').attributes('href')).toBe(`/api/v1/audit/export?${asked}`)
  expect(view.text()).toContain('Nothing was recorded that matches.')
})

it('goes on with older ones', async () => {
  serve({
    'GET /audit': ({ path }) =>
      path.includes('before=7') ? page([entry(6)]) : page([entry(8), entry(7)], '7'),
  })
  const view = show(AuditView)
  await flushPromises()
  await view.findAll('button').at(-1)!.trigger('click')
  await flushPromises()
  expect(view.findAll('li')).toHaveLength(3)
  expect(view.text()).not.toContain('Load older')
})

it('drops a slow answer to an older question', async () => {
  const slow = later<Answer>()
  const answers = [slow.promise, page([entry(2, { user: 'new' })])]
  serve({ 'GET /audit': () => answers.shift()! })
  const view = show(AuditView)
  await view.get('form').trigger('submit')
  await flushPromises()
  slow.resolve(page([entry(1, { user: 'old' })]))
  await flushPromises()
  expect(view.get('[data-testid=audit]').text()).toContain('new')
  expect(view.text()).not.toContain('old')
})
