import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { Page } from '@playwright/test'
import { expect, lockField, pill, row, test, unlock, visitAs } from './fixtures'
import { OUTPUT } from './states'

const log = (page: Page) => page.getByTestId('log')
const rows = (page: Page) => log(page).locator('[data-row]')
const follow = (page: Page) => page.getByTestId('follow')
const lines = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => `line ${from + n} of the log`).join('\n') + '\n'

/** How far the log is scrolled, and what is left below. */
const scrolled = (page: Page) =>
  log(page).evaluate((list) => ({
    top: list.scrollTop,
    left: list.scrollHeight - list.clientHeight - list.scrollTop,
  }))

test('a log grows before one’s eyes, unless one looks back', async ({ browser, server }) => {
  const ann = await server.signIn('ann')
  const task = await ann.beginTask('Deploy', 'bob')
  await task.write(lines(0, 200))
  const page = await visitAs(browser, server, 'bob')
  await page.getByRole('link', { name: 'Tasks' }).click()
  await page.getByRole('link', { name: 'Deploy' }).click()
  await expect(page.getByRole('heading', { name: 'Deploy' })).toBeVisible()
  await expect(rows(page).last()).toHaveText('line 199 of the log')

  await task.write(lines(200, 300))
  await expect(rows(page).last()).toHaveText('line 299 of the log')
  await expect.poll(async () => (await scrolled(page)).left).toBeLessThan(4)

  await log(page).hover()
  await page.mouse.wheel(0, -600)
  await expect(follow(page)).toHaveText('Follow')
  const before = await scrolled(page)
  const seen = await rows(page).first().textContent()
  await task.write(lines(300, 500))
  // More of it is below, and nothing has moved.
  await expect.poll(async () => (await scrolled(page)).left).toBeGreaterThan(before.left + 3_000)
  expect((await scrolled(page)).top).toBe(before.top)
  expect(await rows(page).first().textContent()).toBe(seen)

  await page.keyboard.press('f')
  await expect(rows(page).last()).toHaveText('line 499 of the log')
  await page.keyboard.press('Home')
  await expect(rows(page).first()).toHaveText('line 0 of the log')
  await page.keyboard.press('End')
  await expect(follow(page)).toHaveText('Pause')
  await follow(page).click()
  await task.write(lines(500, 600) + 'done')
  await expect.poll(async () => (await scrolled(page)).left).toBeGreaterThan(1_000)
  await follow(page).click()
  await expect(rows(page).last()).toHaveText('done')

  await task.finish('failed', 2)
  await expect(page.getByText('Failed · exit code 2')).toBeVisible()
  await expect(page.getByRole('status').filter({ hasText: /^Failed$/ })).toHaveCount(1)
  await expect(log(page)).toHaveAttribute('aria-live', 'off')
  // The notice of its end leads here.
  await page.getByRole('link', { name: 'Inbox', exact: true }).first().click()
  await row(page, 'Deploy').click()
  const [opened] = await Promise.all([
    page.waitForEvent('popup'),
    page.getByTestId('detail').getByRole('link', { name: 'Open' }).click(),
  ])
  await expect(rows(opened).last()).toHaveText('done')
})

test('a log looks as on a terminal, its bars move, and it can be searched', async ({
  browser,
  server,
}) => {
  const ann = await server.signIn('ann')
  const task = await ann.beginTask('Build', 'ann')
  await task.write(OUTPUT)
  const page = await visitAs(browser, server, 'ann', { colorScheme: 'dark' })
  await page.goto(`/tasks/${task.id}`)
  await expect(rows(page).filter({ hasText: 'pulling layers' })).toHaveText('pulling layers 100 %')
  await expect(log(page).getByText('FAIL')).toHaveCSS('background-color', 'rgb(179, 38, 30)')
  await expect(log(page).getByText('warning', { exact: true })).toHaveCSS(
    'color',
    'rgb(227, 179, 65)',
  )
  await expect(log(page).getByText('https://example.com/notes')).toHaveCSS(
    'text-decoration-line',
    'underline',
  )

  // One row, however often it is drawn.
  for (const share of [10, 60, 95]) {
    await task.write(`\rtests ${'#'.repeat(share / 5)} ${share} %\x1b[K`)
    await expect(rows(page).last()).toHaveText(`tests ${'#'.repeat(share / 5)} ${share} %`)
  }
  await task.write('\rtests done\x1b[K\nGOODBYE\n')
  await expect(rows(page).last()).toHaveText('GOODBYE')

  await page.keyboard.press('/')
  await page.keyboard.type('done')
  await expect(page.getByTestId('hits')).toHaveText('1 of 31 lines, newest first')
  await expect(rows(page).locator('mark').last()).toHaveText('done')
  await page.keyboard.press('Enter')
  await expect(page.getByTestId('hits')).toHaveText('2 of 31 lines, newest first')
  await page.keyboard.press('Shift+Enter')
  await page.keyboard.press('Shift+Enter')
  await expect(page.getByTestId('hits')).toHaveText('31 of 31 lines, newest first')
  await expect(log(page).locator('[aria-current]')).toHaveText('#2 RUN step 2 DONE 0.0s')
  await task.write('it is DONE\n')
  await expect(page.getByTestId('hits')).toHaveText('32 of 32 lines, newest first')
  await page.keyboard.press('Escape')
  await expect(log(page)).toBeFocused()
  await expect(log(page).locator('mark')).toHaveCount(0)
})

