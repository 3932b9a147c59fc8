import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ok, refuse, serve, show, withAuthenticator, type Answer } from '@/testing'
import UnlockForm from './UnlockForm.vue'

beforeEach(() => {
  setActivePinia(createPinia())
  withAuthenticator(() => ({ id: 'AA' }))
})
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

async function locked(answer: Answer) {
  serve({
    'GET /session/unlock': () => answer,
    'POST /session/unlock': () => refuse(401, 'unauthenticated', { attempts_left: 3 }),
    'GET /login': () => ok({ passkeys: true, single_sign_on: { name: 'Acme' } }),
  })
  const form = show(UnlockForm, { name: 'Ann Keller', username: 'ann' })
  expect(document.activeElement).toBe(form.get('[name=password]').element)
  await vi.dynamicImportSettled()
  await flushPromises()
  return form
}

it('offers what the session can be unlocked by', async () => {
  const form = await locked(ok({ password: true, passkey: true, single_sign_on: true }))
  expect(form.text()).toContain('Unlock with a passkey')
  expect(form.text()).toContain('Unlock with Acme')
  expect(form.find('[name=password]').exists()).toBe(true)
})

it('asks nobody for a password who has none', async () => {
  const form = await locked(ok({ password: false, passkey: false, single_sign_on: true }))
  expect(form.find('[name=password]').exists()).toBe(false)
  expect(form.get('[data-way=provider]').classes()).toContain('button-primary')
})

it('takes a password where the server does not answer', async () => {
  const form = await locked(refuse(503, 'unavailable'))
  expect(form.find('[name=password]').exists()).toBe(true)
  expect(form.find('[data-way]').exists()).toBe(false)
})

it('says so where there is no way', async () => {
  const form = await locked(ok({ password: false, passkey: false, single_sign_on: false }))
  expect(form.get('[role=status]').text()).toContain('Sign in again')
})

it('keeps no password, whatever became of it', async () => {
  const form = await locked(ok({ password: true, passkey: false, single_sign_on: false }))
  const field = form.get<HTMLInputElement>('[name=password]')
  await field.setValue('wrong')
  await form.get('form').trigger('submit')
  await flushPromises()
  expect(form.text()).toContain('3 tries are left')
  expect(field.element.value).toBe('')
  expect(document.activeElement).toBe(field.element)
})
