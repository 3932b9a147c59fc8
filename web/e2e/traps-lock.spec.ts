import { expect, lockField, pill, row, test, unlock, visit, visitAs, signIn } from './fixtures'
import { lateTimers, memory, shiftClock, shown, stored, turn } from './traps-page'

const DAY_MS = 86_400_000

/** Routes that hold content of a person, and one that changes something. */
const CONTENT = ['/notices', '/notices?state=all', '/notices/1', '/recipients?q=a', '/sessions']

// Security: L1
test('removing the lock screen in the developer tools opens no route', async ({
  browser,
  server,
}) => {
  const ann = await server.signIn('ann')
  await ann.send('bob', 'Sent early')
  const bob = await visitAs(browser, server, 'bob')
  await bob.keyboard.press('l')
  await expect(lockField(bob)).toBeVisible()
  await bob.evaluate(() => {
    document.querySelector('input[type=password]')?.closest('#app > *')?.remove()
    for (const element of document.querySelectorAll('.covered, [inert]')) {
      element.classList.remove('covered')
      element.removeAttribute('inert')
    }
  })
  await expect(lockField(bob)).toHaveCount(0)
  for (const path of CONTENT) {
    const status = await bob.evaluate(async (at) => (await fetch(`/api/v1${at}`)).status, path)
    expect(status, path).toBe(423)
  }
  const touched = await bob.evaluate(async () => {
    const answer = await fetch('/api/v1/session/activity', { method: 'POST' })
    return answer.status
  })
  expect(touched).toBe(423)
  await ann.send('bob', 'Afterwards')
  const heartbeats = bob.waitForResponse('**/api/v1/session')
  await bob.evaluate(() => fetch('/api/v1/session'))
  await heartbeats
  const page = await bob.content()
  expect(page).not.toContain('Sent early')
  expect(page).not.toContain('Afterwards')
  expect(await memory(bob)).not.toContain('Sent early')
})

// Security: L1, L15
test('what was put away at the lock is back as it was', async ({ browser, server }) => {
  const ann = await server.signIn('ann')
  for (let n = 1; n <= 70; n++) await ann.send('bob', `Number ${n}.`)
  const bob = await visitAs(browser, server, 'bob')
  const list = bob.getByTestId('list')
  // Only rows near the window exist, and older ones are loaded as one comes near their end.
  await expect(async () => {
    await list.evaluate((element) => element.scrollTo(0, element.scrollHeight))
    await expect(row(bob, 'Number 1.')).toBeInViewport({ timeout: 500 })
  }).toPass()
  await row(bob, 'Number 10.').scrollIntoViewIfNeeded()
  await row(bob, 'Number 12.').click()
  await expect(bob.getByTestId('detail')).toContainText('Number 12.')
  expect(await memory(bob)).toContain('Number 12.')
  const place = () => row(bob, 'Number 12.').evaluate((one) => one.getBoundingClientRect().top)
  const before = await place()
  await bob.keyboard.press('l')
  await expect(lockField(bob)).toBeVisible()
  await expect(list.getByRole('listitem')).toHaveCount(0)
  expect(await bob.content()).not.toContain('Number')
  expect(await memory(bob)).not.toContain('Number')
  await ann.send('bob', 'Meanwhile')
  await unlock(bob)
  await expect(bob.getByTestId('detail')).toContainText('Number 12.')
  await expect(row(bob, 'Number 12.')).toBeInViewport()
  await expect.poll(place).toBeCloseTo(before, -1)
})

