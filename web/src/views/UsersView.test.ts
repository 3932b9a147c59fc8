import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { aSession, ok, refuse, serve, show } from '@/testing'
import { useMessages } from '@/stores/messages'
import { useSession } from '@/stores/session'
import UsersView from './UsersView.vue'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

const since = { created_at: '2026-01-01T00:00:00.000Z', disabled: false }
const ann = { username: 'ann', display_name: 'Ann Keller', role: 'admin', ...since }
const bob = { username: 'bob', display_name: 'Bob Ng', role: 'user', ...since }

async function opened(users: object[] = [bob]) {
  const proven = { value: true }
  const made = serve({
    'GET /users': () => ok({ items: users, next_before: null }),
    'POST /users/bob/reset-link': () => ({
      status: 201,
      body: { url: 'https://b.example/reset#t0ken', expires_at: '2026-01-01T01:00:00.000Z' },
    }),
    'DELETE /users/bob/factors': () => ({ status: 204, body: {} }),
    'POST /users/bob/sessions/lock': () => ok({ count: 1 }),
    'DELETE /users/bob': () =>
      proven.value ? { status: 204, body: {} } : refuse(403, 'reauthentication_required'),
    'GET /factors': () => ok({ password: true, passkeys: 0, single_sign_on: false }),
    'POST /session/reauthenticate': () => ({ status: 204, body: {} }),
  })
  useSession().adopt(aSession())
  const view = show(UsersView)
  await flushPromises()
  return { view, made, proven }
}

const dialog = () => document.querySelector('[role=dialog]')
async function agree(): Promise<void> {
  ;[...dialog()!.querySelectorAll('button')].at(-1)!.click()
  await flushPromises()
}

type View = Awaited<ReturnType<typeof opened>>['view']

/** Opens the menu of somebody's row. */
async function menu(view: View, name: string): Promise<HTMLElement[]> {
  await view.get(`[aria-label="What can be done with ${name}"]`).trigger('click')
  return vi.waitUntil(() => {
    const items = [...document.querySelectorAll<HTMLElement>('[role=menuitem]')]
    return items.length > 0 && items
  })
}

async function choose(view: View, label: string): Promise<void> {
  const item = (await menu(view, 'Bob Ng')).find((one) => one.textContent?.trim() === label)
  item!.click()
  await flushPromises()
}

it('makes a reset link once it was said again, and forgets it with its dialog', async () => {
  const { view, made } = await opened()
  await choose(view, 'Reset link')
  expect(made).toEqual(['GET /users'])
  await agree()
  const field = dialog()!.querySelector('input')!
  expect(field.value).toBe('https://b.example/reset#t0ken')
  expect(field.readOnly).toBe(true)
  await agree()
  expect(dialog()).toBeNull()
})

it('removes factors once it was said again', async () => {
  const { view, made } = await opened()
  await choose(view, 'Remove factors')
  await agree()
  expect(made).toContain('DELETE /users/bob/factors')
  expect(useMessages().current?.text).toContain('Bob Ng')
})

it('locks sessions without a question: nothing is lost by it', async () => {
  const { view, made } = await opened()
  await choose(view, 'Lock their sessions')
  expect(dialog()).toBeNull()
  expect(made).toEqual(['GET /users', 'POST /users/bob/sessions/lock', 'GET /users'])
})

it('deletes once the server has a fresh proof', async () => {
  const { view, made, proven } = await opened()
  proven.value = false
  await choose(view, 'Delete')
  expect(made).toEqual(['GET /users'])
  await agree()
  const field = dialog()!.querySelector<HTMLInputElement>('[type=password]')!
  proven.value = true
  field.value = 'pw'
  field.dispatchEvent(new Event('input'))
  dialog()!.querySelector('form')!.requestSubmit()
  await flushPromises()
  expect(made.filter((request) => request === 'DELETE /users/bob')).toHaveLength(2)
  expect(useMessages().current?.text).toBe('Bob Ng is deleted.')
})

it('offers nobody to shut themselves out', async () => {
  const { view } = await opened([ann, bob])
  const labels = (await menu(view, 'Ann Keller')).map((one) => one.textContent?.trim())
  expect(labels).toEqual(['Reset link', 'Remove factors'])
})

it('asks the server for those whose name is typed', async () => {
  const { view, made } = await opened()
  await view.get('input[type=search]').setValue('an')
  await vi.waitUntil(() => made.includes('GET /users?q=an'))
})
