// @vitest-environment node
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeEnvironment, settle } from './fake'
import { Problem } from './problem'
import type { ConnectionStatus } from './event-stream'
import { Stream } from './stream'
import type { Session, StreamTicket } from './types'

const block = (event: string, data: unknown, id?: string, retry?: number) =>
  (retry === undefined ? '' : `retry: ${retry}\n`) +
  (id === undefined ? '' : `id: ${id}\n`) +
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`

const hello = (id: string, resumed = true, heartbeat_ms = 1_000) =>
  block('hello', { session: { id: 's1' }, unread: 0, head: id, resumed, heartbeat_ms, now: '' }, id)
const lock = (state: string) =>
  block('lock', { state, reason: null, idle_remaining_ms: 1, max_remaining_ms: 1 })
const notice = (id: string, n: number) => block('notice', { id: n, cursor: id }, id)

let env: FakeEnvironment
let askSession: ReturnType<typeof vi.fn<() => Promise<Session>>>
let stream: Stream
let statuses: ConnectionStatus[]
let received: string[]

beforeEach(() => {
  env = new FakeEnvironment()
  askSession = vi.fn(() => Promise.resolve({ id: 's1' } as Session))
  stream = new Stream({ session: askSession, environment: env })
  statuses = []
  received = []
  stream.on('status', (status) => statuses.push(status))
  stream.on('notice', ({ id }) => received.push(id))
})

/** Starts the stream and sees it live at `e-5`. */
async function live(position: string | null = 'e-5') {
  stream.start(position)
  env.latest().open()
  env.latest().send(hello(position ?? 'e-5'), lock('active'))
  await settle()
}

describe('connecting', () => {
  it('asks for what lies after its position', () => {
    stream.start('e-5')
    expect(env.latest().lastEventId).toBe('e-5')
  })

  it('sends no position when it has none', () => {
    stream.start(null)
    expect(env.latest().lastEventId).toBeNull()
  })

  it('is live only once the server has greeted', async () => {
    stream.start(null)
    env.latest().open()
    await settle()
    expect(stream.status.state).toBe('connecting')
    env.latest().send(hello('e-5'))
    await settle()
    expect(stream.status.state).toBe('live')
  })

  it('reads events whose bytes come in pieces', async () => {
    await live()
    const text = notice('e-6', 1)
    for (const character of text) env.latest().send(character)
    await settle()
    expect(received).toEqual(['e-6'])
  })

  it('asks the page’s own server with the cookie', () => {
    stream.start(null)
    expect(env.latest()).toMatchObject({
      url: '/sse/stream',
      credentials: 'include',
      authorization: null,
    })
  })

  it('asks the server that it is told', () => {
    const options = { baseUrl: 'https://belfry.example', session: askSession, environment: env }
    new Stream(options).start(null)
    expect(env.latest()).toMatchObject({
      url: 'https://belfry.example/sse/stream',
      credentials: 'include',
    })
  })

  it('does not take a page of something else for a stream', async () => {
    stream.start(null)
    env.latest().answer(200, 'text/html')
    await settle()
    expect(stream.status.state).toBe('stale')
  })
})

describe('positions', () => {
  it('drops what it has seen, and compares offsets as numbers', async () => {
    await live('e-9')
    env.latest().send(notice('e-9', 1), notice('e-10', 2), notice('e-10', 2), notice('e-8', 0))
    await settle()
    expect(received).toEqual(['e-10'])
  })

  it('continues after a cut from the last event', async () => {
    await live()
    env.latest().send(notice('e-6', 1))
    await settle()
    env.latest().end()
    await settle()
    await env.advance(1_000)
    expect(env.latest().lastEventId).toBe('e-6')
  })

  it('continues from the greeting when nothing else came', async () => {
    await live(null)
    env.latest().end()
    await settle()
    await env.advance(1_000)
    expect(env.latest().lastEventId).toBe('e-5')
  })

  it('keeps a refused position until the reset came', async () => {
    stream.start('old-7')
    env.latest().open()
    env.latest().send(hello('e-5', false))
    await settle()
    env.latest().end()
    await settle()
    await env.advance(1_000)
    expect(env.latest().lastEventId).toBe('old-7')
  })

  it('goes on from a reset, and tells of it', async () => {
    const resets: string[] = []
    stream.on('reset', ({ reason }) => resets.push(reason))
    stream.start('old-7')
    env.latest().open()
    env.latest().send(hello('e-5', false), block('reset', { reason: 'epoch', head: 'e-5' }, 'e-5'))
    env.latest().send(notice('e-6', 1))
    await settle()
    expect(resets).toEqual(['epoch'])
    expect(received).toEqual(['e-6'])
  })
})

describe('coming back', () => {
  it('says since when it is not live', async () => {
    await live()
    const since = env.time
    env.time += 400
    env.latest().end()
    await settle()
    expect(stream.status).toEqual({ state: 'stale', since })
  })

  it('is as old as it was, however often it tries', async () => {
    await live()
    const since = env.time
    env.latest().end()
    await settle()
    await env.advance(1_000)
    env.latest().fail()
    await settle()
    expect(stream.status).toEqual({ state: 'stale', since })
  })

  it('waits longer each time, up to 30 s, with jitter, and starts over once open', async () => {
    env.dice = 1
    stream.start(null)
    const delays: number[] = []
    for (let n = 0; n < 6; n++) {
      env.latest().fail()
      await settle()
      delays.push(env.nextDelay())
      await env.advance(env.nextDelay())
    }
    expect(delays).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    env.latest().open()
    env.latest().send(hello('e-5'))
    await settle()
    env.latest().end()
    await settle()
    expect(env.nextDelay()).toBe(2_000)
    env.dice = 0
    await env.advance(2_000)
    env.latest().fail()
    await settle()
    expect(env.nextDelay()).toBe(1_000)
  })

  it('forgets how long it waited once it was stopped', async () => {
    env.dice = 1
    stream.start(null)
    for (let n = 0; n < 3; n++) {
      env.latest().fail()
      await settle()
      await env.advance(env.nextDelay())
    }
    stream.start(null)
    env.latest().fail()
    await settle()
    expect(env.nextDelay()).toBe(2_000)
  })

  it('comes back when a pause says, whatever the clock on the wall', async () => {
    await live()
    env.latest().send(block('pause', 5, undefined, 7_000))
    await settle()
    expect(stream.status.state).toBe('stale')
    expect(env.nextDelay()).toBe(7_000)
  })

  it('reads the time of a pause that has no duration', async () => {
    await live()
    env.latest().send(block('pause', env.time + 3_000))
    await settle()
    expect(env.nextDelay()).toBe(3_000)
  })

  it('hangs up after two and a half heartbeats of silence', async () => {
    await live()
    const connection = env.latest()
    await env.advance(2_400)
    expect(stream.status.state).toBe('live')
    connection.send(block('ping', { now: '' }))
    await settle()
    await env.advance(2_400)
    expect(stream.status.state).toBe('live')
    await env.advance(100)
    expect(stream.status.state).toBe('stale')
    expect(connection.aborted()).toBe(true)
  })

  it('tries at once when the page wakes up', async () => {
    await live()
    env.latest().end()
    await settle()
    env.wake()
    expect(env.connections).toHaveLength(2)
    env.wake()
    expect(env.connections).toHaveLength(2)
  })

  it('looks at a connection that fell silent while timers stood still', async () => {
    await live()
    env.time += 60_000
    env.wake()
    expect(env.connections).toHaveLength(2)
  })

  it('leaves a healthy connection alone when the page wakes up', async () => {
    await live()
    env.wake()
    expect(env.connections).toHaveLength(1)
  })

  it('is offline when the browser is, until something comes after all', async () => {
    await live()
    env.goOffline()
    expect(stream.status.state).toBe('offline')
    env.latest().send(block('ping', { now: '' }))
    await settle()
    expect(stream.status.state).toBe('live')
  })

  it('makes no more attempts once stopped', async () => {
    await live()
    stream.stop()
    expect(env.latest().aborted()).toBe(true)
    await env.advance(60_000)
    env.wake()
    stream.retry()
    expect(env.connections).toHaveLength(1)
    expect(stream.status.state).toBe('idle')
  })

  it('brings nothing more once stopped, of what came in one piece either', async () => {
    await live()
    stream.on('notice', () => stream.stop())
    env.latest().send(notice('e-6', 1) + notice('e-7', 2))
    await settle()
    expect(received).toEqual(['e-6'])
    expect(stream.position).toBe('e-6')
  })
})

describe('the session', () => {
  it('follows the lock', async () => {
    await live()
    env.latest().send(lock('locked'))
    await settle()
    expect(stream.status.state).toBe('locked')
    env.latest().send(lock('active'))
    await settle()
    expect(stream.status.state).toBe('live')
  })

  it.each([401, 204])('has ended when %i comes and the server says so', async (status) => {
    askSession.mockRejectedValue(new Problem(401, { code: 'unauthenticated', reason: 'max_age' }))
    stream.start(null)
    env.latest().answer(status)
    await settle()
    expect(stream.status).toEqual({ state: 'ended', reason: 'max_age' })
    await env.advance(60_000)
    expect(env.connections).toHaveLength(1)
  })

  it('has ended when the stream says so and the server confirms it', async () => {
    const locks: string[] = []
    stream.on('lock', ({ state }) => locks.push(state))
    askSession.mockRejectedValue(new Problem(401, { code: 'unauthenticated', reason: 'revoked' }))
    await live()
    env.latest().send(lock('ended'))
    await settle()
    expect(locks.at(-1)).toBe('ended')
    expect(stream.status).toEqual({ state: 'ended', reason: 'revoked' })
  })

  it('comes back when only its cookie was old', async () => {
    await live()
    env.latest().end()
    await settle()
    await env.advance(1_000)
    env.latest().answer(401)
    await settle()
    await env.advance(1_000)
    expect(env.connections).toHaveLength(3)
    expect(env.latest().lastEventId).toBe('e-5')
  })

  it('stops when another session took its place, and says which', async () => {
    const sessions: string[] = []
    stream.on('session', ({ id }) => sessions.push(id))
    askSession.mockResolvedValue({ id: 's2' } as Session)
    await live()
    env.latest().send(lock('ended'))
    await settle()
    expect(sessions).toEqual(['s2'])
    expect(stream.status.state).toBe('idle')
  })

  it.each([
    ['is the same', () => Promise.resolve({ id: 's1' } as Session)],
    ['is another', () => Promise.resolve({ id: 's2' } as Session)],
    ['has ended', () => Promise.reject(new Problem(401, { code: 'unauthenticated' }))],
    ['is not known', () => Promise.reject(Problem.network())],
  ])('that %s changes nothing where that is heard after a stop', async (_what, answer) => {
    let hear: (session: Promise<Session>) => void = () => undefined
    askSession.mockReturnValueOnce(new Promise((resolve) => (hear = resolve)))
    const sessions = vi.fn()
    stream.on('session', sessions)
    await live()
    env.latest().send(lock('ended'))
    await settle()
    stream.stop()
    hear(answer())
    await settle()
    await env.advance(60_000)
    expect(stream.status.state).toBe('idle')
    expect(sessions).not.toHaveBeenCalled()
    expect(env.connections).toHaveLength(1)
  })

  it('before does not matter to a stream that is begun anew', async () => {
    await live()
    askSession.mockResolvedValue({ id: 's2' } as Session)
    stream.start('e-5')
    env.latest().answer(401)
    await settle()
    expect(stream.status.state).toBe('stale')
    await env.advance(1_000)
    expect(env.connections).toHaveLength(3)
  })

  it('keeps trying while nobody can say why it was refused', async () => {
    askSession.mockRejectedValue(Problem.network())
    stream.start(null)
    env.latest().answer(401)
    await settle()
    expect(stream.status.state).toBe('stale')
    await env.advance(1_000)
    expect(env.connections).toHaveLength(2)
  })
})

describe('tickets', () => {
  let mint: ReturnType<typeof vi.fn<() => Promise<StreamTicket>>>
  let minted: number

  beforeEach(() => {
    minted = 0
    mint = vi.fn(() => Promise.resolve({ token: `t${++minted}`, expires_in_ms: 60_000 }))
    const options = { baseUrl: 'https://belfry.example', ticket: mint, environment: env }
    stream = new Stream(options)
    stream.on('status', (status) => statuses.push(status))
    stream.on('notice', ({ id }) => received.push(id))
  })

  /** Opens with a ticket, and cuts the stream that it got. */
  async function openAndCut() {
    stream.start('e-5')
    await settle()
    env.latest().open()
    env.latest().send(hello('e-5', true, 15_000))
    await settle()
    env.latest().end()
    await settle()
  }

  it('go in a header, without the cookie and never in the address', async () => {
    stream.start('e-5')
    await settle()
    expect(env.latest()).toMatchObject({
      url: 'https://belfry.example/sse/stream',
      authorization: 'Bearer t1',
      credentials: 'omit',
      lastEventId: 'e-5',
    })
  })

  it('open streams while they are good, and are replaced before they are not', async () => {
    await openAndCut()
    await env.advance(1_000)
    expect(env.latest().authorization).toBe('Bearer t1')
    env.time += 50_000
    env.latest().fail()
    await settle()
    await env.advance(1_000)
    expect(env.latest().authorization).toBe('Bearer t2')
    expect(mint).toHaveBeenCalledTimes(2)
  })

  it.each([401, 204])('are replaced once they are answered with %i', async (status) => {
    await openAndCut()
    await env.advance(1_000)
    env.latest().answer(status)
    await settle()
    expect(stream.status.state).toBe('stale')
    await env.advance(1_000)
    expect(env.latest().authorization).toBe('Bearer t2')
  })

  it('ask nobody for the session', async () => {
    await openAndCut()
    await env.advance(1_000)
    env.latest().answer(401)
    await settle()
    expect(askSession).not.toHaveBeenCalled()
  })

  it.each([401, 403])('are over where they are refused with %i', async (status) => {
    mint.mockRejectedValue(new Problem(status, {}))
    stream.start(null)
    await settle()
    expect(stream.status).toEqual({ state: 'ended', reason: null })
    await env.advance(60_000)
    env.wake()
    await settle()
    expect(mint).toHaveBeenCalledTimes(1)
    expect(env.connections).toHaveLength(0)
  })

  it.each([Problem.network(), new Problem(503, {}), new TypeError('not JSON')])(
    'are asked for again after %o',
    async (error) => {
      mint.mockRejectedValueOnce(error)
      stream.start(null)
      await settle()
      expect(stream.status.state).toBe('stale')
      await env.advance(1_000)
      expect(env.latest().authorization).toBe('Bearer t1')
    },
  )

  it('that come too late open nothing', async () => {
    let deliver: (ticket: StreamTicket) => void = () => undefined
    mint.mockReturnValueOnce(new Promise((resolve) => (deliver = resolve)))
    stream.start(null)
    stream.stop()
    deliver({ token: 'late', expires_in_ms: 60_000 })
    await settle()
    expect(env.connections).toHaveLength(0)
  })

  it('that do not come are given up like any silence', async () => {
    mint.mockReturnValueOnce(new Promise(() => {}))
    stream.start(null)
    await env.advance(37_500)
    expect(stream.status.state).toBe('stale')
    await env.advance(1_000)
    expect(env.latest().authorization).toBe('Bearer t1')
  })
})

it('tells each change of status once', async () => {
  await live()
  env.latest().send(block('ping', {}), lock('active'))
  await settle()
  expect(statuses.map(({ state }) => state)).toEqual(['connecting', 'live'])
})
