// @vitest-environment node
import { describe, expect, it } from 'vitest'
import { FakeBrowser, type FakeTab, type Lacks } from './fake-browser'
import { SharedStream } from './shared'
import type { ConnectionStatus } from './event-stream'
import { Problem } from './problem'
import type { Hello, Session } from './types'

/** A page that follows the stream, and notes what it is told. */
class Follower {
  readonly stream: SharedStream
  readonly tab: FakeTab
  readonly seen: string[] = []
  /** What an inbox held that was loaded anew: the stream may stand before it. */
  loaded = new Set<string>()
  readonly announced: string[] = []
  readonly told: string[] = []
  readonly resets: string[] = []
  readonly statuses: ConnectionStatus[] = []

  constructor(
    browser: FakeBrowser,
    position: string | null = browser.server.head,
    worker = 'w.js',
  ) {
    this.tab = browser.openTab()
    this.stream = new SharedStream({
      session: browser.server.askSession,
      environment: this.tab.environment,
      worker,
    })
    this.stream.on('notice', ({ data }) => {
      if (!this.loaded.delete(data.title)) this.seen.push(data.title)
    })
    this.stream.on('announce', ({ data }) => this.announced.push(data.title))
    this.stream.on('reset', ({ reason }) => this.resets.push(reason))
    this.stream.on('status', (status) => this.statuses.push(status))
    for (const name of ['hello', 'lock', 'session'] as const) {
      this.stream.on(name, (data) =>
        this.told.push(`${name} ${'state' in data && name === 'lock' ? data.state : ''}`.trim()),
      )
    }
    this.stream.start(position)
  }

  get state() {
    return this.stream.status.state
  }
}

async function open(browser: FakeBrowser, count: number): Promise<Follower[]> {
  const followers: Follower[] = []
  for (let n = 0; n < count; n++) {
    followers.push(new Follower(browser))
    await browser.advance(50)
  }
  await browser.advance(1_000)
  return followers
}

const all = (followers: Follower[]) => followers.flatMap(({ announced }) => announced)

const WAYS: [string, Lacks][] = [
  ['a worker', {}],
  ['a worker, and no locks', { locks: true }],
  ['locks', { workers: true }],
  ['a lease', { workers: true, locks: true }],
]

