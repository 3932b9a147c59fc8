import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Task } from '@client'
import { LogParser, type Row } from '@/log/parser'
import { aSession } from '@/testing'
import { dice } from '../../e2e/dice'
import { useLogSearch } from './logSearch'
import { useSession } from './session'
import { useTaskLog } from './taskLog'

const encoder = new TextEncoder()
const textOf = (row: Row) => row.spans.map(({ text }) => text).join('')

/** A server with one task, as the page meets it. */
class TaskServer {
  bytes = new Uint8Array()
  task: Task = {
    id: 7,
    title: 'Deploy',
    state: 'running',
    exit_code: null,
    bytes: 0,
    created_at: '2026-01-01T00:00:00.000Z',
    ended_at: null,
  }
  asked: string[] = []
  /** Whether streams lag behind. */
  slow = false
  status = 200
  private streams: { at: number; controller: ReadableStreamDefaultController<Uint8Array> }[] = []

  readonly fetch = async (url: string, init?: RequestInit): Promise<Response> => {
    this.asked.push(url)
    if (this.status !== 200) {
      const headers = { 'Content-Type': 'application/problem+json' }
      const body = JSON.stringify({ code: this.status === 404 ? 'not_found' : 'internal' })
      return new Response(body, { status: this.status, headers })
    }
    if (url.startsWith('/sse/')) return this.stream(url, init)
    const { pathname, searchParams } = new URL(url, 'http://x')
    if (!pathname.endsWith('/log')) return Response.json(this.task)
    const from = Math.min(Number(searchParams.get('from')), this.bytes.length)
    const limit = Number(searchParams.get('limit') ?? Infinity)
    return new Response(this.bytes.slice(from, from + limit), {
      headers: { 'Log-End': String(this.bytes.length), 'Task-State': this.task.state },
    })
  }

  get open(): number {
    return this.streams.length
  }

  write(text: string): void {
    const [before, added] = [this.bytes, encoder.encode(text)]
    this.bytes = new Uint8Array(before.length + added.length)
    this.bytes.set(before)
    this.bytes.set(added, before.length)
    this.task = { ...this.task, bytes: this.bytes.length }
    this.tell()
  }

  finish(): void {
    this.task = { ...this.task, state: 'failed', exit_code: 2, ended_at: this.task.created_at }
    this.tell()
  }

  /** Breaks all connections. */
  cut(): void {
    this.streams.splice(0).forEach(({ controller }) => controller.error(new TypeError('cut')))
  }

  private stream(url: string, init?: RequestInit): Response {
    const header = new Headers(init?.headers).get('Last-Event-ID')
    const at = Number(header ?? new URL(url, 'http://x').searchParams.get('from'))
    if (header && at === this.bytes.length && this.task.state !== 'running') {
      return new Response(null, { status: 204 })
    }
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const stream = { at, controller }
        this.streams.push(stream)
        init?.signal?.addEventListener('abort', () => {
          this.streams = this.streams.filter((other) => other !== stream)
        })
      },
    })
    queueMicrotask(() => this.tell())
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } })
  }

  tell(): void {
    for (const stream of this.slow ? [] : [...this.streams]) {
      const send = (block: string) => stream.controller.enqueue(encoder.encode(block))
      const end = this.bytes.length
      while (stream.at < end) {
        const piece = this.bytes.slice(stream.at, stream.at + 1_000)
        const data = { offset: stream.at, base64: btoa(String.fromCharCode(...piece)) }
        stream.at += piece.length
        send(`id: ${stream.at}\ndata: ${JSON.stringify(data)}\n\n`)
      }
      if (this.task.state === 'running') continue
      const { state, exit_code, bytes } = this.task
      send(`id: ${end}\nevent: done\ndata: ${JSON.stringify({ state, exit_code, bytes })}\n\n`)
      send(`id: ${end}\ndata: [DONE]\n\n`)
    }
  }
}

let server: TaskServer

