import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import ReceiptsDialog from './ReceiptsDialog.vue'
import { useSession } from '@/stores/session'
import { aNotice, aSession, later, ok, refuse, serve, show, type Answer } from '@/testing'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

const aSent = (n: number) => ({ ...aNotice(n), reads: 1, recipients: 2 })
const page = (username: string) =>
  ok({
    items: [{ username, display_name: '', read_at: '2026-01-01T00:00:00Z' }],
    next_before: null,
  })

/** Shows the readers of a notice, whose names the server takes its time to tell. */
async function opened() {
  const first = later<Answer>()
  serve({
    'GET /notices/1/receipts': () => first.promise,
    'GET /notices/2/receipts': () => page('bob'),
  })
  const session = useSession()
  session.adopt(aSession())
  const view = show(ReceiptsDialog, { modelValue: null })
  await view.setProps({ modelValue: aSent(1) })
  return { view, session, first }
}

it('names nobody under a lock that came before the answer', async () => {
  const { session, first } = await opened()
  session.onLock({ state: 'locked', reason: 'idle', idle_remaining_ms: 0, max_remaining_ms: 1 })
  first.resolve(page('carol'))
  await flushPromises()
  expect(document.body.textContent).not.toContain('carol')
})

it('says nothing of a failure that is about another message', async () => {
  const { view, first } = await opened()
  await view.setProps({ modelValue: aSent(2) })
  await flushPromises()
  first.resolve(refuse(503, 'unavailable'))
  await flushPromises()
  expect(document.querySelector('[role=alert]')).toBeNull()
  expect(document.body.textContent).toContain('bob')
})