describe.each(WAYS)('by %s', (_name, lacks) => {
  const fresh = () => new FakeBrowser(lacks)

  /** Ends whoever holds the stream, without a word; the tabs that are left. */
  function killOwner(browser: FakeBrowser, followers: Follower[]): Follower[] {
    if (!lacks.workers) {
      browser.killWorkers()
      return followers
    }
    const leader = followers.find(({ stream }) => stream.role === 'leader')!
    leader.tab.crash()
    return followers.filter((follower) => follower !== leader)
  }

  it('a tab mints the ticket that the stream begins with', async () => {
    const browser = fresh()
    let minted = 0
    const streams = [0, 1].map(
      () =>
        new SharedStream({
          ticket: () => Promise.resolve({ token: `t${++minted}`, expires_in_ms: 60_000 }),
          environment: browser.openTab().environment,
          source: 'anna',
          worker: 'w.js',
        }),
    )
    for (const stream of streams) {
      stream.start(null)
      await browser.advance(500)
    }
    expect(streams.map(({ status }) => status.state)).toEqual(['live', 'live'])
    expect([browser.streams, browser.server.opened]).toEqual([1, 1])
    expect(minted).toBe(1)
  })

  it('a tab that closes while it is asked for a ticket does not hold up the next', async () => {
    const browser = fresh()
    const ticket = { token: 't', expires_in_ms: 60_000 }
    const mints = [() => new Promise<never>(() => undefined), () => Promise.resolve(ticket)]
    const streams = mints.map((mint) => {
      const { environment } = browser.openTab()
      return new SharedStream({ ticket: mint, environment, source: 'anna', worker: 'w.js' })
    })
    for (const stream of streams) {
      stream.start(null)
      await browser.advance(500)
    }
    streams[0]!.stop()
    await browser.advance(2_000)
    expect(streams[1]!.status.state).toBe('live')
  })

  it('eight tabs have one stream, and hear the same', async () => {
    const browser = fresh()
    const followers = await open(browser, 8)
    expect(browser.streams).toBe(1)
    expect(followers.map(({ state }) => state)).toEqual(Array(8).fill('live'))
    browser.server.publish('a')
    browser.server.publish('b')
    await browser.advance(10)
    for (const { seen } of followers) expect(seen).toEqual(['a', 'b'])
    expect(all(followers)).toEqual(['a', 'b'])
  })

  it('the next takes over within two seconds, and nothing is missed or told twice', async () => {
    const browser = fresh()
    const before = await open(browser, 4)
    browser.server.publish('a')
    await browser.advance(10)
    const left = killOwner(browser, before)
    browser.server.publish('b')
    await browser.advance(2_000)
    browser.server.publish('c')
    await browser.advance(10)
    expect(browser.streams).toBe(1)
    for (const { seen, state, resets } of left) {
      expect([seen, state, resets]).toEqual([['a', 'b', 'c'], 'live', []])
    }
    const told = all(before)
    expect(told.toSorted()).toEqual(['a', 'b', 'c'])
  })

  /** Puts a page away with all that it does, as one that is left or stands in the background for long. */
  function putAway({ tab }: Follower): void {
    tab.hide()
    tab.context.frozen = true
  }

  function bringBack({ tab }: Follower): void {
    tab.context.thaw()
    tab.show()
  }

  it.each([
    ['the first', [0], 500],
    ['the first', [0], 120_000],
    ['a later one', [2], 500],
    ['a later one', [2], 120_000],
    ['all', [0, 1, 2], 500],
    ['all', [0, 1, 2], 120_000],
  ])('%s (%j) is put away for %i ms, and misses nothing', async (_who, which, awayMs) => {
    const browser = fresh()
    const followers = await open(browser, 3)
    if (lacks.workers) expect(followers[0]!.stream.role).toBe('leader')
    const away = followers.filter((_, n) => which.includes(n))
    const left = followers.filter((_, n) => !which.includes(n))
    browser.server.publish('before')
    await browser.advance(10)
    away.forEach(putAway)
    await browser.advance(awayMs / 2)
    browser.server.publish('meanwhile')
    await browser.advance(awayMs / 2)
    await browser.advance(left.length > 0 ? 2_000 : 0)
    expect(browser.streams).toBeLessThanOrEqual(1)
    for (const { seen, state } of left)
      expect([seen, state]).toEqual([['before', 'meanwhile'], 'live'])
    away.forEach(bringBack)
    await browser.advance(5_000)
    browser.server.publish('after')
    await browser.advance(10)
    expect(browser.streams).toBe(1)
    for (const { seen, state, resets } of followers) {
      expect([seen, state, resets]).toEqual([['before', 'meanwhile', 'after'], 'live', []])
    }
    expect(all(followers).toSorted()).toEqual(['after', 'before', 'meanwhile'])
  })

  it('a page that is brought back again and again has one stream', async () => {
    const browser = fresh()
    const followers = await open(browser, 2)
    const titles: string[] = []
    for (let turn = 0; turn < 20; turn++) {
      const one = followers[turn % 2]!
      putAway(one)
      titles.push(`n${turn}`)
      browser.server.publish(titles.at(-1))
      await browser.advance([0, 10, 700, 40_000][turn % 4]!)
      bringBack(one)
      await browser.advance(turn % 3)
    }
    await browser.advance(10_000)
    expect(browser.streams).toBe(1)
    for (const { seen, state } of followers) expect([seen, state]).toEqual([titles, 'live'])
    expect(all(followers)).toHaveLength(titles.length)
  })

  it('the last one to leave closes the stream, and the first to come back opens it', async () => {
    const browser = fresh()
    const followers = await open(browser, 3)
    followers.forEach(({ stream }) => stream.stop())
    await browser.advance(10)
    expect(browser.streams).toBe(0)
    expect(followers.map(({ state }) => state)).toEqual(Array(3).fill('idle'))
    browser.server.publish('while nobody listened')
    followers[2]!.stream.start('e-0')
    await browser.advance(1_000)
    expect(browser.streams).toBe(1)
    expect(followers[2]!.seen).toEqual(['while nobody listened'])
  })

  it('a page that was put away has missed nothing when it is back', async () => {
    const browser = fresh()
    const [one, two] = (await open(browser, 2)) as [Follower, Follower]
    for (const follower of [one, two]) {
      follower.tab.hide()
      browser.server.publish(`without ${follower === one ? 'one' : 'two'}`)
      await browser.advance(2_000)
      expect(follower.state).toBe('stale')
      follower.tab.show()
      await browser.advance(2_000)
      expect([follower.state, browser.streams]).toEqual(['live', 1])
    }
    expect(one.seen).toEqual(['without one', 'without two'])
    expect(two.seen).toEqual(one.seen)
    expect(all([one, two])).toEqual(expect.arrayContaining(['without one', 'without two']))
    expect(all([one, two])).toHaveLength(2)
  })

  it('is stale within two and a half heartbeats of silence, and comes back by itself', async () => {
    const browser = fresh()
    const followers = await open(browser, 3)
    const silentFrom = browser.time
    browser.server.blackHole = true
    await browser.advance(2_500)
    for (const { stream } of followers) {
      expect(stream.status.state).toBe('stale')
      expect((stream.status as { since: number }).since).toBeLessThanOrEqual(silentFrom)
    }
    await browser.advance(20_000)
    browser.server.blackHole = false
    browser.server.publish('after')
    await browser.advance(35_000)
    expect(browser.streams).toBe(1)
    for (const { state, seen } of followers) expect([state, seen]).toEqual(['live', ['after']])
  })

  it('goes on after a message was lost', async () => {
    const browser = fresh()
    const followers = await open(browser, 3)
    for (let n = 0; n < 20; n++) {
      let left = n % 4
      browser.loses = () => left-- === 0
      browser.server.publish()
      await browser.advance(200)
    }
    browser.loses = () => false
    await browser.advance(5_000)
    for (const { seen } of followers) {
      expect(seen).toEqual(Array.from({ length: 20 }, (_, n) => `n${n + 1}`))
    }
  })

  it('tells all of a lock, and holds nothing of a notice then', async () => {
    const browser = fresh()
    const [one] = (await open(browser, 2)) as [Follower]
    browser.server.publish('secret')
    await browser.advance(10)
    browser.server.lock()
    await browser.advance(10)
    expect([one.state, one.told.at(-1)]).toEqual(['locked', 'lock locked'])
    const late = new Follower(browser, 'e-0')
    await browser.advance(1_000)
    expect(late.seen).toEqual([])
    // It cannot have what was forgotten: it is told to load the inbox once it may.
    expect(late.resets).toEqual(['trimmed'])
    expect([late.state, late.told]).toEqual(['locked', ['hello', 'lock locked']])
    browser.server.publish('held back')
    browser.server.unlock()
    await browser.advance(10)
    for (const { state, seen } of [one, late])
      expect([state, seen.at(-1)]).toEqual(['live', 'held back'])
  })

  it('ends for all, and begins anew for whoever signs in', async () => {
    const browser = fresh()
    const followers = await open(browser, 3)
    browser.server.end()
    await browser.advance(2_000)
    for (const { stream, told } of followers) {
      expect(told.at(-1)).toBe('lock ended')
      expect(stream.status).toEqual({ state: 'ended', reason: 'logout' })
    }
    expect(browser.streams).toBe(0)
    browser.server.session = 's2'
    followers[1]!.stream.start(browser.server.head)
    await browser.advance(1_000)
    browser.server.publish('for the other')
    await browser.advance(10)
    expect(followers.map(({ seen }) => seen)).toEqual([[], ['for the other'], []])
    expect(browser.streams).toBe(1)
  })

  it('hands nothing on of what a session left to be announced', async () => {
    const browser = fresh()
    const [one, two] = (await open(browser, 2)) as [Follower, Follower]
    two.tab.context.frozen = true
    browser.server.publish('for the first')
    await browser.advance(10)
    one.stream.stop()
    two.tab.crash()
    browser.killWorkers()
    browser.server.session = 's2'
    one.stream.start(browser.server.head)
    await browser.advance(5_000)
    expect([one.state, one.announced]).toEqual(['live', []])
  })

  it('opens the stream anew for a tab of another session that missed nothing', async () => {
    const browser = fresh()
    await open(browser, 1)
    browser.server.session = 's2'
    const two = new Follower(browser)
    await browser.advance(2_000)
    expect(two.state).toBe('live')
    expect([...browser.server.connections].map(({ session }) => session)).toEqual(['s2'])
  })

  it('says which session took the place of the one it was for', async () => {
    const browser = fresh()
    const followers = await open(browser, 3)
    browser.server.end('s2')
    await browser.advance(2_000)
    for (const { state, told } of followers)
      expect([state, told.at(-1)]).toEqual(['idle', 'session'])
    expect(browser.streams).toBe(0)
  })

  it('gives a tab of another session nothing that was for the one before', async () => {
    const browser = fresh()
    const [one] = (await open(browser, 1)) as [Follower]
    browser.server.publish('for the first')
    await browser.advance(10)
    browser.server.session = 's2'
    const two = new Follower(browser, 'e-0')
    await browser.advance(2_000)
    expect([one.state, one.told.at(-1)]).toEqual(['idle', 'session'])
    expect(two.state).toBe('live')
    expect([...browser.server.connections].map(({ session }) => session)).toEqual(['s2'])
  })
})

