import { expect, pill, row, test, toast, visitAs } from './fixtures'
import { popupsOf } from './streams'

const AWAY_MS = 30_000
/** The longest wait between two tries, and time for a slow machine. */
const BACK_MS = 45_000

test('a server that is killed for half a minute is told of, and missed nothing', async ({
  browser,
  server,
}) => {
  test.setTimeout(AWAY_MS + BACK_MS + 60_000)
  const bob = await visitAs(browser, server, 'bob')
  const other = await bob.context().newPage()
  await other.goto('/')
  await expect(pill(other)).toContainText('Live')
  const ann = await server.signIn('ann')
  await ann.send('bob', 'Before')
  for (const page of [bob, other]) {
    await expect(row(page, 'Before')).toBeVisible()
    // A reload would lose this.
    await page.evaluate(() => document.body.setAttribute('data-same-page', ''))
  }
  // What shows a message comes in spare time, while there is a server.
  const parts = () =>
    bob.evaluate(() =>
      performance
        .getEntriesByType('resource')
        .map(({ name }) => name)
        .join(),
    )
  await expect.poll(parts).toContain('NoticeDetail')
  // Its time comes while nobody is there to release it.
  const due = new Date(Date.now() + AWAY_MS / 2).toISOString()
  await ann.send('bob', 'Meanwhile', { deliver_at: due })

  await server.stop('SIGKILL')
  const killed = Date.now()
  const since = /Not live since \d?\d:\d\d/
  for (const page of [bob, other]) await expect(pill(page)).toContainText(since)
  const said = since.exec((await pill(bob).textContent()) ?? '')?.[0]
  // What is known can be read still.
  await row(bob, 'Before').click()
  await expect(bob.getByTestId('detail').getByRole('heading')).toHaveText('Before')
  await bob.waitForFunction((until) => Date.now() >= until, killed + AWAY_MS, { timeout: 0 })
  // Since when does not move with each try.
  await expect(pill(bob)).toContainText(said ?? '')
  for (const page of [bob, other]) await expect(row(page, 'Meanwhile')).toHaveCount(0)

  await server.start()
  const back = Date.now()
  await (await server.signIn('ann')).send('bob', 'Just after')
  for (const page of [bob, other]) {
    await expect(pill(page)).toContainText('Live', { timeout: BACK_MS })
    for (const title of ['Before', 'Meanwhile', 'Just after']) {
      await expect(row(page, title)).toHaveCount(1)
    }
    // That the first was read could not be saved.
    await expect(page).toHaveTitle(/^\(3\)/)
    await expect(page.locator('body')).toHaveAttribute('data-same-page', '')
  }
  console.log(`live again ${Date.now() - back} ms after the server was`)
  await expect(toast(bob)).toBeVisible()
  for (const title of ['Meanwhile', 'Just after']) {
    await expect.poll(() => popupsOf([bob, other], title)).toHaveLength(1)
  }
  // Whatever is on its way has come once this is there.
  await (await server.signIn('ann')).send('bob', 'Last')
  for (const page of [bob, other]) await expect(row(page, 'Last')).toBeVisible()
  for (const title of ['Before', 'Meanwhile', 'Just after', 'Last']) {
    await expect.poll(() => popupsOf([bob, other], title)).toHaveLength(1)
  }
})
