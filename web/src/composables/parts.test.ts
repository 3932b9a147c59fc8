import { mount } from '@vue/test-utils'
import { beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'
import { inSpareTime, patiently, quietly, useMissingParts } from './parts'

const tell = vi.fn<() => void>()

/** Fails as an import does in a built page: the window hears of it first, then whoever asked. */
const missing = () => {
  const error = new TypeError('Failed to fetch dynamically imported module')
  window.dispatchEvent(Object.assign(new Event('vite:preloadError'), { payload: error }))
  return Promise.reject(error)
}
const later = () => new Promise((resolve) => setTimeout(resolve))

beforeEach(() => {
  tell.mockReset()
  const page = mount(defineComponent({ setup: () => (useMissingParts(tell), () => h('p')) }))
  return () => page.unmount()
})

it('tells of a part that did not come', async () => {
  await missing().catch(() => undefined)
  await later()
  expect(tell).toHaveBeenCalledOnce()
})

it('leaves it to those who asked quietly, who hear of it all the same', async () => {
  await expect(quietly(missing)).rejects.toThrow('Failed to fetch')
  await later()
  expect(tell).not.toHaveBeenCalled()
})

it('is told once by those who try on, after some tries', async () => {
  const fetch = patiently(missing, 3)
  const told: number[] = []
  for (let n = 0; n < 6; n++) {
    await expect(fetch()).rejects.toThrow('Failed to fetch')
    await later()
    told.push(tell.mock.calls.length)
  }
  expect(told).toEqual([0, 0, 0, 1, 1, 1])
})

it('says nothing of what was fetched in spare time', async () => {
  vi.useFakeTimers()
  vi.stubGlobal('requestIdleCallback', (run: () => void) => run())
  const came = vi.fn(() => Promise.resolve())
  inSpareTime([missing, came])
  expect(came).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(6_000)
  expect(came).toHaveBeenCalledOnce()
  expect(tell).not.toHaveBeenCalled()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})
