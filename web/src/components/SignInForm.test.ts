import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { aSession, ok, refuse, serve, show, type Answer } from '@/testing'
import { useSession } from '@/stores/session'
import SignInForm from './SignInForm.vue'

/** All that was asked of the server, and the part that shows other ways, is there. */
async function settled(): Promise<void> {
  await flushPromises()
  await vi.dynamicImportSettled()
  await flushPromises()
}

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

/** The form, filled in and sent, before a server that answers so, in turn. */
async function sent(...answers: Answer[]) {
  const bodies: unknown[] = []
  serve({
    'GET /login': () => ok({ passkeys: false, single_sign_on: null }),
    'POST /login': ({ body }) => {
      bodies.push(body)
      return answers.shift()!
    },
  })
  const form = show(SignInForm)
  await form.get('[name=username]').setValue(' ann ')
  await form.get('[name=password]').setValue('pw')
  await form.get('form').trigger('submit')
  await settled()
  return { form, bodies }
}

const wanted = refuse(401, 'second_factor_required')

describe('signing in', () => {
  it('offers the provider by its name', async () => {
    serve({ 'GET /login': () => ok({ passkeys: false, single_sign_on: { name: 'Acme' } }) })
    const form = show(SignInForm)
    await settled()
    expect(form.text()).toContain('Sign in with Acme')
  })

  it('does with a password where the offer does not come', async () => {
    serve({ 'GET /login': () => refuse(503, 'unavailable') })
    const form = show(SignInForm)
    await settled()
    expect(form.findAll('button')).toHaveLength(1)
    expect(form.get('[role=alert]').text()).toBe('')
  })

  it('keeps no password that was wrong', async () => {
    const { form } = await sent(refuse(401, 'unauthenticated'))
    const field = form.get<HTMLInputElement>('[name=password]')
    expect(field.element.value).toBe('')
    expect(document.activeElement).toBe(field.element)
    expect(form.get<HTMLInputElement>('[name=username]').element.value).toBe(' ann ')
  })

  it('asks for a code only when the server does, and sends it with the password', async () => {
    const { form, bodies } = await sent(wanted, ok(aSession()))
    expect(form.find('[name=password]').exists()).toBe(false)
    expect(form.get('[role=alert]').text()).toBe('')
    const code = form.get('[name=code]')
    expect(document.activeElement).toBe(code.element)
    await code.setValue('123456')
    await form.get('form').trigger('submit')
    await settled()
    expect(bodies).toEqual([
      { username: 'ann', password: 'pw' },
      { username: 'ann', password: 'pw', code: '123456' },
    ])
    expect(useSession().phase).toBe('active')
  })

  it('lets a wrong code be typed again, without the password', async () => {
    const { form } = await sent(wanted, refuse(401, 'unauthenticated'))
    await form.get('[name=code]').setValue('000000')
    await form.get('form').trigger('submit')
    await settled()
    expect(form.get('[role=alert]').text()).toContain('This code is not right')
    expect(form.get<HTMLInputElement>('[name=code]').element.value).toBe('')
    expect(document.activeElement).toBe(form.get('[name=code]').element)
  })

  it('takes letters for a recovery code', async () => {
    const { form } = await sent(wanted)
    expect(form.get('[name=code]').attributes('inputmode')).toBe('numeric')
    await form.get('.link').trigger('click')
    expect(form.get('[name=code]').attributes('inputmode')).toBe('text')
    expect(form.get('[name=code]').attributes('autocomplete')).toBe('off')
    expect(form.text()).toContain('Recovery code')
  })

  it('forgets the password when it starts over', async () => {
    const { form } = await sent(wanted)
    await form.get('button.button-plain').trigger('click')
    await settled()
    expect(form.get<HTMLInputElement>('[name=password]').element.value).toBe('')
    expect(document.activeElement).toBe(form.get('[name=password]').element)
  })

  it('says of a wrong password what it says of an unknown name', async () => {
    const { form } = await sent(refuse(401, 'unauthenticated'))
    expect(form.get('[role=alert]').text()).toBe('This user name and password do not match.')
    expect(form.find('[name=code]').exists()).toBe(false)
  })
})
