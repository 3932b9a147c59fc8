import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { useInbox } from '@/stores/inbox'
import { later, show } from '@/testing'
import SearchField from './SearchField.vue'

const way = vi.hoisted(() => ({ push: vi.fn<() => Promise<void>>() }))
vi.mock('vue-router', () => ({
  useRoute: () => ({ name: 'tasks', params: {} }),
  useRouter: () => way,
}))

beforeEach(() => {
  vi.useFakeTimers()
  setActivePinia(createPinia())
})
afterEach(() => vi.useRealTimers())

it('keeps what is typed on the way to the inbox', async () => {
  const there = later<undefined>()
  way.push.mockReturnValue(there.promise)
  const inbox = useInbox()
  const asked = vi.spyOn(inbox, 'show').mockImplementation((_, text = '') => {
    inbox.query = text
    return Promise.resolve()
  })
  const field = show(SearchField).get('input')
  await field.setValue('dep')
  await vi.advanceTimersByTimeAsync(250)
  expect(way.push).toHaveBeenCalledOnce()
  await field.setValue('depl')
  there.resolve(undefined)
  await vi.advanceTimersByTimeAsync(1)
  await nextTick()
  expect(field.element.value).toBe('depl')
  await vi.advanceTimersByTimeAsync(250)
  expect(field.element.value).toBe('depl')
  expect(asked.mock.lastCall).toEqual([inbox.view, 'depl'])
})
