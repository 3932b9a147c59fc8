import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { settle } from '../fake'
import { BelfryBell } from './bell'
import { Connection } from './connection'
import { FakeStream, notice } from './fake'
import { SessionWatch } from './session'

customElements.define('belfry-bell', BelfryBell)

let stream: FakeStream
let watch: SessionWatch

beforeEach(() => {
  vi.stubGlobal('fetch', async () =>
    Response.json({ items: [], next_before: null, unread: 0, cursor: 'e-1' }),
  )
  stream = new FakeStream()
  watch = new SessionWatch('')
  const connection = { stream, watch, use: () => () => undefined }
  vi.spyOn(Connection, 'of').mockReturnValue(connection as unknown as Connection)
})
afterEach(() => {
  document.body.innerHTML = ''
  vi.unstubAllGlobals()
})

it('keeps nothing of what it has read out once the page is locked', async () => {
  const bell = document.createElement('belfry-bell')
  document.body.append(bell)
  const limits = { idle_remaining_ms: 9e5, max_remaining_ms: 4e7 }
  watch.adopt({ id: 's1', state: 'active', user: { username: 'bob' }, ...limits } as never)
  await settle()
  for (const severity of ['info', 'critical'] as const) {
    const id = severity === 'info' ? 2 : 3
    stream.say('notice', { id: `e-${id}`, data: notice(id, { severity }) })
  }
  expect(bell.shadowRoot?.textContent).toContain('Notice 2')
  watch.onLock({ state: 'locked', reason: 'manual', ...limits })
  expect(bell.shadowRoot?.textContent).not.toContain('Notice')
})
