import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { effectScope, type EffectScope } from 'vue'
import { useSession } from '@/stores/session'
import { useActivity } from './useActivity'

let scope: EffectScope
let active: ReturnType<typeof vi.fn>

beforeEach(() => {
  setActivePinia(createPinia())
  active = vi.fn(() => Promise.resolve())
  vi.spyOn(useSession(), 'active').mockImplementation(active as never)
  scope = effectScope()
  scope.run(() => useActivity(() => false))
})
afterEach(() => scope.stop())

/** An event as a person's hand makes it, which scripts cannot. */
function byHand(event: Event): Event {
  Object.defineProperty(event, 'isTrusted', { value: true })
  return event
}
const move = (screenX: number) => byHand(new PointerEvent('pointermove', { screenX, screenY: 1 }))

it.each(['keydown', 'pointerdown', 'wheel', 'input'])('%s counts', (type) => {
  window.dispatchEvent(byHand(new Event(type)))
  expect(active).toHaveBeenCalledTimes(1)
})

it('what a script does, does not count', () => {
  const event = new Event('keydown')
  Object.defineProperty(event, 'isTrusted', { value: false })
  window.dispatchEvent(event)
  expect(active).not.toHaveBeenCalled()
})

it('a pointer that rests while the page moves under it does not count', () => {
  window.dispatchEvent(move(5))
  window.dispatchEvent(move(5))
  expect(active).not.toHaveBeenCalled()
  window.dispatchEvent(move(6))
  expect(active).toHaveBeenCalledTimes(1)
})
