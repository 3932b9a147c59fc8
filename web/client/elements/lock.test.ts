import { afterEach, expect, it, vi } from 'vitest'
import { settle } from '../fake'
import { Connection } from './connection'
import { FakeStream } from './fake'
import { BelfryLock } from './lock'
import { SessionWatch } from './session'

customElements.define('belfry-lock', BelfryLock)

afterEach(() => {
  document.body.innerHTML = ''
})

it('warns again where it is put after it was taken from its place', async () => {
  const shown = vi.fn()
  // Neither the one nor the other is in the tests' document.
  Object.assign(HTMLElement.prototype, { showPopover: shown, hidePopover: vi.fn() })
  const watch = new SessionWatch('')
  const connection = { stream: new FakeStream(), watch, use: () => () => undefined }
  vi.spyOn(Connection, 'of').mockReturnValue(connection as unknown as Connection)
  const limits = { idle_remaining_ms: 30_000, max_remaining_ms: 40_000_000, warning_ms: 60_000 }
  const session = { id: 's1', state: 'active', reason: null, user: { username: 'bob' } }
  watch.adopt({ ...session, ...limits, idle_remaining_ms: 900_000 } as never)
  watch.adopt({ ...session, ...limits } as never)

  const lock = document.createElement('belfry-lock')
  document.body.append(lock)
  expect(shown).toHaveBeenCalledOnce()
  lock.remove()
  document.body.append(lock)
  await settle()
  expect(shown).toHaveBeenCalledTimes(2)
})
