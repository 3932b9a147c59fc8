import { afterEach, describe, expect, it, vi } from 'vitest'
import { settle } from '../fake'
import { Problem } from '../problem'
import { Connection } from './connection'
import { FakeStream } from './fake'
import { BelfryLock } from './lock'
import { SessionWatch } from './session'

customElements.define('belfry-lock', BelfryLock)

afterEach(() => {
  document.body.innerHTML = ''
})

it('warns again where it is put after it was taken from its place', async () => {
  const shown = vi.fn()
  // Neither the one nor the other is in the tests' document.
  Object.assign(HTMLElement.prototype, { showPopover: shown, hidePopover: vi.fn() })
  const watch = new SessionWatch('')
  const connection = { stream: new FakeStream(), watch, use: () => () => undefined }
  vi.spyOn(Connection, 'of').mockReturnValue(connection as unknown as Connection)
  const limits = { idle_remaining_ms: 30_000, max_remaining_ms: 40_000_000, warning_ms: 60_000 }
  const session = { id: 's1', state: 'active', reason: null, user: { username: 'bob' } }
  watch.adopt({ ...session, ...limits, idle_remaining_ms: 900_000 } as never)
  watch.adopt({ ...session, ...limits } as never)

  const lock = document.createElement('belfry-lock')
  document.body.append(lock)
  expect(shown).toHaveBeenCalledOnce()
  lock.remove()
  document.body.append(lock)
  await settle()
  expect(shown).toHaveBeenCalledTimes(2)
})

describe('a cover', () => {
  const limits = { idle_remaining_ms: 900_000, max_remaining_ms: 40_000_000, warning_ms: 60_000 }
  const user = { username: 'bob', display_name: 'Bob Ng', role: 'user', locale: '' } as const
  const session = { id: 's1', state: 'active', reason: null, user, ...limits }
  let watch: SessionWatch
  let offers: number

  /** A page with a lock, whose session is active. */
  function covering() {
    Object.assign(HTMLElement.prototype, { showPopover: vi.fn(), hidePopover: vi.fn() })
    watch = new SessionWatch('')
    offers = 0
    vi.spyOn(watch.api, 'unlockOffer').mockImplementation(async () => {
      offers++
      return { password: true, passkey: false, single_sign_on: false }
    })
    const connection = { stream: new FakeStream(), watch, use: () => () => undefined }
    vi.spyOn(Connection, 'of').mockReturnValue(connection as unknown as Connection)
    watch.adopt(session as never)
    const lock = document.createElement('belfry-lock')
    document.body.append(lock)
    const find = <T extends Element>(selector: string) =>
      lock.shadowRoot!.querySelector<T>(selector)!
    return { lock, find }
  }
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  it('keeps no password that was half typed when another tab was faster', () => {
    const { lock, find } = covering()
    watch.onLock({ state: 'locked', reason: 'idle', ...limits })
    expect(lock.covered).toBe(true)
    find<HTMLInputElement>('input.field').value = 'half a pass'
    watch.adopt(session as never)
    expect(lock.covered).toBe(false)
    expect(find<HTMLInputElement>('input.field').value).toBe('')
  })

  it('goes with the element, and the page is seen again', () => {
    const { lock } = covering()
    watch.onLock({ state: 'locked', reason: 'idle', ...limits })
    const hidden = document.adoptedStyleSheets.length
    lock.remove()
    expect(document.adoptedStyleSheets).toHaveLength(hidden - 1)
  })

  it('lies over a page that nobody is known on only where that is strict', () => {
    const { lock } = covering()
    const stranger = new SessionWatch('')
    const connection = { stream: new FakeStream(), watch: stranger, use: () => () => undefined }
    vi.spyOn(Connection, 'of').mockReturnValue(connection as unknown as Connection)
    lock.remove()
    document.body.append(lock)
    expect([lock.phase, lock.covered]).toEqual(['unknown', false])
    lock.strict = true
    expect(lock.covered).toBe(true)
  })

  it('sends a password once, and says when there were too many', async () => {
    const { find } = covering()
    let answer: (problem: Problem) => void = () => undefined
    const unlock = vi
      .spyOn(watch, 'unlock')
      .mockReturnValue(new Promise((_, reject) => (answer = reject)))
    watch.onLock({ state: 'locked', reason: 'idle', ...limits })
    find<HTMLInputElement>('input.field').value = 'pw'
    const send = () => find('form').dispatchEvent(new Event('submit', { cancelable: true }))
    send()
    send()
    expect(unlock.mock.calls).toEqual([['pw']])
    answer(new Problem(429, {}))
    await settle()
    expect(find('[part=trouble]').textContent).toContain('Too many tries')
    expect(find<HTMLInputElement>('input.field').value).toBe('')
  })

  it('is opened again, whatever closed it', () => {
    const { find } = covering()
    const cover = find<HTMLDialogElement>('dialog.cover')
    watch.onLock({ state: 'locked', reason: 'idle', ...limits })
    expect(cover.open).toBe(true)
    cover.close()
    expect(cover.open).toBe(true)
  })

  it('goes on top again where the page opens a dialog of its own', () => {
    const { find } = covering()
    const cover = find<HTMLDialogElement>('dialog.cover')
    watch.onLock({ state: 'locked', reason: 'idle', ...limits })
    const raised = vi.spyOn(cover, 'showModal')
    const dialog = document.createElement('dialog')
    document.body.append(dialog)
    // The tests' document does not know which dialog is modal, nor tells when one is.
    vi.spyOn(dialog, 'matches').mockImplementation((selector) => selector === ':modal')
    dialog.dispatchEvent(new Event('toggle'))
    expect(raised).toHaveBeenCalledOnce()
    watch.adopt(session as never)
    dialog.dispatchEvent(new Event('toggle'))
    expect(raised).toHaveBeenCalledOnce()
  })

  it('asks with each lock anew how it can be undone', async () => {
    covering()
    for (let n = 1; n <= 2; n++) {
      watch.onLock({ state: 'locked', reason: 'idle', ...limits })
      await settle()
      expect(offers).toBe(n)
      watch.adopt(session as never)
    }
  })

  it('stays over a page that is somebody else’s, until it is loaded anew', () => {
    const reload = vi.spyOn(location, 'reload').mockImplementation(() => undefined)
    const { lock } = covering()
    watch.adopt({ ...session, id: 's2', user: { ...user, username: 'eve' } } as never)
    expect(watch.phase).toBe('active')
    expect(lock.covered).toBe(true)
    expect(reload).toHaveBeenCalledOnce()
  })

  it.each([
    ['max_age', true],
    ['revoked', true],
    ['logout', false],
    ['disabled', false],
  ] as const)('promises the page after %s: %s', (reason, kept) => {
    const { find } = covering()
    watch.onLock({ state: 'ended', reason, ...limits })
    expect(find<HTMLElement>('.quiet').hidden).toBe(!kept)
  })

  it('asks again by itself where the server could not be asked, and only then', async () => {
    vi.useFakeTimers()
    covering()
    const ask = vi.spyOn(watch.api, 'session').mockRejectedValue(Problem.network())
    await watch.coverAndCheck()
    expect(watch.phase).toBe('checking')
    await vi.advanceTimersByTimeAsync(3_000)
    expect(ask).toHaveBeenCalledTimes(2)
    ask.mockResolvedValue(session as never)
    await vi.advanceTimersByTimeAsync(3_000)
    expect([watch.phase, ask.mock.calls.length]).toEqual(['active', 3])
    await vi.advanceTimersByTimeAsync(9_000)
    expect(ask).toHaveBeenCalledTimes(3)
  })
})
