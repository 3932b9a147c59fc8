import type { Page } from '@playwright/test'
import { expect, lockField, pill, row, test, toast, unlock, visitAs } from './fixtures'

const STREAM = '**/sse/stream'

/** No request of a worker passes through a page's routes. */
const inPage = { without: ['workers' as const] }

/** Keeps the page from coming back before all is as the test wants it. */
const hold = (page: Page) => page.route(STREAM, (route) => route.abort())

/**
 * Lets the page open its stream, at once, as when its network is back.
 * @param position where it asks to continue, in place of where it stands
 */
async function comeBack(page: Page, position?: string): Promise<void> {
  const answered = page.waitForResponse(STREAM)
  if (position) {
    await page.route(STREAM, (route, request) =>
      route.continue({ headers: { ...request.headers(), 'last-event-id': position } }),
    )
  } else await page.unroute(STREAM)
  await page.evaluate(() => window.dispatchEvent(new Event('online')))
  await answered
  await page.unroute(STREAM)
}

const popups = (page: Page) => page.evaluate(() => window.popups.map(({ title }) => title))

/** A reload of the page would lose this. */
const sign = (page: Page) => page.evaluate(() => document.body.setAttribute('data-same-page', ''))

test('a page whose place in the log means nothing loads the inbox and goes on', async ({
  browser,
  server,
}) => {
  const ann = await server.signIn('ann')
  await ann.send('bob', 'Before')
  const bob = await visitAs(browser, server, 'bob', inPage)
  await sign(bob)
  const titles = ['Before']
  const announced: string[] = []
  for (const position of ['0ther-1', `${'9'.repeat(70)}`, 'not a position']) {
    await hold(bob)
    await server.stop()
    await expect(pill(bob)).toContainText('Not live since')
    await server.start()
    await ann.send('bob', `Missed for ${position}`)
    await comeBack(bob, position)
    titles.unshift(`Missed for ${position}`)
    await expect(bob.getByTestId('list').getByRole('link')).toHaveCount(titles.length)
    await expect(pill(bob)).toContainText('Live')
    expect(await popups(bob)).toEqual(announced)
    await expect(toast(bob)).toHaveCount(0)

    await ann.send('bob', `New after ${position}`)
    titles.unshift(`New after ${position}`)
    announced.push(`New after ${position}`)
    await expect(toast(bob)).toContainText(`New after ${position}`)
    for (const title of titles) await expect(row(bob, title)).toHaveCount(1)
    await expect(bob.getByTestId('list').getByRole('link')).toHaveCount(titles.length)
    await expect(bob).toHaveTitle(`(${titles.length}) Inbox · Belfry`)
    expect(await popups(bob)).toEqual(announced)
  }
  await expect(bob.locator('body')).toHaveAttribute('data-same-page', '')
})

test('a restored backup takes back what it does not hold', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob', inPage)
  await (await server.signIn('ann')).send('bob', 'Kept')
  await expect(row(bob, 'Kept')).toBeVisible()
  await sign(bob)
  await hold(bob)
  await server.stop()
  server.backup()
  await server.start()
  await comeBack(bob)
  const lost = await (await server.signIn('ann')).send('bob', 'Lost', { severity: 'critical' })
  await expect(toast(bob)).toContainText('Lost')

  await hold(bob)
  await server.stop()
  server.restore()
  await server.start()
  // The log goes on from the copy, so another notice gets the number of the lost one.
  const ann = await server.signIn('ann')
  expect(await ann.send('bob', 'Sent after')).toBe(lost)
  await comeBack(bob)
  await expect(row(bob, 'Sent after')).toHaveCount(1)
  await expect(row(bob, 'Kept')).toHaveCount(1)
  await expect(bob.getByTestId('list').getByRole('link')).toHaveCount(2)
  await expect(bob).toHaveTitle('(2) Inbox · Belfry')
  await expect(toast(bob)).toHaveCount(0)
  expect(await popups(bob)).toEqual(['Kept', 'Lost'])

  await ann.send('bob', 'Live again')
  await expect(toast(bob)).toContainText('Live again')
  await expect(bob.getByTestId('list').getByRole('link')).toHaveCount(3)
  expect(await popups(bob)).toEqual(['Kept', 'Lost', 'Live again'])
  await expect(bob.locator('body')).toHaveAttribute('data-same-page', '')
})

test('a locked page loads the inbox when it is unlocked', async ({ browser, server }) => {
  const ann = await server.signIn('ann')
  await ann.send('bob', 'Before')
  const bob = await visitAs(browser, server, 'bob', inPage)
  await expect(row(bob, 'Before')).toBeVisible()
  await ann.call('post', '/users/bob/sessions/lock')
  await expect(lockField(bob)).toBeVisible()

  await hold(bob)
  await server.stop()
  await server.start()
  await ann.send('bob', 'While locked')
  await comeBack(bob, '0ther-1')
  await ann.send('bob', 'Withheld')
  await unlock(bob)
  for (const title of ['Before', 'While locked', 'Withheld']) {
    await expect(row(bob, title)).toHaveCount(1)
  }
  await expect(bob.getByTestId('list').getByRole('link')).toHaveCount(3)
  await expect(bob).toHaveTitle('(3) Inbox · Belfry')
  await expect(toast(bob)).toContainText('Withheld')
})
