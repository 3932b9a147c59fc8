import type { Page } from '@playwright/test'
import { expect, row, test, visitAs } from './fixtures'

const MANY = 10_000
/** Rows that are there at once, whatever was loaded. */
const MOST_ROWS = 60
/** What a step takes of a processor on average: a page that comes, or a turn of the wheel. */
const BUSY_MS = 200
/** Pixels of a turn of the wheel: a thousand rows, by a hand that wants to be far away soon. */
const TURN = 60_000

// A browser glides to the end of what is there, for longer than that takes to load.
test.use({
  launchOptions: [
    async ({ launchOptions }, use) => {
      const args = [...(launchOptions.args ?? []), '--disable-smooth-scrolling']
      await use({ ...launchOptions, args })
    },
    { scope: 'worker' },
  ],
})

declare global {
  interface Window {
    watched: { rows: number; tasks: number[] }
  }
}

/** How long the page has kept a processor busy, in ms, whatever else the machine has to do. */
async function busyMeter(page: Page): Promise<() => Promise<number>> {
  const client = await page.context().newCDPSession(page)
  await client.send('Performance.enable', { timeDomain: 'threadTicks' })
  return async () => {
    const { metrics } = await client.send('Performance.getMetrics')
    return 1_000 * (metrics.find(({ name }) => name === 'TaskDuration')?.value ?? NaN)
  }
}

/** Notes how many rows there are at most, and each task that is long. */
function watchList(): void {
  window.watched = { rows: 0, tasks: [] }
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) window.watched.tasks.push(duration)
  }).observe({ type: 'longtask' })
  const list = document.querySelector('[data-testid=list]')
  if (!list) throw new Error('there is no list')
  const count = () => {
    const rows = list.querySelectorAll('li').length
    window.watched.rows = Math.max(window.watched.rows, rows)
  }
  new MutationObserver(count).observe(list, { childList: true, subtree: true })
}

/** Where in the list the last row is that there is, once it is another than before; 1 = the newest. */
async function furthest(page: Page, before: number): Promise<number> {
  const at = await page.waitForFunction((before) => {
    const rows = document.querySelectorAll('[data-testid=list] li')
    const places = Array.from(rows, (each) => Number(each.getAttribute('aria-posinset')))
    const last = Math.max(...places)
    return last > before ? last : 0
  }, before)
  return at.jsonValue()
}

/** Whether where the middle of the list is there is a row, and no hole. */
const filled = (page: Page) =>
  page.getByTestId('list').evaluate((list) => {
    const { left, top, width, height } = list.getBoundingClientRect()
    const middle = document.elementFromPoint(left + width / 2, top + height / 2)
    return middle?.closest('li') !== null
  })

test('ten thousand messages are scrolled, to the end and back', async ({ browser, server }) => {
  test.slow()
  const titles = Array.from({ length: MANY }, (_, n) => `Number ${n + 1}.`)
  const ann = await server.signIn('ann')
  for (let from = 0; from < MANY; from += 1_000) {
    await ann.sendMany('bob', titles.slice(from, from + 1_000))
  }
  const bob = await visitAs(browser, server, 'bob')
  await expect(row(bob, `Number ${MANY}.`)).toBeVisible()
  const asked: string[] = []
  bob.on('request', (request) => {
    const before = new URL(request.url()).searchParams.get('before')
    if (before) asked.push(before)
  })
  await bob.evaluate(watchList)
  const busy = await busyMeter(bob)
  const list = bob.getByTestId('list')

  await list.focus()
  const [began, idle] = [Date.now(), await busy()]
  for (let last = 0; last < MANY;) {
    await bob.keyboard.press('End')
    last = await furthest(bob, last)
  }
  const ended = Date.now()
  await expect(row(bob, 'Number 1.')).toBeInViewport()
  await expect(list.getByRole('listitem').last()).toHaveAttribute('aria-setsize', String(MANY))
  expect(new Set(asked).size, 'pages, each once').toBe(asked.length)
  await bob.keyboard.press('Home')
  await expect(row(bob, `Number ${MANY}.`)).toBeInViewport()

  const turned = Date.now()
  const perPage = ((await busy()) - idle) / asked.length
  const before = await busy()
  let turns = 0
  await list.hover()
  const top = () => list.evaluate(({ scrollTop }) => scrollTop)
  for (const [by, end] of [
    [TURN, 'Number 1.'],
    [-TURN, `Number ${MANY}.`],
  ] as const) {
    for (let last = NaN, now = await top(); now !== last; now = await top()) {
      last = now
      turns++
      await bob.mouse.wheel(0, by)
      // The wheel turns a frame or two later.
      await bob.evaluate(
        () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
      )
      expect(await filled(bob), `a row at ${now}`).toBe(true)
    }
    await expect(row(bob, end)).toBeInViewport()
  }

  const perTurn = ((await busy()) - before) / turns
  const { rows, tasks } = await bob.evaluate(() => window.watched)
  console.log(
    `${asked.length} pages in ${ended - began} ms by key, ${turns} turns of a wheel in ${Date.now() - turned} ms; ` +
      `at most ${rows} rows; busy for ${Math.round(perPage)} ms a page and ${Math.round(perTurn)} ms a turn; ` +
      `${tasks.length} long tasks, at most ${Math.round(Math.max(0, ...tasks))} ms`,
  )
  expect(rows).toBeLessThan(MOST_ROWS)
  expect(perPage).toBeLessThan(BUSY_MS)
  expect(perTurn).toBeLessThan(BUSY_MS)
})

test('the focus of a row that goes passes to the next', async ({ browser, server }) => {
  const ann = await server.signIn('ann')
  const ids: number[] = []
  for (const name of ['D', 'C', 'B', 'A']) ids.push(await ann.send('bob', `Row ${name}`))
  const bob = await visitAs(browser, server, 'bob')
  const elsewhere = await server.signIn('bob')
  await row(bob, 'Row A').focus()
  await bob
    .locator('li', { hasText: 'Row A' })
    .getByRole('button', { name: 'Archive' })
    .press('Enter')
  await expect(row(bob, 'Row B')).toBeFocused()
  await elsewhere.call('patch', `/notices/${ids[2]}`, { archived: true })
  await expect(row(bob, 'Row C')).toBeFocused()
  await elsewhere.call('patch', `/notices/${ids[0]}`, { archived: true })
  await expect(row(bob, 'Row D')).toHaveCount(0)
  await expect(row(bob, 'Row C')).toBeFocused()
})