it('tells what each tab is to the stream', async () => {
  const roles = async (lacks: Lacks) =>
    (await open(new FakeBrowser(lacks), 3)).map(({ stream }) => stream.role)
  expect(await roles({})).toEqual(['worker', 'worker', 'worker'])
  expect(await roles({ workers: true })).toEqual(['leader', 'follower', 'follower'])
  const lease = await roles({ workers: true, locks: true })
  expect(lease.toSorted()).toEqual(['follower', 'follower', 'leader'])
  expect(await roles({ workers: true, channels: true })).toEqual(['alone', 'alone', 'alone'])
  expect(await roles({ workers: true, locks: true, storage: true })).toEqual(Array(3).fill('alone'))
})

it('does without the worker where its script is not there', async () => {
  const browser = new FakeBrowser()
  const followers = [1, 2, 3].map(() => new Follower(browser, 'e-0', 'missing.js'))
  await browser.advance(2_000)
  expect(browser.streams).toBe(1)
  expect(followers.map(({ stream }) => stream.role)).toEqual(['leader', 'follower', 'follower'])
})

describe('where a tab holds the stream, what it needs for that', () => {
  const alone = () => new FakeBrowser({ workers: true })
  const failing: FakeTab['environment']['openWorker'] = (_script, _name, _heard, failed) => {
    queueMicrotask(failed)
    return { post: () => undefined, close: () => undefined }
  }

  it('is not fetched where there is a worker', async () => {
    const browser = new FakeBrowser()
    await open(browser, 2)
    expect(browser.partsAsked).toBe(0)
  })

  it('is fetched until it comes, and the tab does not say meanwhile that it is live', async () => {
    const browser = alone()
    browser.server.up = false
    const follower = new Follower(browser)
    await browser.advance(100_000)
    expect([follower.state, follower.stream.role]).toEqual(['connecting', null])
    // Not at every opportunity: a server that comes back has many pages.
    expect(browser.partsAsked).toBeGreaterThan(5)
    expect(browser.partsAsked).toBeLessThan(20)
    browser.server.up = true
    browser.server.publish('meanwhile')
    await browser.advance(30_500)
    expect([follower.state, follower.seen]).toEqual(['live', ['meanwhile']])
  })

  it.each([
    ['by its reader', (one: Follower) => one.stream.retry()],
    ['when the network is back', (one: Follower) => one.tab.look(true)],
  ])('is fetched at once when that is asked for %s', async (_who, ask) => {
    const browser = alone()
    browser.server.up = false
    const follower = new Follower(browser)
    await browser.advance(100_000)
    browser.server.up = true
    ask(follower)
    ask(follower)
    await browser.advance(500)
    expect([follower.state, browser.streams]).toEqual(['live', 1])
  })

  it('comes late to a tab that was stopped, and starts nothing', async () => {
    const browser = alone()
    browser.partMs = 1_000
    const follower = new Follower(browser)
    await browser.advance(500)
    expect(browser.partsAsked).toBe(1)
    follower.stream.stop()
    await browser.advance(10_000)
    expect([follower.state, follower.stream.role]).toEqual(['idle', null])
    expect([browser.streams, browser.server.opened, browser.partsAsked]).toEqual([0, 0, 1])
  })

  it('does not come any more once the tab was stopped between two tries', async () => {
    const browser = alone()
    browser.server.up = false
    const follower = new Follower(browser)
    await browser.advance(500)
    follower.stream.stop()
    browser.server.up = true
    await browser.advance(60_000)
    expect([follower.state, browser.streams, browser.partsAsked]).toEqual(['idle', 0, 1])
  })

  it('comes twice to a tab that was started anew, which begins once', async () => {
    const browser = alone()
    browser.partMs = 1_000
    const follower = new Follower(browser)
    await browser.advance(500)
    follower.stream.start(browser.server.head)
    await browser.advance(5_000)
    expect(browser.partsAsked).toBe(2)
    browser.server.publish('a')
    await browser.advance(10)
    expect([follower.stream.role, browser.streams]).toEqual(['leader', 1])
    expect([follower.seen, follower.announced]).toEqual([['a'], ['a']])
    follower.stream.stop()
    await browser.advance(1_000)
    expect(browser.streams).toBe(0)
  })

  it('comes late to tabs whose worker failed, which say until then that they are stale', async () => {
    const browser = new FakeBrowser()
    const followers = await open(browser, 2)
    browser.partMs = 60_000
    browser.killWorkers()
    for (const { tab } of followers) tab.environment.openWorker = failing
    await browser.advance(20_000)
    browser.server.publish('a')
    expect(browser.partsAsked).toBe(2)
    expect(followers.map(({ state }) => state)).toEqual(['stale', 'stale'])
    await browser.advance(60_000)
    for (const { state, seen } of followers) expect([state, seen]).toEqual(['live', ['a']])
    expect(all(followers)).toEqual(['a'])
  })
})

