import { flushPromises } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { handOver } from '@/composables/signOnChannel'
import { aSession, later, ok, refuse, serve, show, withAuthenticator, type Answer } from '@/testing'
import { useSession } from '@/stores/session'
import OtherWays from './OtherWays.vue'

beforeEach(() => setActivePinia(createPinia()))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

const begun = () => ok({ ceremony: 'c1', options: { challenge: 'AA' } })
const both = { passkey: true, provider: 'Acme', password: true }
const alert = (ways: ReturnType<typeof show>) => ways.get('[role=alert]').text()

describe('a passkey', () => {
  it('unlocks', async () => {
    withAuthenticator(() => ({ id: 'AA' }))
    serve({
      'POST /session/unlock/passkey/options': begun,
      'POST /session/unlock/passkey': ({ body }) => {
        expect(body).toEqual({ ceremony: 'c1', credential: { id: 'AA' } })
        return ok(aSession())
      },
    })
    const ways = show(OtherWays, { purpose: 'unlock', ...both })
    await ways.get('[data-way=passkey]').trigger('click')
    await flushPromises()
    expect(useSession().phase).toBe('active')
    expect(ways.emitted('done')).toHaveLength(1)
  })

  it('of someone else counts, and the page says how many tries are left', async () => {
    withAuthenticator(() => ({ id: 'AA' }))
    serve({
      'POST /session/unlock/passkey/options': begun,
      'POST /session/unlock/passkey': () => refuse(401, 'unauthenticated', { attempts_left: 3 }),
    })
    const ways = show(OtherWays, { purpose: 'unlock', ...both })
    await ways.get('[data-way=passkey]').trigger('click')
    await flushPromises()
    expect(alert(ways)).toContain('3 tries are left')
    expect(ways.emitted('done')).toBeUndefined()
  })

  it('that the user does not choose changes nothing, and can be asked for again', async () => {
    const dismiss = () => {
      throw new DOMException('no', 'NotAllowedError')
    }
    withAuthenticator(dismiss)
    const made = serve({ 'POST /login/passkey/options': begun })
    const ways = show(OtherWays, { purpose: 'signIn', ...both })
    for (const times of [1, 2]) {
      await ways.get('[data-way=passkey]').trigger('click')
      await flushPromises()
      expect(alert(ways)).toBe('No passkey was used. Nothing has changed.')
      expect(made).toHaveLength(times)
    }
  })

  it('confirms without touching the session', async () => {
    withAuthenticator(() => ({ id: 'AA' }))
    serve({
      'POST /session/reauthenticate/passkey/options': begun,
      'POST /session/reauthenticate/passkey': () => ({ status: 204, body: {} }),
    })
    const ways = show(OtherWays, { purpose: 'confirm', ...both })
    await ways.get('[data-way=passkey]').trigger('click')
    await flushPromises()
    expect(ways.emitted('done')).toHaveLength(1)
  })

  it('is not offered by a browser that has none', () => {
    const ways = show(OtherWays, { purpose: 'unlock', ...both })
    expect(ways.find('[data-way=passkey]').exists()).toBe(false)
    expect(ways.find('[data-way=provider]').exists()).toBe(true)
  })
})

describe('the provider', () => {
  const replace = vi.fn()
  const popup = { location: { replace }, close: vi.fn() }
  const away = { url: 'https://id.example/authorize?client_id=b&state=s1' }
  beforeEach(() => {
    replace.mockReset()
    popup.close.mockReset()
  })

  /** A locked page that has sent a window away. */
  async function sentAway(finish: Parameters<typeof serve>[0][string]) {
    vi.spyOn(window, 'open').mockReturnValue(popup as unknown as Window)
    const made = serve({
      'POST /login': () => ok(aSession({ state: 'locked' })),
      'POST /session/unlock/oidc': () => ok(away),
      'POST /login/oidc/finish': finish,
    })
    await useSession().signIn('ann', 'pw')
    const ways = show(OtherWays, { purpose: 'unlock', ...both })
    await ways.get('[data-way=provider]').trigger('click')
    await flushPromises()
    expect(replace).toHaveBeenCalledWith(away.url)
    return { ways, made }
  }

  it('unlocks the page that waits, by what the window brought back', async () => {
    const { ways } = await sentAway(({ body }) => {
      expect(body).toEqual({ code: 'k', state: 's1' })
      return ok(aSession())
    })
    expect(await handOver({ state: 's1', code: 'k' })).toBe(true)
    await vi.waitFor(() => expect(ways.emitted('done')).toHaveLength(1))
    expect(useSession().phase).toBe('active')
  })

  it('is not believed for another sign-in than the one begun here', async () => {
    const { ways, made } = await sentAway(() => ok(aSession()))
    expect(await handOver({ state: 's2', code: 'k' })).toBe(false)
    expect(made).not.toContain('POST /login/oidc/finish')
    expect(ways.emitted('done')).toBeUndefined()
  })

  it('is waited for by nobody where the page went while the server began', async () => {
    vi.spyOn(window, 'open').mockReturnValue(popup as unknown as Window)
    const begun = later<Answer>()
    const made = serve({ 'POST /session/unlock/oidc': () => begun.promise })
    useSession().phase = 'locked'
    const ways = show(OtherWays, { purpose: 'unlock', ...both })
    await ways.get('[data-way=provider]').trigger('click')
    ways.unmount()
    begun.resolve(ok({ url: 'https://id.example/authorize?state=s3' }))
    await flushPromises()
    expect(await handOver({ state: 's3', code: 'k' })).toBe(false)
    expect(made).toEqual(['POST /session/unlock/oidc'])
  })

  it('that sends back no code changes nothing', async () => {
    const { ways, made } = await sentAway(() => ok(aSession()))
    expect(await handOver({ state: 's1', code: null })).toBe(true)
    await vi.waitFor(() => expect(alert(ways)).toContain('was not finished'))
    expect(made).not.toContain('POST /login/oidc/finish')
  })

  it('is said to be blocked where the browser opens no window', async () => {
    vi.spyOn(window, 'open').mockReturnValue(null)
    const made = serve({})
    const ways = show(OtherWays, { purpose: 'unlock', ...both })
    useSession().phase = 'locked'
    await ways.get('[data-way=provider]').trigger('click')
    await flushPromises()
    expect(alert(ways)).toContain('Allow pop-ups')
    expect(made).toEqual([])
  })

  it('leaves no empty window behind when the server cannot begin', async () => {
    vi.spyOn(window, 'open').mockReturnValue(popup as unknown as Window)
    serve({ 'POST /session/unlock/oidc': () => refuse(503, 'unavailable') })
    const ways = show(OtherWays, { purpose: 'unlock', ...both })
    useSession().phase = 'locked'
    await ways.get('[data-way=provider]').trigger('click')
    await flushPromises()
    expect(popup.close).toHaveBeenCalledOnce()
    expect(alert(ways)).toContain('Try again in a moment')
  })

  it('is gone to by the browser itself where there is no page to keep', async () => {
    const assign = vi.spyOn(window.location, 'assign').mockImplementation(() => undefined)
    const open = vi.spyOn(window, 'open')
    serve({ 'POST /login/oidc': () => ok(away) })
    const ways = show(OtherWays, { purpose: 'signIn', ...both })
    useSession().phase = 'signed_out'
    await ways.get('[data-way=provider]').trigger('click')
    await flushPromises()
    expect(assign).toHaveBeenCalledWith(away.url)
    expect(open).not.toHaveBeenCalled()
  })
})
