import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createMemoryHistory, createRouter } from 'vue-router'
import { createPinia, setActivePinia } from 'pinia'
import { i18n } from '@/i18n'
import { refuse, serve, type Answer } from '@/testing'
import ResetView from './ResetView.vue'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

async function opened(address: string, answer: Answer = { status: 204, body: {} }) {
  const bodies: unknown[] = []
  serve({
    'POST /password/reset': ({ body }) => {
      bodies.push(body)
      return answer
    },
  })
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [{ path: '/reset', name: 'reset', component: ResetView, meta: { title: 'nav.reset' } }],
  })
  await router.push(address)
  const page = mount(ResetView, {
    attachTo: document.body,
    global: { plugins: [i18n, router, createPinia()] },
  })
  await flushPromises()
  const type = async (next: string, repeat = next) => {
    const [first, second] = page.findAll('input[type=password]')
    await first?.setValue(next)
    await second?.setValue(repeat)
    await page.find('form').trigger('submit')
    await flushPromises()
  }
  return { page, router, bodies, type }
}

it('takes the token out of the address at once, and sends it with the password', async () => {
  const { page, router, bodies, type } = await opened('/reset#t0ken')
  expect(router.currentRoute.value.fullPath).toBe('/reset')
  await type('another password')
  expect(bodies).toEqual([{ token: 't0ken', new: 'another password' }])
  expect(page.text()).toContain('Your password is changed')
  expect(document.activeElement?.getAttribute('href')).toBe('/')
})

it('asks the server nothing while the two differ or are short', async () => {
  const { page, bodies, type } = await opened('/reset#t0ken')
  await type('another password', 'another passwort')
  expect(page.text()).toContain('The two do not match.')
  await type('short')
  expect(page.text()).toContain('At least 8 characters.')
  expect(bodies).toEqual([])
})

it('offers no form for a link without a token', async () => {
  const { page } = await opened('/reset')
  expect(page.find('form').exists()).toBe(false)
  expect(page.get('[role=alert]').text()).toContain('This link does not work')
})

it('says that a link was used, and not that the password is wrong', async () => {
  const used = refuse(422, 'invalid', { errors: [{ field: 'body.token', detail: 'unknown' }] })
  const { page, type } = await opened('/reset#t0ken', used)
  await type('another password')
  expect(page.get('[role=alert]').text()).toContain('This link does not work')
})

it('keeps the form when the server cannot do it now', async () => {
  const { page, type } = await opened('/reset#t0ken', refuse(503, 'unavailable'))
  await type('another password')
  expect(page.get('[role=alert]').text()).toContain('Try again')
  expect(page.find('form').exists()).toBe(true)
})