it.each<Lacks>([{}, { locks: true }])(
  'does without a worker that stands still: %o',
  async (lacks) => {
    const browser = new FakeBrowser(lacks)
    const followers = await open(browser, 3)
    browser.freezeWorkers()
    await browser.advance(2_500)
    expect(followers.map(({ state }) => state)).toEqual(['stale', 'stale', 'stale'])
    await browser.advance(20_000)
    expect(followers.map(({ state }) => state)).toEqual(['live', 'live', 'live'])
    expect(followers.filter(({ stream }) => stream.role === 'leader')).toHaveLength(1)
  },
)

it('takes the stream from a tab that stands still', async () => {
  const browser = new FakeBrowser({ workers: true })
  const [one, two] = (await open(browser, 2)) as [Follower, Follower]
  one.tab.context.frozen = true
  browser.server.publish('meanwhile')
  await browser.advance(10_000)
  expect([two.stream.role, two.state, two.seen]).toEqual(['leader', 'live', ['meanwhile']])
  one.tab.context.thaw()
  one.tab.show()
  await browser.advance(3_000)
  expect([one.stream.role, one.state, one.seen]).toEqual(['follower', 'live', ['meanwhile']])
  expect(browser.streams).toBe(1)
})

describe('a late tab', () => {
  it('gets what lies between', async () => {
    const browser = new FakeBrowser()
    await open(browser, 1)
    for (let n = 0; n < 100; n++) browser.server.publish()
    await browser.advance(10)
    const late = new Follower(browser, 'e-90')
    await browser.advance(1_000)
    expect(late.seen).toEqual(Array.from({ length: 10 }, (_, n) => `n${n + 91}`))
    expect(late.announced).toEqual([])
    expect(browser.server.opened).toBe(1)
  })

  it.each([
    ['e-5', 'trimmed'],
    ['d-5', 'epoch'],
  ])('at %s is told to load its inbox anew, and others are not', async (position, reason) => {
    const browser = new FakeBrowser()
    const [first] = (await open(browser, 1)) as [Follower]
    for (let n = 0; n < 400; n++) browser.server.publish()
    await browser.advance(10)
    const late = new Follower(browser, position)
    await browser.advance(1_000)
    expect(late.resets).toEqual([reason])
    expect(first.resets).toEqual([])
    browser.server.publish('new')
    await browser.advance(10)
    expect(late.seen).toEqual(['new'])
  })

  it('has a position ahead of the stream, and drops what it has', async () => {
    const browser = new FakeBrowser()
    const [first] = (await open(browser, 1)) as [Follower]
    browser.server.blackHole = true
    browser.server.publish('in its inbox')
    const late = new Follower(browser, 'e-1')
    await browser.advance(1_000)
    browser.server.blackHole = false
    browser.server.cut()
    await browser.advance(15_000)
    browser.server.publish('after')
    await browser.advance(10)
    expect(late.seen).toEqual(['after'])
    expect(first.seen).toEqual(['in its inbox', 'after'])
  })
})