test('a log of 20 MB is no strain, and is searched and saved whole', async ({
  browser,
  server,
}) => {
  const ann = await server.signIn('ann')
  const task = await ann.beginTask('Much', 'ann')
  const sha = createHash('sha256')
  const count = 250_000
  for (let n = 0; n < count; n += 50_000) {
    const text = Array.from(
      { length: 50_000 },
      (_, i) =>
        `\x1b[3${i % 8}m${String(n + i).padStart(8, '0')}\x1b[0m ${'words and more words '.repeat(3)}…`,
    ).join('\n')
    await task.write(`${text}\n`)
    sha.update(`${text}\n`)
  }
  await task.write(Buffer.from([0xff, 0, 10]))
  sha.update(Buffer.from([0xff, 0, 10]))

  const page = await visitAs(browser, server, 'ann')
  await page.goto(`/tasks/${task.id}`)
  const line = (n: number) => rows(page).filter({ hasText: String(n).padStart(8, '0') })
  await expect(line(count - 1)).toBeVisible()

  // From the end to the beginning, by its bar, in steps, and back.
  await log(page).evaluate((list) => (list.scrollTop = list.scrollHeight / 2))
  await expect
    .poll(async () => Number((await rows(page).nth(12).textContent())?.slice(0, 8)))
    .toBeLessThan(150_000)
  for (let n = 0; n < 15; n++) {
    await log(page).evaluate((list) => list.scrollBy(0, -list.clientHeight * 20))
    await expect(rows(page).nth(20)).toHaveText(/^\d{8} words/)
  }
  await page.keyboard.press('Home')
  await expect(line(0)).toBeVisible()
  expect(await page.locator('[data-row]').count()).toBeLessThan(100)
  const client = await page.context().newCDPSession(page)
  await client.send('HeapProfiler.collectGarbage')
  const { usedSize } = await client.send('Runtime.getHeapUsage')
  expect(usedSize / 2 ** 20).toBeLessThan(30)

  await page.keyboard.press('/')
  await page.keyboard.type('00012345 W')
  await expect(page.getByTestId('hits')).toHaveText('1 of 1 lines, newest first')
  await expect(log(page).locator('[aria-current]')).toBeInViewport()

  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download the log' }).click(),
  ])
  const saved = createHash('sha256')
  for await (const piece of createReadStream(await download.path())) saved.update(piece as Buffer)
  expect(saved.digest('hex')).toBe(sha.digest('hex'))
})

test('a key takes one to a log’s ends, however one scrolled just before', async ({
  browser,
  server,
}) => {
  const ann = await server.signIn('ann')
  const task = await ann.beginTask('Long', 'ann')
  const count = 60_000
  await task.write(lines(0, count))
  const page = await visitAs(browser, server, 'ann')
  await page.goto(`/tasks/${task.id}`)
  const [first, last] = [rows(page).first(), rows(page).last()]
  const end = `line ${count - 1} of the log`
  await expect(last).toHaveText(end)
  // A slow network: each stretch comes well after the 120 ms that a scroll waits before it fetches anything, and
  // which it did not count from the key. Nothing in the page tells that such a wait was dropped.
  await page.route(/\/log\?/, async (route) => {
    await new Promise((done) => setTimeout(done, 400))
    await route.continue()
  })

  /** Scrolls to a share of the log, and presses a key before the page has heard of it or just after. */
  const scrollAndPress = (share: number, key: string, heard: boolean) =>
    log(page).evaluate(
      (list, { share, key, heard }) => {
        const press = () =>
          list.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
        if (heard) list.addEventListener('scroll', press, { once: true })
        list.scrollTop = list.scrollHeight * share
        if (!heard) press()
      },
      { share, key, heard },
    )
  for (const heard of [false, true]) {
    await scrollAndPress(0.5, 'Home', heard)
    await expect(first).toHaveText('line 0 of the log')
    await scrollAndPress(0.5, 'End', heard)
    await expect(last).toHaveText(end)
    await expect(follow(page)).toHaveText('Pause')
  }
  // What one scrolls while the beginning is on its way does not lead away from it.
  await page.keyboard.press('Home')
  await log(page).evaluate((list) => list.scrollBy(0, -40))
  await expect(first).toHaveText('line 0 of the log')
})

test('a lock takes a log away, and gives it back where it was', async ({ browser, server }) => {
  const ann = await server.signIn('ann')
  const task = await ann.beginTask('Secret', 'bob')
  await task.write(lines(0, 2_000))
  const page = await visitAs(browser, server, 'bob')
  await page.goto(`/tasks/${task.id}`)
  await expect(rows(page).last()).toHaveText('line 1999 of the log')
  await log(page).evaluate((list) => (list.scrollTop = 20_013))
  await expect(follow(page)).toHaveText('Follow')
  const first = () =>
    log(page).evaluate((list) => {
      const top = list.getBoundingClientRect().top
      const seen = [...list.querySelectorAll('[data-row]')].find(
        (one) => one.getBoundingClientRect().bottom > top,
      )
      return [seen?.textContent, Math.round((seen?.getBoundingClientRect().top ?? 0) - top)]
    })
  const place = await first()
  await page.getByLabel('Search the log').fill('half-typed')
  await expect(page.getByTestId('hits')).toHaveText('No line has this.')
  expect(await first()).toEqual(place)
  await log(page).focus()
  await page.keyboard.press('l')
  await expect(lockField(page)).toBeVisible()
  expect(await page.content()).not.toMatch(/line \d+ of the log|Secret/)
  await task.write(lines(2_000, 2_100))
  await task.finish('succeeded', 0)
  await unlock(page)
  await expect.poll(first).toEqual(place)
  await expect(log(page)).toBeFocused()
  await expect(page.getByLabel('Search the log')).toHaveValue('half-typed')
  await expect(page.getByText('Succeeded').first()).toBeVisible()
  await expect(pill(page)).toContainText('Live')
  await page.keyboard.press('End')
  await expect(rows(page).last()).toHaveText('line 2099 of the log')
})
