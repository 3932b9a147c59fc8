import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { useSession } from '@/stores/session'
import { aSession, ok, refuse, serve, show, type Answer } from '@/testing'
import DevicesView from './DevicesView.vue'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => vi.unstubAllGlobals())

it('offers to ask again where the list did not come', async () => {
  let answer: Answer = refuse(503, 'unavailable')
  serve({ 'GET /sessions': () => answer })
  useSession().adopt(aSession())
  const view = show(DevicesView)
  await flushPromises()
  expect(view.text()).not.toContain('Loading')
  answer = ok({ items: [{ ...aSession(), current: true, user_agent: '' }], next_before: null })
  await view.get('button').trigger('click')
  await flushPromises()
  expect(view.text()).toContain('Unknown device')
  expect(view.text()).not.toContain('Try again')
})