describe('what waits to be announced', () => {
  /** A tab that knows of a notice that the other, which stands still, was to announce. */
  async function waiting(browser: FakeBrowser) {
    const [one, two] = (await open(browser, 2)) as [Follower, Follower]
    two.tab.context.frozen = true
    browser.server.publish('a')
    await browser.advance(10)
    return { one, two }
  }

  it.each([
    ['a lock', (browser: FakeBrowser) => browser.server.lock()],
    ['a reset', (browser: FakeBrowser) => browser.server.restore('f')],
  ])('is forgotten at %s, and no later owner hears of it', async (_what, happens) => {
    const browser = new FakeBrowser()
    const { one, two } = await waiting(browser)
    happens(browser)
    await browser.advance(1_900)
    two.tab.crash()
    browser.killWorkers()
    await browser.advance(5_000)
    expect(browser.server.connections.size).toBe(1)
    expect(one.announced).toEqual([])
  })
})

describe('a tab that was stopped', () => {
  it('does not come back when its page does', async () => {
    const browser = new FakeBrowser()
    const [one] = (await open(browser, 1)) as [Follower]
    one.stream.stop()
    one.tab.hide()
    one.tab.show()
    one.tab.look(true)
    await browser.advance(2_000)
    expect([one.state, browser.streams]).toEqual(['idle', 0])
  })

  it('does not come back when the worker that it had is gone', async () => {
    const browser = new FakeBrowser()
    const [one] = (await open(browser, 1)) as [Follower]
    one.stream.stop()
    await browser.advance(10)
    browser.killWorkers()
    await browser.advance(2_000)
    expect([one.state, browser.workersStarted]).toEqual(['idle', 1])
  })

  /** A tab that hears when a test says who is signed in. */
  function slow(browser: FakeBrowser, first?: Session) {
    const hear: ((session: Promise<Session>) => void)[] = []
    const answers = first ? [Promise.resolve(first)] : []
    const stream = new SharedStream({
      session: () => answers.shift() ?? new Promise((resolve) => hear.push(resolve)),
      environment: browser.openTab().environment,
      worker: 'w.js',
    })
    const sessions: string[] = []
    stream.on('session', ({ id }) => sessions.push(id))
    return { stream, hear, sessions }
  }
  const who = {
    somebody: async () => ({ id: 's2', state: 'active' }) as Session,
    nobody: () => Promise.reject(new Problem(401, { code: 'unauthenticated' })),
  }

  it.each(['somebody', 'nobody'] as const)(
    'does not begin where it then hears that %s is signed in',
    async (which) => {
      const browser = new FakeBrowser()
      const { stream, hear } = slow(browser)
      stream.start(null)
      stream.stop()
      hear[0]!(who[which]())
      await browser.advance(2_000)
      expect([stream.status.state, browser.server.opened]).toEqual(['idle', 0])
    },
  )

  it.each(['somebody', 'nobody'] as const)(
    'tells nothing where it then hears that %s took its place',
    async (which) => {
      const browser = new FakeBrowser()
      const { stream, hear, sessions } = slow(browser, { id: 's1', state: 'active' } as Session)
      stream.start(null)
      await browser.advance(1_000)
      browser.server.session = 's2'
      browser.server.cut()
      await browser.advance(2_000)
      expect(hear).toHaveLength(1)
      stream.stop()
      hear[0]!(who[which]())
      await browser.advance(2_000)
      expect([stream.status.state, sessions]).toEqual(['idle', []])
    },
  )
})

