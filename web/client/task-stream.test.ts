// @vitest-environment node
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeEnvironment, settle } from './fake'
import { Problem } from './problem'
import { TaskStream } from './task-stream'
import type { Session, TaskDone } from './types'

const bytesOf = (text: string) => new TextEncoder().encode(text)
const LOG = Uint8Array.of(...bytesOf('héllo\r\n[32mok[0m\n'), 0xff, 0xfe, ...bytesOf('…'))

const piece = (from: number, to: number) => {
  const bytes = LOG.subarray(from, to)
  const data = bytes.includes(0xff)
    ? { offset: from, base64: btoa(String.fromCharCode(...bytes)) }
    : { offset: from, text: new TextDecoder().decode(bytes) }
  return `id: ${to}\ndata: ${JSON.stringify(data)}\n\n`
}
const done = (end: number) =>
  `id: ${end}\nevent: done\ndata: {"state":"failed","exit_code":2,"bytes":${end}}\n\n`
const DONE = (end: number) => `id: ${end}\ndata: [DONE]\n\n`
const lock = (state: string) =>
  `event: lock\ndata: {"state":"${state}","reason":"idle","idle_remaining_ms":1,"max_remaining_ms":1}\n\n`

let env: FakeEnvironment
let askSession: ReturnType<typeof vi.fn<() => Promise<Session>>>
let stream: TaskStream
/** What was heard of the log, each byte at its place. */
let heard: number[]
let ends: (TaskDone | null)[]
let states: string[]

beforeEach(() => {
  env = new FakeEnvironment()
  askSession = vi.fn(() => Promise.resolve({ id: 's1' } as Session))
  stream = new TaskStream(7, { session: askSession, environment: env }, 2_000)
  heard = []
  ends = []
  states = []
  stream.on('piece', ({ offset, bytes }) => {
    expect(offset).toBe(heard.length)
    heard.push(...bytes)
  })
  stream.on('done', (how) => ends.push(how))
  stream.on('status', ({ state }) => states.push(state))
})

const open = async (...blocks: string[]) => {
  env.latest().open()
  env.latest().send(...blocks)
  await settle()
}

describe('the stream of a log', () => {
  it('is asked for from a byte, and is live without a greeting', async () => {
    stream.start(0)
    expect(env.latest()).toMatchObject({
      url: '/sse/tasks/7?format=json&from=0',
      lastEventId: null,
      credentials: 'include',
    })
    await open()
    expect(states).toEqual(['connecting', 'live'])
  })

  it('gives each byte as it was written, though it is no text', async () => {
    stream.start(0)
    const at = LOG.indexOf(0xff)
    await open(piece(0, 3), piece(3, at), piece(at, at + 2), piece(at + 2, LOG.length))
    expect(heard).toEqual([...LOG])
    expect(stream.position).toBe(LOG.length)
  })

  it('goes on after a cut from the byte it stands at, and leaves out what it has', async () => {
    stream.start(0)
    await open(piece(0, 7))
    env.latest().end()
    await settle()
    await env.advance(1_000)
    expect(env.latest()).toMatchObject({ url: '/sse/tasks/7?format=json', lastEventId: '7' })
    await open(piece(0, 7), piece(0, 12), piece(10, LOG.length))
    expect(heard).toEqual([...LOG])
  })

  it('goes on from the same byte when it was never answered', async () => {
    stream.start(5)
    env.latest().fail()
    await settle()
    expect(states).toEqual(['connecting', 'stale'])
    await env.advance(1_000)
    expect(env.latest().url).toBe('/sse/tasks/7?format=json&from=5')
  })

  it('ends by itself when the task has', async () => {
    stream.start(0)
    await open(piece(0, LOG.length), done(LOG.length), DONE(LOG.length))
    expect(ends).toEqual([{ state: 'failed', exit_code: 2, bytes: LOG.length }])
    expect(stream.status.state).toBe('idle')
    await env.advance(600_000)
    expect(env.connections).toHaveLength(1)
  })

  it('says that it is over when it ended while the line was cut', async () => {
    stream.start(0)
    await open(piece(0, LOG.length))
    env.latest().end()
    await settle()
    await env.advance(1_000)
    env.latest().answer(204)
    await settle()
    expect(ends).toEqual([null])
    expect(stream.status.state).toBe('idle')
  })

  it('does not say so twice', async () => {
    stream.start(0)
    await open(done(0))
    env.latest().end()
    await settle()
    await env.advance(1_000)
    env.latest().answer(204)
    await settle()
    expect(ends).toHaveLength(1)
  })

  it('waits out a lock, and goes on', async () => {
    stream.start(0)
    await open(lock('locked'))
    expect(stream.status.state).toBe('locked')
    env.latest().send(lock('active'), piece(0, 7))
    await settle()
    expect(stream.status.state).toBe('live')
    expect(heard).toHaveLength(7)
  })

  it('ends with the session', async () => {
    askSession.mockRejectedValue(new Problem(401, { code: 'unauthenticated', reason: 'revoked' }))
    stream.start(0)
    await open(lock('ended'))
    expect(stream.status).toEqual({ state: 'ended', reason: 'revoked' })
  })

  it('asks who is signed in where it is refused', async () => {
    stream.start(0)
    env.latest().answer(401)
    await settle()
    expect(askSession).toHaveBeenCalledOnce()
    await env.advance(1_000)
    expect(env.connections).toHaveLength(2)
  })

  it('comes back when a pause says', async () => {
    stream.start(0)
    await open(`retry: 3000\nevent: pause\ndata: 1003000\n\n`)
    await env.advance(2_999)
    expect(env.connections).toHaveLength(1)
    await env.advance(1)
    expect(env.connections).toHaveLength(2)
  })

  it('hangs up when the server says nothing for longer than it does', async () => {
    stream.start(0)
    await open(piece(0, 7))
    await env.advance(4_999)
    expect(stream.status.state).toBe('live')
    await env.advance(1)
    expect(stream.status.state).toBe('stale')
  })

  it('begins anew where it is started anew, and says again that it is over', async () => {
    stream.start(0)
    await open(piece(0, 7), done(7), DONE(7))
    heard = []
    stream.start(7)
    expect(env.latest()).toMatchObject({
      url: '/sse/tasks/7?format=json&from=7',
      lastEventId: null,
    })
    env.latest().answer(204)
    await settle()
    expect(ends).toEqual([{ state: 'failed', exit_code: 2, bytes: 7 }, null])
  })

  it('stands at the end when its place was none', async () => {
    const resets: string[] = []
    stream.on('reset', ({ head }) => resets.push(head))
    stream.start(99)
    await open('id: 7\nevent: reset\ndata: {"reason":"invalid","head":"7"}\n\n')
    expect(resets).toEqual(['7'])
    expect(stream.position).toBe(7)
  })
})
