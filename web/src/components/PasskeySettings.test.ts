import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Passkey } from '@client'
import { ok, serve, show, withAuthenticator } from '@/testing'
import { useMessages } from '@/stores/messages'
import PasskeySettings from './PasskeySettings.vue'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

const laptop: Passkey = {
  id: 1,
  name: 'Laptop',
  created_at: '2026-01-01T00:00:00.000Z',
  last_used_at: null,
}

/** The section before a server that keeps passkeys, and begins a ceremony for each. */
async function section(kept: Passkey[] = []) {
  const made = serve({
    'GET /passkeys': () => ok({ items: kept, next_before: null }),
    'POST /passkeys/options': () => ok({ ceremony: 'c1', options: { challenge: 'AA' } }),
    'POST /passkeys': ({ body }) => {
      expect(body).toEqual({ ceremony: 'c1', name: 'Key ring', credential: { id: 'AA' } })
      kept.push({ ...laptop, id: 2, name: 'Key ring' })
      return { status: 201, body: kept.at(-1)! }
    },
    'DELETE /passkeys/1': () => {
      kept.length = 0
      return { status: 204, body: {} }
    },
  })
  const page = show(PasskeySettings, { offered: true })
  await flushPromises()
  return { page, made }
}

it('adds one under a name of the user', async () => {
  withAuthenticator(() => ({ id: 'AA' }))
  const { page } = await section()
  await page.get('button').trigger('click')
  expect(page.get('input').element.value).toBe('Chrome on Linux')
  await page.get('input').setValue(' Key ring ')
  await page.get('form').trigger('submit')
  await flushPromises()
  expect(page.get('li').text()).toContain('Key ring')
  expect(page.find('form').exists()).toBe(false)
  expect(page.emitted('changed')).toHaveLength(1)
})

it.each([
  ['NotAllowedError', 'No passkey was used'],
  ['InvalidStateError', 'already keeps a passkey'],
])('sends nothing after %s, and says what it was', async (name, words) => {
  withAuthenticator(() => {
    throw new DOMException('no', name)
  })
  const { page, made } = await section()
  await page.get('button').trigger('click')
  await page.get('form').trigger('submit')
  await flushPromises()
  expect(useMessages().current?.text).toContain(words)
  expect(made).not.toContain('POST /passkeys')
  expect(page.find('form').exists()).toBe(true)
})

it('removes one once it was said again', async () => {
  withAuthenticator(() => ({ id: 'AA' }))
  const { page, made } = await section([laptop])
  await page.get('[aria-label="Remove Laptop"]').trigger('click')
  expect(made).not.toContain('DELETE /passkeys/1')
  const dialog = document.querySelector('[role=dialog]')!
  expect(dialog.textContent).toContain('Remove Laptop?')
  ;[...dialog.querySelectorAll('button')].at(-1)!.click()
  await flushPromises()
  expect(made).toContain('DELETE /passkeys/1')
  expect(page.find('li').exists()).toBe(false)
})

it('asks for nothing where passkeys are off', async () => {
  const made = serve({})
  const page = show(PasskeySettings, { offered: false })
  await flushPromises()
  expect(made).toEqual([])
  expect(page.find('button').exists()).toBe(false)
})
