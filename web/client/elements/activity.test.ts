import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { reportActivity } from './activity'

const report = vi.fn()
let stop: () => void

beforeEach(() => {
  report.mockClear()
  stop = reportActivity(report)
})
afterEach(() => stop())

/** An event as a person's hand makes it, which scripts cannot. */
function byHand(event: Event, isTrusted = true): Event {
  Object.defineProperty(event, 'isTrusted', { value: isTrusted })
  return event
}
const move = (screenX: number) => byHand(new PointerEvent('pointermove', { screenX, screenY: 1 }))

it.each(['keydown', 'pointerdown', 'wheel', 'input'])('%s counts, until it is stopped', (type) => {
  window.dispatchEvent(byHand(new Event(type)))
  expect(report).toHaveBeenCalledOnce()
  stop()
  window.dispatchEvent(byHand(new Event(type)))
  expect(report).toHaveBeenCalledOnce()
})

it('what a script does, does not count', () => {
  window.dispatchEvent(byHand(new Event('keydown'), false))
  expect(report).not.toHaveBeenCalled()
})

it('a pointer that rests while the page moves under it does not count', () => {
  window.dispatchEvent(move(5))
  window.dispatchEvent(move(5))
  expect(report).not.toHaveBeenCalled()
  window.dispatchEvent(move(6))
  expect(report).toHaveBeenCalledOnce()
})