it('does not wait for long to hear who is signed in', async () => {
  const browser = new FakeBrowser()
  const stream = new SharedStream({
    session: () => new Promise(() => undefined),
    environment: browser.openTab().environment,
    worker: 'w.js',
  })
  stream.start(null)
  await browser.advance(9_000)
  expect(stream.status.state).toBe('connecting')
  await browser.advance(2_000)
  expect(stream.status.state).toBe('live')
})

describe('a tab that joins', () => {
  /** What a tab that comes now is told first. */
  async function join(browser: FakeBrowser) {
    const late = new Follower(browser)
    const hellos: Hello[] = []
    late.stream.on('hello', (hello) => hellos.push(hello))
    await browser.advance(1_000)
    return { late, hello: hellos[0] }
  }

  it('is told the count, and up to where it goes', async () => {
    const browser = new FakeBrowser()
    browser.server.publish()
    browser.server.publish()
    // What is replayed is in the greeting's count already.
    new Follower(browser, 'e-0')
    await browser.advance(1_000)
    expect((await join(browser)).hello).toMatchObject({ unread: 0, head: 'e-2' })
    browser.server.publish()
    await browser.advance(10)
    expect((await join(browser)).hello).toMatchObject({ unread: 1, head: 'e-3' })
  })

  it('is told no count under a lock', async () => {
    const browser = new FakeBrowser()
    await open(browser, 1)
    browser.server.publish()
    await browser.advance(10)
    browser.server.lock()
    await browser.advance(10)
    expect((await join(browser)).hello).toMatchObject({ unread: null })
  })

  it('is told how much is left by now of the time that the lock had', async () => {
    const browser = new FakeBrowser()
    const join = () =>
      new SharedStream({
        ticket: () => Promise.resolve({ token: 't', expires_in_ms: 60_000 }),
        environment: browser.openTab().environment,
        worker: 'w.js',
      })
    join().start(null)
    await browser.advance(20_000)
    const late = join()
    const left: number[] = []
    late.on('lock', ({ idle_remaining_ms }) => left.push(idle_remaining_ms))
    late.start(null)
    await browser.advance(1_000)
    expect(left).toHaveLength(1)
    expect(left[0]).toBeLessThanOrEqual(40_500)
  })

  it('is told of the time that the session it asked for has, where that is newer', async () => {
    const browser = new FakeBrowser()
    await open(browser, 1)
    await browser.advance(20_000)
    const late = new Follower(browser)
    const left: number[] = []
    late.stream.on('lock', ({ idle_remaining_ms }) => left.push(idle_remaining_ms))
    await browser.advance(1_000)
    expect(left).toEqual([60_000])
  })

  it('is not told of a lock that ended while nobody listened', async () => {
    const browser = new FakeBrowser()
    const [one, two] = (await open(browser, 2)) as [Follower, Follower]
    one.tab.hide()
    await browser.advance(10)
    browser.server.lock()
    await browser.advance(10)
    two.tab.hide()
    await browser.advance(10)
    browser.server.unlock()
    one.tab.show()
    await browser.advance(1_000)
    expect(one.state).toBe('live')
    expect(one.told).not.toContain('lock locked')
  })
})