beforeEach(() => {
  vi.useFakeTimers()
  server = new TaskServer()
  vi.stubGlobal('fetch', server.fetch)
  setActivePinia(createPinia())
  useSession().adopt(aSession())
})
afterEach(() => {
  useTaskLog().close()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const settle = (ms = 100) => vi.advanceTimersByTimeAsync(ms)
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `line ${from + n}\n`).join('')

/** What the page has, against what the whole log reads as. */
function expectTrue(): void {
  const { log } = useTaskLog()
  const parser = new LogParser(0)
  const all = parser.push(server.bytes.subarray(0, log?.to ?? 0))
  const open = parser.open()
  if (open) all.push(open)
  const shown = log?.between(-Infinity, Infinity).rows ?? []
  const within = all.filter(({ at, end }) => at >= (log?.from ?? 0) && end <= (log?.to ?? 0))
  expect(shown.map(textOf)).toEqual(within.map(textOf))
  expect(shown.at(-1)?.end ?? 0).toBe(log?.to ?? 0)
}

describe('a task’s log', () => {
  it('asks for nothing under a cover', async () => {
    server.write(lines(0, 100))
    const log = useTaskLog()
    useSession().end('max_age')
    log.open(7)
    await settle()
    expect([server.asked, log.log]).toEqual([[], null])
  })

  it('does not pile up where no frame is drawn', async () => {
    vi.stubGlobal('requestAnimationFrame', () => 1)
    server.write(lines(0, 10))
    const log = useTaskLog()
    log.open(7)
    await settle()
    const before = log.end
    server.write('x'.repeat(1_100_000) + '\n')
    await settle()
    expect(log.end).toBeGreaterThan(before + 1_000_000)
  })

  it('is text first, then the stream from its end', async () => {
    server.write(lines(0, 100))
    const log = useTaskLog()
    log.open(7)
    await settle()
    const end = server.bytes.length
    expect(server.asked.filter((url) => url.includes('/tasks/'))).toEqual([
      '/api/v1/tasks/7',
      '/api/v1/tasks/7/log?from=0',
      `/sse/tasks/7?format=json&from=${end}`,
    ])
    server.write('more')
    await settle()
    expect(log.end).toBe(end + 4)
    expectTrue()
  })

  it('tells how it ended, and asks for no stream after that', async () => {
    const log = useTaskLog()
    log.open(7)
    await settle()
    server.write('x')
    server.finish()
    await settle()
    expect(log.task).toMatchObject({ state: 'failed', exit_code: 2 })
    expect(log.ended).toBe(true)
    log.open(7)
    await settle()
    expect(server.asked.filter((url) => url.startsWith('/sse/'))).toHaveLength(1)
  })

  it('learns of an end that fell into a cut', async () => {
    const log = useTaskLog()
    log.open(7)
    await settle()
    server.write('x')
    await settle()
    server.cut()
    server.finish()
    await settle(3_000)
    expect(log.task?.state).toBe('failed')
    expectTrue()
  })

  it.each([
    [404, 'gone'],
    [500, 'failed'],
  ])('says that it is not there: %d', async (status, state) => {
    server.status = status
    const log = useTaskLog()
    log.open(7)
    await settle()
    expect(log.state).toBe(state)
    server.status = 200
    await log.load()
    expect(log.state).toBe('ready')
  })

  it('goes on by the stream where its reader has come to the end again', async () => {
    server.write(lines(0, 60_000))
    const log = useTaskLog()
    log.open(7)
    await settle()
    await log.goTo(0)
    server.write('one\n')
    await settle()
    expect(log.log!.to).toBeLessThan(530_000)
    while (log.log!.to < log.end) await log.loadAfter()
    log.follow()
    server.write('two\n')
    await settle()
    expect(log.log!.to).toBe(server.bytes.length)
    expect(server.asked.filter((url) => url.startsWith('/sse/'))).toHaveLength(1)
    expectTrue()
  })

  it('takes what it has read ahead of the stream once', async () => {
    server.write(lines(0, 60_000))
    const log = useTaskLog()
    log.open(7)
    await settle()
    await log.goTo(10)
    server.slow = true
    server.write('some more\nand more\n')
    while (log.log!.to < server.bytes.length) {
      log.end = server.bytes.length
      await log.loadAfter()
    }
    log.follow()
    server.write('and\n')
    server.slow = false
    server.tell()
    await settle()
    expect(log.log!.to).toBe(server.bytes.length)
    expectTrue()
  })

  it('keeps what its reader looks at, however short the lines are', async () => {
    const count = 400_000
    server.write('x\n'.repeat(count))
    const log = useTaskLog()
    log.open(7)
    await settle()
    const expectThere = (at: number) => {
      const { row } = log.log!.find(at)
      expect(row && [row.at <= at, at < row.end]).toEqual([true, true])
    }
    for (const at of [0, 400_000, 2 * count - 1, 300_001]) {
      await log.goTo(at)
      expectThere(at)
    }
    for (const more of [log.loadAfter, log.loadBefore]) {
      // Who scrolls on and on is at the edge of what is there each time.
      for (let n = 0; n < 6; n++) {
        const [from, to] = [log.log!.from, log.log!.to]
        await more()
        const [edge, beyond] = more === log.loadAfter ? [to - 1, to] : [from, from - 1]
        expectThere(edge)
        expectThere(beyond)
      }
    }
    log.note(log.log!.from + 2_000, 0)
    const { at } = log.here()
    await log.load()
    expectThere(at)
    server.write('y\n'.repeat(count))
    await settle()
    expectThere(at)
    expectTrue()
  })

  it('is not led away by scrolling from where it is being taken', async () => {
    server.write(lines(0, 60_000))
    const log = useTaskLog()
    log.open(7)
    await settle()
    const gone = log.goTo(0)
    log.note(log.log!.from + 100, 3)
    await gone
    expect([log.here(), log.log!.from]).toEqual([{ at: 0, offset: 0 }, 0])
    log.note(7, 3)
    expect(log.here()).toEqual({ at: 7, offset: 3 })
  })

  it('holds nothing while it is put away, and comes back to its place', async () => {
    server.write(lines(0, 500))
    const log = useTaskLog()
    log.open(7)
    await settle()
    await log.goTo(1_000)
    log.note(1_000, 7)
    log.putAway()
    expect([log.log, log.task, log.end, server.open]).toEqual([null, null, 0, 0])
    server.write(lines(500, 600))
    await log.load()
    expect(log.here()).toEqual({ at: 1_000, offset: 7 })
    expect(log.following).toBe(false)
    expect(log.end).toBe(server.bytes.length)
  })

  it('drops what an earlier beginning asked for', async () => {
    server.write('x')
    const log = useTaskLog()
    log.open(7)
    log.close()
    await settle()
    expect([log.log, log.state, server.open]).toEqual([null, 'loading', 0])
  })

  it('is true at rest, whatever happened: nothing twice, nothing missed', async () => {
    for (let seed = 0; seed < 3; seed++) {
      server = new TaskServer()
      vi.stubGlobal('fetch', server.fetch)
      setActivePinia(createPinia())
      useSession().adopt(aSession())
      const { below, pick } = dice(seed)
      const log = useTaskLog()
      let n = 0
      const grow = () =>
        server.write(lines(n, (n += 1 + below(900))) + pick(['', 'half ', '…', '\r']))
      const acts = [
        grow,
        grow,
        () => server.cut(),
        () => (server.slow = !server.slow),
        () => server.tell(),
        () => void log.loadBefore(),
        () => void log.loadAfter(),
        () => void log.loadAfter(),
        () => void log.goTo(below(server.bytes.length)),
        () => log.follow(),
        () => (log.following = false),
        () => log.putAway(),
        () => void log.load(),
      ]
      server.write(lines(0, 5_000))
      log.open(7)
      for (let step = 0; step < 60; step++) {
        pick(acts)()
        await settle(below(40))
        if (step % 25 === 0) expectTrue()
      }
      server.slow = false
      server.finish()
      await settle(40_000)
      // Who scrolls down comes to the end, and has all of it.
      if (log.log) while (log.log.to < log.end) await log.loadAfter()
      expectTrue()
      await log.load()
      log.follow()
      await settle(40_000)
      expect(log.end, `SEED=${seed}`).toBe(server.bytes.length)
      expect(log.log?.to).toBe(log.end)
      expect(log.ended).toBe(true)
      expectTrue()
      log.close()
    }
  }, 20_000)
})

describe('the search of a log', () => {
  async function opened(text: string) {
    server.write(text)
    const [log, search] = [useTaskLog(), useLogSearch()]
    log.open(7)
    await settle()
    return { log, search }
  }

  it('finds the newest first, and goes round', async () => {
    const { log, search } = await opened('a Cat\nno\n\x1b[31mc\x1b[0mat\nrat\rcat\nCAT.')
    await search.search('cat')
    expect(search.found).toEqual([30, 22, 9, 0])
    expect([search.count, search.at, log.here().at]).toEqual([4, 30, 30])
    await search.step(-1)
    expect(search.at).toBe(22)
    await search.step(1)
    await search.step(1)
    expect([search.at, log.following]).toEqual([0, false])
    await search.search('.')
    expect(search.found).toEqual([30])
    await search.search('(')
    expect([search.found, search.at, search.share]).toEqual([[], null, 1])
  })

  it('goes through a log that is longer than what is in memory, each line once', async () => {
    const { search } = await opened(lines(0, 70_000))
    await search.search('99')
    const wanted = Array.from({ length: 70_000 }, (_, n) => n).filter((n) => `${n}`.includes('99'))
    expect(search.count).toBe(wanted.length)
    expect(new Set(search.found).size).toBe(wanted.length)
  })

  it('finds what is added, a line once it is whole', async () => {
    const { log, search } = await opened('one\n')
    await search.search('two')
    expect(search.count).toBe(0)
    server.write('tw')
    await settle(1_200)
    server.write('o\nand two\n')
    await settle(1_200)
    expect(search.found).toEqual([8, 4])
    server.write('two')
    server.finish()
    await settle(2_200)
    expect([search.count, log.ended]).toEqual([3, true])
    await settle(2_200)
    expect(search.count).toBe(3)
  })

  it('stays where its reader is when it is done again after a lock', async () => {
    const { log, search } = await opened(lines(0, 500))
    await search.search('line 300')
    log.note(50, 3)
    search.putAway()
    log.putAway()
    expect([search.found, search.query]).toEqual([[], 'line 300'])
    await log.load()
    await search.search(search.query, false)
    expect([search.count, log.here()]).toEqual([1, { at: 50, offset: 3 }])
  })

  it('says where it could not go on', async () => {
    const { search } = await opened(lines(0, 10))
    server.status = 500
    await search.search('line')
    expect(search.failed).toBe(true)
  })
})
