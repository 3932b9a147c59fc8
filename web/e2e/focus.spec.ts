import type { Page } from '@playwright/test'
import { expect, row, test, visitAs } from './fixtures'

const focused = (page: Page) =>
  page.evaluate(
    () => document.activeElement?.getAttribute('data-notice') ?? document.activeElement?.tagName,
  )

test('whoever archives the open message by key goes on where it was in the list', async ({
  browser,
  server,
}) => {
  const ann = await server.signIn('ann')
  const older = await ann.send('bob', 'Older')
  await ann.send('bob', 'Newer')
  const bob = await visitAs(browser, server, 'bob')
  await row(bob, 'Newer').click()
  await bob.getByTestId('detail').getByRole('button', { name: 'Archive', exact: true }).focus()
  await bob.keyboard.press('Enter')
  await expect(row(bob, 'Newer')).toHaveCount(0)
  await expect.poll(() => focused(bob)).toBe(String(older))
})

test('whoever archives a selection by key goes on in the list', async ({ browser, server }) => {
  const ann = await server.signIn('ann')
  const older = await ann.send('bob', 'Older')
  await ann.send('bob', 'Newer')
  const bob = await visitAs(browser, server, 'bob')
  await bob.getByRole('checkbox', { name: 'Select “Newer”' }).check()
  const bar = bob.getByTestId('selection')
  await bar.getByRole('button', { name: 'Archive', exact: true }).focus()
  await bob.keyboard.press('Enter')
  await expect(bar).toHaveCount(0)
  await expect.poll(() => focused(bob)).toBe(String(older))
})