it('is offline where no tab has a network, and not before', async () => {
  const browser = new FakeBrowser()
  const followers = await open(browser, 2)
  browser.server.up = false
  browser.server.cut()
  for (const [n, { tab }] of followers.entries()) {
    tab.environment.online = () => false
    tab.show()
    await browser.advance(60_000)
    const state = n === 0 ? 'stale' : 'offline'
    expect(followers.map((follower) => follower.state)).toEqual([state, state])
  }
})

it('closes the stream when all tabs are gone without a word', async () => {
  const browser = new FakeBrowser()
  const followers = await open(browser, 2)
  followers.forEach(({ tab }) => tab.crash())
  await browser.advance(120_000)
  expect(browser.streams).toBe(0)
})

describe('a notice is announced', () => {
  it('where somebody looks, else where somebody looked last', async () => {
    const browser = new FakeBrowser()
    const [one, two, three] = (await open(browser, 3)) as [Follower, Follower, Follower]
    const last = async (title: string) => {
      browser.server.publish(title)
      await browser.advance(10)
      return [one, two, three].filter(({ announced }) => announced.at(-1) === title)
    }
    one.tab.look(false)
    three.tab.look(false)
    await browser.advance(10)
    expect(await last('a')).toEqual([two])
    two.tab.look(false)
    await browser.advance(10)
    expect(await last('b')).toEqual([two])
    one.tab.look(true)
    await browser.advance(10)
    one.tab.look(false)
    await browser.advance(10)
    expect(await last('c')).toEqual([one])
  })

  it('by another tab when the first stands still', async () => {
    const browser = new FakeBrowser()
    const followers = await open(browser, 3)
    const last = followers[2]!
    last.tab.context.frozen = true
    browser.server.publish('a')
    await browser.advance(2_500)
    expect(all(followers)).toEqual(['a'])
    expect(last.announced).toEqual([])
    // One that kept silent is not waited for again.
    browser.server.publish('b')
    await browser.advance(10)
    expect(all(followers)).toEqual(['a', 'b'])
    last.tab.context.thaw()
    await browser.advance(10)
    browser.server.publish('c')
    await browser.advance(10)
    expect(last.announced.at(-1)).toBe('c')
  })

  it('once, though owner and announcer die right after it', async () => {
    const browser = new FakeBrowser()
    const followers = await open(browser, 3)
    browser.server.publish('a')
    await browser.advance(10)
    expect(followers[2]!.announced).toEqual(['a'])
    followers[2]!.tab.crash()
    browser.killWorkers()
    await browser.advance(5_000)
    expect(all(followers)).toEqual(['a'])
  })

  it('by another tab when the first stands still, and the owner dies before it is missed', async () => {
    const browser = new FakeBrowser()
    const followers = await open(browser, 3)
    followers[2]!.tab.context.frozen = true
    browser.server.publish('a')
    await browser.advance(500)
    browser.killWorkers()
    await browser.advance(3_000)
    expect(all(followers)).toEqual(['a'])
    expect(followers[2]!.announced).toEqual([])
  })

  it('by another tab at once when the first is closed', async () => {
    const browser = new FakeBrowser()
    const followers = await open(browser, 2)
    followers[1]!.tab.context.frozen = true
    browser.server.publish('a')
    await browser.advance(100)
    // What it says at its end still goes out.
    followers[1]!.tab.context.frozen = false
    followers[1]!.stream.stop()
    await browser.advance(10)
    expect(followers[0]!.announced).toEqual(['a'])
  })
})

