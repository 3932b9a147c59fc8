import type { Browser, Page } from '@playwright/test'
import { expect, pill, refuseOnce, test as base, visit } from './fixtures'
import { Provider, signInAtProvider } from './provider'
import { Server } from './server'

/** Each test has a provider of its own, and a server that trusts it. */
const test = base.extend({
  server: async ({ settings }, use) => {
    let provider: Provider | undefined
    const server = await Server.create(settings, async (url) => {
      provider = await Provider.start(url)
      return provider.settings
    })
    await use(server)
    await server.remove()
    await provider?.stop()
  },
})

test.beforeEach(() => test.slow())

/** Signs in in the window, which then goes by itself. */
async function finishInWindow(popup: Page, name: string): Promise<void> {
  const closed = popup.waitForEvent('close')
  await signInAtProvider(popup, name)
  await closed
}

/** Bob, whom the server knows from the provider since this sign-in. */
async function bobFromProvider(browser: Browser, server: Server): Promise<Page> {
  const page = await visit(browser, server)
  await page.getByRole('button', { name: 'Sign in with Acme' }).click()
  await signInAtProvider(page, 'bob')
  await expect(pill(page)).toContainText('Live')
  return page
}

test('somebody signs in at the provider, and comes back signed in', async ({ browser, server }) => {
  const page = await bobFromProvider(browser, server)
  await expect(page).toHaveURL(`${server.url}/inbox`)
  await expect(page.getByTestId('account')).toHaveAccessibleName('Account of Bob Ng')
})

test('whom nobody knows here is told so, and is not signed in', async ({ browser, server }) => {
  const page = await visit(browser, server)
  await page.getByRole('button', { name: 'Sign in with Acme' }).click()
  await signInAtProvider(page, 'cleo')
  await expect(page.getByRole('alert')).not.toBeEmpty()
  await expect(page).toHaveURL(`${server.url}/signed-in`)
  await page.getByRole('link', { name: 'Back to the sign-in' }).click()
  await expect(page.getByRole('heading', { name: 'Sign in to Belfry' })).toBeVisible()
})

test('a window at the provider unlocks in place, and the draft is kept', async ({
  browser,
  server,
}) => {
  const bob = await bobFromProvider(browser, server)
  await bob.goto('/compose')
  await bob.getByLabel('Text').fill('Half a tho')
  await (await server.signIn('ann')).call('post', '/users/bob/sessions/lock')
  const opened = bob.waitForEvent('popup')
  await bob.getByRole('button', { name: 'Unlock with Acme' }).click()
  await finishInWindow(await opened, 'bob')
  await expect(bob.getByLabel('Text')).toHaveValue('Half a tho')
  await expect(bob.getByLabel('Text')).toBeFocused()
  await expect(pill(bob)).toContainText('Live')
})

test('someone else at the provider opens nothing', async ({ browser, server }) => {
  const bob = await bobFromProvider(browser, server)
  await bob.goto('/compose')
  await bob.getByLabel('Text').fill('For nobody else')
  await (await server.signIn('ann')).call('post', '/users/bob/sessions/lock')
  const opened = bob.waitForEvent('popup')
  await bob.getByRole('button', { name: 'Unlock with Acme' }).click()
  await signInAtProvider(await opened, 'cleo')
  await expect(bob.getByText('That sign-in was not accepted')).toBeVisible()
  await expect(bob.getByRole('heading', { name: 'Locked' })).toBeVisible()
  await expect(bob.getByLabel('Text')).not.toBeVisible()
})

test('a session that has ended is continued by a window, and the draft is kept', async ({
  browser,
  server,
}) => {
  const bob = await bobFromProvider(browser, server)
  await bob.goto('/compose')
  await bob.getByLabel('Text').fill('Half a tho')
  await (await server.signIn('ann')).call('delete', '/users/bob/sessions')
  await expect(bob.getByRole('heading', { name: 'Sign in again' })).toBeVisible()
  // The provider knows this browser, and sends its window back at once.
  const opened = bob.waitForEvent('popup')
  await bob.getByRole('button', { name: 'Sign in with Acme' }).click()
  await opened
  await expect(bob.getByLabel('Text')).toHaveValue('Half a tho')
})

test('who has no password confirms at the provider, and what waited goes on', async ({
  browser,
  server,
}) => {
  const bob = await bobFromProvider(browser, server)
  await server.signIn('bob')
  await bob.getByRole('link', { name: 'Devices' }).click()
  await refuseOnce(bob)
  await bob.getByRole('button', { name: 'End all others' }).click()
  const opened = bob.waitForEvent('popup')
  await bob.getByRole('button', { name: 'Confirm with Acme' }).click()
  await finishInWindow(await opened, 'bob')
  await expect(bob.getByRole('dialog')).toHaveCount(0)
  await expect(bob.getByRole('main').getByRole('listitem')).toHaveCount(1)
})

test.describe('where the provider says who has an account', () => {
  test.use({ settings: { OIDC_SIGN_UP: 'true' } })

  test('a newcomer without a password signs in, locks and unlocks', async ({ browser, server }) => {
    const cleo = await visit(browser, server)
    await cleo.getByRole('button', { name: 'Sign in with Acme' }).click()
    await signInAtProvider(cleo, 'cleo')
    await expect(pill(cleo)).toContainText('Live')
    await cleo.goto('/settings')
    await expect(cleo.getByRole('heading', { name: 'Passkeys' })).toBeVisible()
    await expect(cleo.getByLabel('Current password')).toHaveCount(0)
    await cleo.keyboard.press('l')
    const unlock = cleo.getByRole('button', { name: 'Unlock with Acme' })
    await expect(unlock).toBeVisible()
    await expect(cleo.locator('[name=password]')).toHaveCount(0)
    const opened = cleo.waitForEvent('popup')
    await unlock.click()
    await signInAtProvider(await opened, 'cleo')
    await expect(cleo.getByRole('heading', { name: 'Settings' })).toBeVisible()
  })
})
