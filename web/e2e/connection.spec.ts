import { expect, pill, row, test, visitAs } from './fixtures'

test('says when it is not live, comes back by itself, and has missed nothing', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  await (await server.signIn('ann')).send('bob', 'Before')
  await expect(row(bob, 'Before')).toBeVisible()
  // A reload would lose this.
  await bob.evaluate(() => document.body.setAttribute('data-same-page', ''))

  await server.stop('SIGKILL')
  await expect(pill(bob)).toContainText(/Not live since \d?\d:\d\d/)
  await expect(row(bob, 'Before')).toBeVisible()

  await server.start()
  await (await server.signIn('ann')).send('bob', 'Missed')
  await expect(pill(bob)).toContainText('Live', { timeout: 35_000 })
  await expect(row(bob, 'Missed')).toBeVisible()
  await expect(bob).toHaveTitle('(2) Inbox · Belfry')
  await expect(bob.locator('body')).toHaveAttribute('data-same-page', '')
})

test('a planned restart is passed without a word of error', async ({ browser, server }) => {
  // Its own stream, whose next try waits for a timer that a test can hold.
  const bob = await visitAs(browser, server, 'bob', { without: ['workers'] })
  await bob.clock.install()
  await bob.reload()
  await expect(pill(bob)).toContainText('Live')
  await server.stop('SIGTERM')
  await expect(pill(bob)).toContainText('Not live since')
  await bob.clock.pauseAt(Date.now() + 60_000)
  await server.start()
  await expect(pill(bob)).toContainText('Not live since')
  await bob.getByRole('button', { name: 'Retry' }).click()
  await expect(pill(bob)).toContainText('Live')
})

test('what a reader does is put back when it cannot be saved', async ({ browser, server }) => {
  await (await server.signIn('ann')).send('bob', 'Stays')
  const bob = await visitAs(browser, server, 'bob')
  await expect(row(bob, 'Stays')).toBeVisible()
  await server.stop('SIGKILL')
  await row(bob, 'Stays').hover()
  await bob.getByTestId('list').getByRole('button', { name: 'Archive' }).click()
  await expect(bob.getByText('That could not be saved, and was put back.')).toBeVisible()
  await expect(row(bob, 'Stays')).toBeVisible()
  await expect(bob).toHaveTitle('(1) Inbox · Belfry')
})

test('a browser without a network is offline until it has one', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  await server.stop('SIGKILL')
  await bob.context().setOffline(true)
  await expect(pill(bob)).toContainText('Offline')
  await server.start()
  await bob.context().setOffline(false)
  await expect(pill(bob)).toContainText('Live')
})

test('a part of the page that cannot be fetched is told of', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  // As after an update: the page's own build is not there any more.
  await bob.route('**/assets/*.js', (route) => route.abort())
  await bob.getByRole('link', { name: 'Compose' }).click()
  await expect(bob.getByText('This part of the page could not be fetched')).toBeVisible()
  await bob.unroute('**/assets/*.js')
  await bob.getByRole('button', { name: 'Reload' }).click()
  await expect(pill(bob)).toContainText('Live')
})