describe('the lease', () => {
  it.each([600_000, -600_000])('passes a clock that jumps by %i ms', async (jump) => {
    const browser = new FakeBrowser({ workers: true, locks: true })
    const followers = await open(browser, 3)
    browser.shiftMs = jump
    await browser.advance(5_000)
    browser.server.publish('after')
    await browser.advance(10)
    expect(browser.streams).toBe(1)
    for (const { seen, state } of followers) expect([seen, state]).toEqual([['after'], 'live'])
    expect(all(followers)).toEqual(['after'])
  })

  it('is not taken from a tab whose timers come late', async () => {
    const browser = new FakeBrowser({ workers: true, locks: true })
    const followers = await open(browser, 3)
    const leader = followers.find(({ stream }) => stream.role === 'leader')!
    const { after } = leader.tab.environment
    leader.tab.environment.after = (ms, run) => after(ms + 60_000, run)
    await browser.advance(30_000)
    expect(leader.stream.role).toBe('leader')
    expect(browser.server.opened).toBe(1)
  })
})

/** A die that falls the same way for the same seed (mulberry32). */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

describe('whatever happens, in any order', () => {
  const { SEED } = (globalThis as { process?: { env: { SEED?: string } } }).process?.env ?? {}
  const seeds = SEED ? [Number(SEED)] : Array.from({ length: 8 }, (_, n) => n + 1)
  it.each(WAYS.flatMap(([name, lacks]) => seeds.map((seed) => [name, seed, lacks] as const)))(
    'by %s, seed %i: each tab has each notice once, and there is one stream',
    async (_name, seed, lacks) => {
      const browser = new FakeBrowser(lacks)
      const random = (browser.random = dice(seed))
      const pick = <T>(list: T[]) => list[Math.floor(random() * list.length)]
      let tabs: Follower[] = []
      const openOne = () => {
        const follower = new Follower(browser)
        // As a page does: what cannot be replayed is in the inbox that it loads then.
        follower.stream.on('reset', () => {
          const titles = browser.server.log.map(({ title }) => title)
          follower.loaded = new Set(titles)
          follower.seen.splice(0, Infinity, ...titles)
        })
        follower.seen.push(...browser.server.log.map(({ title }) => title))
        tabs.push(follower)
      }
      const steps: [number, () => void][] = [
        [30, () => browser.server.publish()],
        [10, () => tabs.length < 8 && openOne()],
        [3, () => tabs.length > 1 && leave(pick(tabs)!)],
        [3, () => tabs.length > 1 && crash(pick(tabs)!)],
        [3, () => browser.killWorkers()],
        [4, () => pick(tabs)?.tab.look(random() < 0.5)],
        [3, () => (pick(tabs) ?? tabs[0]!).tab.hide()],
        [6, () => pick(tabs)?.tab.show()],
        [3, () => freeze(pick(tabs)!)],
        [3, () => browser.server.cut()],
        [2, () => (browser.server.up = !browser.server.up)],
        [2, () => (browser.server.blackHole = !browser.server.blackHole)],
        [4, () => (browser.loses = random() < 0.5 ? () => false : () => random() < 0.1)],
        [2, () => (browser.partMs = random() * 3_000)],
        [2, () => (browser.shiftMs += (random() - 0.5) * 100_000)],
        [2, () => (browser.server.locked ? browser.server.unlock() : browser.server.lock())],
      ]
      const total = steps.reduce((sum, [weight]) => sum + weight, 0)
      openOne()
      for (let n = 0; n < 150; n++) {
        let at = random() * total
        steps.find(([weight]) => (at -= weight) < 0)![1]()
        await browser.advance(random() < 0.7 ? random() * 200 : random() * 4_000)
      }
      Object.assign(browser.server, { up: true, blackHole: false })
      if (browser.server.locked) browser.server.unlock()
      browser.loses = () => false
      for (const { tab } of tabs) {
        tab.context.thaw()
        tab.show()
      }
      await browser.advance(60_000)
      browser.server.publish('the end')
      await browser.advance(3_000)
      const titles = browser.server.log.map(({ title }) => title)
      expect(tabs.map(({ state }) => state)).toEqual(tabs.map(() => 'live'))
      for (const { seen } of tabs) expect(seen).toEqual(titles)
      expect(browser.streams).toBe(1)
      expect(all(tabs).filter((title) => title === 'the end')).toHaveLength(1)

      function leave(follower: Follower) {
        follower.stream.stop()
        tabs = tabs.filter((each) => each !== follower)
      }
      function crash(follower: Follower) {
        follower.tab.crash()
        tabs = tabs.filter((each) => each !== follower)
      }
      function freeze({ tab: { context } }: Follower) {
        if (context.frozen) context.thaw()
        else context.frozen = true
      }
    },
    30_000,
  )
})
