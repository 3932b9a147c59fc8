import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'

const started = vi.fn()
const resumed = vi.fn(async () => undefined)

function speakers(touched: boolean): void {
  const made = { contexts: 0 }
  class Connects {
    connect = <Node>(node: Node) => node
  }
  vi.stubGlobal(
    'AudioContext',
    class {
      currentTime = 10
      destination = {}
      resume = resumed
      constructor() {
        if (++made.contexts > 1) throw new Error('browsers bound how many a page may have')
      }
    },
  )
  vi.stubGlobal(
    'OscillatorNode',
    class extends Connects {
      start = started
      stop = () => undefined
    },
  )
  const none = () => undefined
  vi.stubGlobal(
    'GainNode',
    class extends Connects {
      gain = {
        setValueAtTime: none,
        linearRampToValueAtTime: none,
        exponentialRampToValueAtTime: none,
      }
    },
  )
  const value = { hasBeenActive: touched }
  Object.defineProperty(navigator, 'userActivation', { value, configurable: true })
}

beforeEach(() => {
  vi.resetModules()
  started.mockClear()
  resumed.mockClear()
})
afterEach(() => {
  vi.unstubAllGlobals()
  Reflect.deleteProperty(navigator, 'userActivation')
})

it('sounds two tones each time, by one context that is resumed first', async () => {
  speakers(true)
  const { chime } = await import('./chime')
  let wake = (): void => undefined
  resumed.mockImplementationOnce(() => new Promise((resolve) => (wake = () => resolve(undefined))))
  chime()
  expect(started).not.toHaveBeenCalled()
  wake()
  await flushPromises()
  expect(started.mock.calls).toEqual([[10], [10.18]])
  chime()
  await flushPromises()
  expect(resumed).toHaveBeenCalledTimes(2)
  expect(started).toHaveBeenCalledTimes(4)
})

it('is silent in a page that nobody has touched, also later', async () => {
  speakers(false)
  const { chime } = await import('./chime')
  chime()
  speakers(true)
  await flushPromises()
  expect(resumed).not.toHaveBeenCalled()
  expect(started).not.toHaveBeenCalled()
})
