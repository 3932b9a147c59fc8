import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Lock, Session } from '../types'
import { DeadlineWatch, type Remaining } from './deadline'
import { SessionWatch, type Phase } from './session'

const session = (more: Partial<Session> = {}) => ({
  ...{ id: 's1', state: 'active', reason: null, warning_ms: 60_000 },
  ...{ idle_remaining_ms: 900_000, max_remaining_ms: 43_200_000 },
  user: { username: 'bob', display_name: 'Bob Ng', role: 'user' },
  ...more,
})
const lock = (state: Lock['state'], more: Partial<Lock> = {}): Lock => ({
  ...{ state, reason: null, idle_remaining_ms: 900_000, max_remaining_ms: 43_200_000 },
  ...more,
})
const refusal = (status: number, body: object = {}) =>
  Response.json(
    { status, ...body },
    { status, headers: { 'Content-Type': 'application/problem+json' } },
  )

let answers: Record<string, () => Response | Promise<Response>>
let asked: string[]
let watch: SessionWatch
let phases: Phase[]

beforeEach(() => {
  vi.useFakeTimers()
  asked = []
  answers = { '/session': () => Response.json(session()) }
  vi.stubGlobal('fetch', (url: string) => {
    const path = url.slice('https://belfry.example/api/v1'.length)
    asked.push(path)
    return Promise.resolve().then(() => {
      const answer = answers[path]
      if (!answer) throw new TypeError(`nothing answers ${path}`)
      return answer()
    })
  })
  watch = new SessionWatch('https://belfry.example')
  phases = []
  watch.on('change', (phase) => phases.push(phase))
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const settled = () => vi.advanceTimersByTimeAsync(0)

describe('a session', () => {
  it('is unknown until the server has answered', async () => {
    expect(watch.phase).toBe('unknown')
    await watch.check()
    expect(watch.phase).toBe('active')
  })

  it('stays unknown while the server cannot be reached', async () => {
    answers = {}
    await watch.check()
    expect(watch.phase).toBe('unknown')
    expect(watch.reachable).toBe(false)
  })

  it('is out of reach where a proxy answers for a server that is not there', async () => {
    await watch.check()
    answers['/session'] = () => new Response('<h1>Bad gateway</h1>', { status: 502 })
    await watch.coverAndCheck()
    expect(watch.phase).toBe('checking')
    expect(watch.reachable).toBe(false)
    answers['/session'] = () => Response.json(session())
    await watch.check()
    expect(watch.reachable).toBe(true)
  })

  it('of nobody is no session that has ended', async () => {
    answers['/session'] = () => refusal(401)
    await watch.check()
    expect(watch.phase).toBe('signed_out')
  })

  it('that was known has ended, and says why', async () => {
    await watch.check()
    answers['/session'] = () => refusal(401, { reason: 'revoked' })
    await watch.check()
    expect(watch.phase).toBe('ended')
    expect(watch.reason).toBe('revoked')
  })

  it('is locked at the stream’s word, and shown again only by an answer asked for then', async () => {
    await watch.check()
    watch.onLock(lock('locked', { reason: 'idle' }))
    expect(watch.phase).toBe('locked')
    expect(watch.reason).toBe('idle')
    answers['/session'] = () => Response.json(session({ state: 'locked' }))
    watch.onLock(lock('active'))
    expect(watch.phase).toBe('locked')
    await settled()
    expect(watch.phase).toBe('locked')
    answers['/session'] = () => Response.json(session())
    watch.onLock(lock('active'))
    await settled()
    expect(watch.phase).toBe('active')
  })

  it('is not unlocked by an answer that was on its way before the lock', async () => {
    await watch.check()
    let answer: (response: Response) => void = () => undefined
    answers['/session'] = () => new Promise((resolve) => (answer = resolve))
    const checked = watch.check()
    await settled()
    watch.onLock(lock('locked'))
    answers['/session'] = () => Response.json(session({ state: 'locked' }))
    answer(Response.json(session()))
    await checked
    expect(watch.phase).toBe('locked')
  })

  it('is locked by a refusal of whatever was asked', async () => {
    await watch.check()
    answers['/notices'] = () => refusal(423, { code: 'locked' })
    answers['/session'] = () => Response.json(session({ state: 'locked', reason: 'admin' }))
    await watch.api.notices().catch(() => undefined)
    expect(watch.phase).toBe('locked')
    await settled()
    expect(watch.reason).toBe('admin')
  })

  it('of somebody else covers first, and says so', async () => {
    await watch.check()
    const replaced: string[] = []
    watch.on('replaced', ({ username }) => replaced.push(`${username} after ${phases.at(-1)}`))
    const user = { username: 'eve', display_name: 'Eve', role: 'user' as const, locale: '' }
    answers['/session'] = () => Response.json(session({ id: 's2', user }))
    await watch.check()
    expect(replaced).toEqual(['eve after checking'])
    expect(watch.session?.user.username).toBe('eve')
  })

  it('that is over is not brought back by an event of an older stream', async () => {
    await watch.check()
    watch.onLock(lock('ended', { reason: 'logout' }))
    watch.onLock(lock('locked', { reason: 'idle' }))
    watch.onLock(lock('active'))
    await settled()
    expect([watch.phase, watch.reason]).toEqual(['ended', 'logout'])
    // The stream ends without saying why.
    watch.end(null)
    expect(watch.reason).toBe('logout')
  })

  it('is covered at once by a lock that the network delays', async () => {
    await watch.check()
    let answer: (response: Response) => void = () => undefined
    answers['/session/lock'] = () => new Promise((resolve) => (answer = resolve))
    const done = watch.lock()
    expect(watch.phase).toBe('checking')
    await settled()
    answers['/session'] = () => Response.json(session({ state: 'locked', reason: 'manual' }))
    answer(Response.json(session({ state: 'locked', reason: 'manual' })))
    await done
    expect(watch.phase).toBe('locked')
  })

  it('is asked about again while its new cookie may be under way', async () => {
    await watch.check()
    let asks = 0
    answers['/session'] = () => (++asks < 3 ? refusal(401) : Response.json(session()))
    const checked = watch.check()
    await vi.advanceTimersByTimeAsync(2_000)
    await checked
    expect(watch.phase).toBe('active')
    // The first refusal covers the page, so the answer that shows it is one asked for after that.
    expect(asks).toBe(4)
  })
})

describe('unlocking', () => {
  beforeEach(async () => {
    answers['/session'] = () => Response.json(session({ state: 'locked' }))
    await watch.check()
  })

  it('shows the page', async () => {
    answers['/session/unlock'] = () => Response.json(session())
    await watch.unlock('right')
    expect(watch.phase).toBe('active')
  })

  it('is waited for by whoever asks how the session stands', async () => {
    let answer: (response: Response) => void = () => undefined
    answers['/session/unlock'] = () => new Promise((resolve) => (answer = resolve))
    asked = []
    const done = watch.unlock('right')
    watch.onLock(lock('active'))
    await settled()
    expect(asked).toEqual(['/session/unlock'])
    answer(Response.json(session()))
    await done
    expect(watch.phase).toBe('active')
  })

  it('says how many tries are left', async () => {
    answers['/session/unlock'] = () => refusal(401, { attempts_left: 3 })
    await expect(watch.unlock('wrong')).rejects.toMatchObject({ attemptsLeft: 3 })
    expect(watch.phase).toBe('locked')
  })

  it('ends with the last try', async () => {
    answers['/session/unlock'] = () => refusal(401, { reason: 'too_many_attempts' })
    answers['/session'] = () => refusal(401, { reason: 'too_many_attempts' })
    await watch.unlock('wrong')
    expect(watch.phase).toBe('ended')
    expect(watch.reason).toBe('too_many_attempts')
  })
})

describe('deadlines', () => {
  let shown: (Remaining | null)[]
  let deadline: DeadlineWatch

  /** Follows a session of which so much is left to idle. */
  async function follow(idle_remaining_ms: number) {
    answers['/session'] = () => Response.json(session({ idle_remaining_ms: 900_000 }))
    await watch.check()
    answers['/session'] = () => Response.json(session({ idle_remaining_ms }))
    await watch.check()
    shown = []
    deadline = new DeadlineWatch(watch, (warning) => shown.push(warning))
  }
  afterEach(() => deadline.stop())

  it('are warned of when the server has said so within the time for it', async () => {
    await follow(61_000)
    expect(shown.at(-1)).toBeNull()
    answers['/session'] = () => Response.json(session({ idle_remaining_ms: 60_000 }))
    await vi.advanceTimersByTimeAsync(1_100)
    expect(shown.at(-1)).toMatchObject({ kind: 'idle' })
    await vi.advanceTimersByTimeAsync(30_000)
    expect(shown.at(-1)?.ms).toBeLessThan(31_000)
  })

  it('are not warned of where another tab was busy', async () => {
    await follow(61_000)
    answers['/session'] = () => Response.json(session({ idle_remaining_ms: 500_000 }))
    await vi.advanceTimersByTimeAsync(1_100)
    expect(shown.filter((warning) => warning !== null)).toEqual([])
  })

  it('cover the page when they pass without the server’s word', async () => {
    await follow(61_000)
    answers = {}
    await vi.advanceTimersByTimeAsync(61_100)
    expect(watch.phase).toBe('checking')
    expect(shown.at(-1)).toBeNull()
  })

  it('that passed while nobody looked cover before the page is seen', async () => {
    await follow(61_000)
    answers = {}
    // The machine slept: only the clock on the wall went on.
    vi.setSystemTime(Date.now() + 120_000)
    window.dispatchEvent(new Event('focus'))
    expect(watch.phase).toBe('checking')
  })

  it('are asked for where the browser has kept the page, which is covered until then', async () => {
    await follow(61_000)
    answers = {}
    window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }))
    expect(watch.phase).toBe('checking')
  })

  it.each(['focus', 'online', 'pageshow'])(
    'are looked at no more once stopped: %s',
    async (type) => {
      await follow(61_000)
      deadline.stop()
      vi.setSystemTime(Date.now() + 120_000)
      asked = []
      window.dispatchEvent(Object.assign(new Event(type), { persisted: true }))
      await vi.advanceTimersByTimeAsync(120_000)
      expect([watch.phase, asked]).toEqual(['active', []])
    },
  )

  it('are moved by what a person does, said at most once in a while', async () => {
    await follow(300_000)
    answers['/session/activity'] = () => Response.json(session())
    asked = []
    await watch.active()
    await watch.active()
    expect(asked).toEqual(['/session/activity'])
    await vi.advanceTimersByTimeAsync(30_000)
    await watch.active()
    expect(asked.filter((path) => path === '/session/activity')).toHaveLength(2)
  })
})