// Security: L3, L4
test('a native stream cut while locked holds nothing, then exactly what was missed', async ({
  browser,
  server,
}) => {
  const ann = await server.signIn('ann')
  const bob = await visitAs(browser, server, 'bob')
  await bob.evaluate(() => {
    window.heard = []
    const stream = new EventSource('/sse/stream')
    for (const name of ['hello', 'lock', 'notice', 'reset'])
      stream.addEventListener(name, ({ data, lastEventId }: MessageEvent<string>) => {
        const { title, state } = JSON.parse(data) as { title?: string; state?: string }
        window.heard.push({ name, id: lastEventId, title: title ?? state ?? '' })
      })
  })
  const heard = (name: string) =>
    bob.evaluate((wanted) => window.heard.filter((event) => event.name === wanted), name)
  await expect.poll(async () => (await heard('lock')).length).toBe(1)
  await ann.send('bob', 'Seen')
  await expect.poll(async () => (await heard('notice')).length).toBe(1)
  const before = (await heard('notice'))[0]?.id

  await bob.keyboard.press('l')
  await expect(lockField(bob)).toBeVisible()
  for (let n = 0; n < 50; n++) await ann.send('bob', `Missed ${n}`)
  const greeted = (await heard('hello')).length
  await server.stop()
  await server.start()
  await expect.poll(async () => (await heard('hello')).length).toBe(greeted + 1)
  for (let n = 50; n < 100; n++) await ann.send('bob', `Missed ${n}`)
  expect(await heard('notice')).toHaveLength(1)
  expect(await heard('reset')).toHaveLength(0)
  expect((await heard('hello')).at(-1)?.id).toBe(before)
  expect((await heard('lock')).at(-1)?.title).toBe('locked')

  await unlock(bob)
  await expect.poll(async () => (await heard('notice')).length).toBe(101)
  const titles = (await heard('notice')).slice(1).map(({ title }) => title)
  expect(titles).toEqual(Array.from({ length: 100 }, (_, n) => `Missed ${n}`))
  await expect(row(bob, 'Missed 99')).toBeVisible()
})

// Security: L9
test('of five tabs one locks all within a second, and one unlock frees them', async ({
  browser,
  server,
}) => {
  const first = await visitAs(browser, server, 'bob')
  const tabs = [first]
  while (tabs.length < 5) {
    const tab = await first.context().newPage()
    await tab.goto('/')
    await expect(pill(tab)).toContainText('Live')
    tabs.push(tab)
  }
  let unlocks = 0
  first.context().on('request', (request) => {
    if (request.url().endsWith('/session/unlock') && request.method() === 'POST') unlocks++
  })
  await tabs[3]?.keyboard.press('l')
  const began = Date.now()
  await Promise.all(tabs.map((tab) => expect(lockField(tab)).toBeVisible()))
  console.log(`five tabs were locked ${Date.now() - began} ms after the key`)
  for (const tab of tabs) expect(await shown(tab)).toBe(false)
  await unlock(first)
  await Promise.all(tabs.map((tab) => expect(lockField(tab)).toHaveCount(0)))
  for (const tab of tabs) await expect(pill(tab)).toContainText('Live')
  expect(unlocks).toBe(1)
})

// Security: L8
test('going back finds the lock, or nothing', async ({ browser, server }) => {
  await (await server.signIn('ann')).send('bob', 'For my eyes')
  const bob = await visitAs(browser, server, 'bob')
  await expect(row(bob, 'For my eyes')).toBeVisible()
  const address = bob.url()
  await bob.keyboard.press('l')
  await expect(lockField(bob)).toBeVisible()
  await bob.goto('about:blank')
  await bob.goBack()
  await expect(lockField(bob)).toBeVisible()
  expect(bob.url()).toBe(address)
  expect(await bob.content()).not.toContain('For my eyes')
  await unlock(bob)
  await expect(row(bob, 'For my eyes')).toBeVisible()

  // Locked while the page was away.
  await bob.goto('about:blank')
  const { items } = await (await bob.request.get(`${server.url}/api/v1/sessions`)).json()
  const own = (items as { id: string; current: boolean }[]).find(({ current }) => current)
  const other = await server.signIn('bob')
  await other.call('post', `/sessions/${own?.id}/lock`)
  await bob.goBack()
  expect(await shown(bob)).toBe(false)
  await expect(lockField(bob)).toBeVisible()
  expect(await bob.content()).not.toContain('For my eyes')
})

