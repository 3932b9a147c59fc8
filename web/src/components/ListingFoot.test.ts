import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, expect, it, vi } from 'vitest'
import { show } from '@/testing'
import ListingFoot from './ListingFoot.vue'

beforeEach(() => setActivePinia(createPinia()))

it('keeps the focus of whoever asked for more, and asks but once', async () => {
  const more = vi.fn()
  const list = { state: 'ready', items: [1], nextBefore: 'x', retry: vi.fn(), more }
  const foot = show(ListingFoot, { list, empty: 'None', more: 'Show more' })
  const button = foot.get('button').element
  button.focus()
  button.click()
  await foot.setProps({ list: { ...list, state: 'loading' } })
  expect(document.activeElement).toBe(button)
  expect(button.textContent.trim()).toBe('Loading…')
  button.click()
  await foot.setProps({ list })
  expect(document.activeElement).toBe(button)
  expect(more).toHaveBeenCalledOnce()
})
