import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Factors } from '@client'
import { ok, refuse, serve, show } from '@/testing'
import AuthenticatorSettings from './AuthenticatorSettings.vue'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

const factors = (wishes: Partial<Factors> = {}): Factors => ({
  ...{ password: true, totp: false, recovery_codes: 0, passkeys: 0, single_sign_on: false },
  ...wishes,
})
const secret = {
  secret: 'JBSWY3DPEHPK3PXP',
  uri: 'otpauth://totp/Belfry:ann?secret=JBSWY3DPEHPK3PXP',
}
const button = (name: string) =>
  [...document.querySelectorAll('button')].find(({ textContent }) => textContent?.includes(name))!

async function press(name: string): Promise<void> {
  button(name).click()
  await flushPromises()
}

it('is set up with a code, and then shows the recovery codes', async () => {
  serve({
    'POST /totp': () => ok(secret),
    'POST /totp/confirm': ({ body }) => {
      expect(body).toEqual({ code: '123456' })
      return ok({ recovery_codes: ['aaaa-bbbb', 'cccc-dddd'] })
    },
  })
  const section = show(AuthenticatorSettings, { factors: factors() })
  await press('Set up')
  await vi.waitFor(() => expect(section.find('svg[role=img] path').exists()).toBe(true))
  expect(section.get('[data-testid=totp-secret]').text()).toBe('JBSW Y3DP EHPK 3PXP')
  await section.get('input').setValue('123 456')
  await section.get('form').trigger('submit')
  await flushPromises()
  expect(section.emitted('changed')).toHaveLength(1)
  await section.setProps({ factors: factors({ totp: true, recovery_codes: 2 }) })
  expect(section.get('[data-testid=recovery-codes]').text()).toContain('cccc-dddd')
  expect(document.activeElement?.textContent).toBe('Your recovery codes')
  await press('I have kept them')
  expect(section.text()).not.toContain('cccc-dddd')
  expect(section.text()).toContain('2 recovery codes are left.')
  expect(document.activeElement?.textContent).toContain('Authenticator app')
})

it('lets a wrong code be typed again', async () => {
  serve({ 'POST /totp': () => ok(secret), 'POST /totp/confirm': () => refuse(422, 'invalid') })
  const section = show(AuthenticatorSettings, { factors: factors() })
  await press('Set up')
  await section.get('input').setValue('000000')
  await section.get('form').trigger('submit')
  await flushPromises()
  expect(section.get('[role=alert]').text()).toContain('This is not the code for now')
  expect(document.activeElement).toBe(section.get('input').element)
})

it('asks who somebody is where the server wants a fresh proof, and goes on by itself', async () => {
  let proved = false
  const made = serve({
    'GET /factors': () => ok(factors()),
    'POST /totp': () => (proved ? ok(secret) : refuse(403, 'reauthentication_required')),
    'POST /session/reauthenticate': () => {
      proved = true
      return { status: 204, body: {} }
    },
  })
  const section = show(AuthenticatorSettings, { factors: factors() })
  await press('Set up')
  const field = document.querySelector<HTMLInputElement>('[role=dialog] input[type=password]')!
  field.value = 'pw'
  field.dispatchEvent(new Event('input'))
  field.form!.dispatchEvent(new Event('submit'))
  await flushPromises()
  expect(section.find('[data-testid=totp-secret]').exists()).toBe(true)
  expect(made.filter((request) => request === 'POST /totp')).toHaveLength(2)
})

it('is not turned off by one click', async () => {
  const made = serve({ 'DELETE /totp': () => ({ status: 204, body: {} }) })
  show(AuthenticatorSettings, { factors: factors({ totp: true, recovery_codes: 2 }) })
  await press('Turn off')
  expect(made).toEqual([])
  const dialog = document.querySelector('[role=dialog]')!
  ;[...dialog.querySelectorAll('button')].at(-1)!.click()
  await flushPromises()
  expect(made).toEqual(['DELETE /totp'])
})