// Security: L15, S33
test('what is typed and what is read lies in no storage of the browser', async ({
  browser,
  server,
}) => {
  await (await server.signIn('ann')).send('bob', 'Rosebud', { body: 'Xanadu' })
  const bob = await visitAs(browser, server, 'bob')
  await row(bob, 'Rosebud').click()
  await bob.getByRole('link', { name: 'Compose' }).click()
  await bob.getByLabel('Title').fill('Half a thought')
  const secrets = ['Rosebud', 'Xanadu', 'Half a thought', 'eyJ']
  const active = await stored(bob)
  for (const secret of secrets) expect(active).not.toContain(secret)
  await bob.getByRole('link', { name: 'Compose' }).focus()
  await bob.keyboard.press('l')
  await expect(lockField(bob)).toBeVisible()
  const locked = await stored(bob)
  for (const secret of secrets) expect(locked).not.toContain(secret)
  await unlock(bob)
  await expect(bob.getByLabel('Title')).toHaveValue('Half a thought')
})

test.describe('with ten seconds', () => {
  test.use({ settings: { SESSION_IDLE: '10s', HEARTBEAT: '500ms' } })

  // Security: L10
  test('a clock that is a day off changes nothing, ahead or behind', async ({
    browser,
    server,
  }) => {
    test.slow()
    for (const days of [-1, 1]) {
      const bob = await visit(browser, server)
      await bob.addInitScript(shiftClock, days * DAY_MS)
      await bob.reload()
      await signIn(bob, 'bob')
      expect(await bob.evaluate(() => Date.now())).not.toBeCloseTo(Date.now(), -7)
      const warning = bob.getByRole('alertdialog')
      await expect(warning).toContainText(/0:0[1-5]/)
      // And one that is set while the page runs.
      await bob.evaluate((ms) => (window.shiftMs = -ms), days * DAY_MS)
      await expect(warning).toContainText(/0:0[1-5]/)
      await expect(lockField(bob)).toBeVisible()
      const { state, reason } = (await (await bob.request.get('/api/v1/session')).json()) as {
        state: string
        reason: string
      }
      expect([state, reason]).toEqual(['locked', 'idle'])
    }
  })

  // Security: L6
  test('timers that run a minute late show nothing past the lock', async ({ browser, server }) => {
    await (await server.signIn('ann')).send('bob', 'For my eyes')
    const bob = await visitAs(browser, server, 'bob', { without: ['workers'] })
    await bob.addInitScript(lateTimers)
    await bob.reload()
    await expect(row(bob, 'For my eyes')).toBeVisible()
    // Nothing may tell the page either: no timer, no stream, no answer.
    await bob.context().route('**/{sse,api}/**', () => undefined)
    await server.stop()
    await server.start()
    await bob.evaluate(turn, 'hidden')
    const cookies = await bob.context().cookies()
    const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
    await expect
      .poll(
        async () => {
          const answer = await bob.request.get(`${server.url}/api/v1/session`, {
            headers: { cookie },
          })
          return ((await answer.json()) as { state: string }).state
        },
        { timeout: 20_000 },
      )
      .toBe('locked')
    expect(await shown(bob), 'the page has not heard of it').toBe(true)
    const seen = await bob.evaluate(async () => {
      Object.defineProperty(document, 'visibilityState', {
        configurable: true,
        get: () => 'visible',
      })
      document.dispatchEvent(new Event('visibilitychange'))
      await new Promise(requestAnimationFrame) // before the first picture
      const header = document.querySelector('[data-testid=connection]')
      return header?.checkVisibility({ visibilityProperty: true })
    })
    expect(seen, 'shown before the server was asked').toBe(false)
    await bob.context().unroute('**/{sse,api}/**')
  })
})
