import type { Browser, Page } from '@playwright/test'
import { Authenticator } from './authenticator'
import { expect, pill, refuseOnce, signIn, test, visitAs } from './fixtures'
import type { Server } from './server'

async function addPasskey(page: Page, name: string): Promise<void> {
  await page.goto('/settings')
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  await page.getByLabel('Name', { exact: true }).fill(name)
  await page.keyboard.press('Enter')
  await expect(page.getByRole('listitem').filter({ hasText: name })).toBeVisible()
}

async function signOut(page: Page): Promise<void> {
  await page.getByTestId('account').click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await expect(page.getByRole('button', { name: 'Sign in with a passkey' })).toBeVisible()
}

/** Bob, whose browser holds a passkey for him. */
async function bobWithPasskey(
  browser: Browser,
  server: Server,
): Promise<{ bob: Page; authenticator: Authenticator }> {
  const bob = await visitAs(browser, server, 'bob')
  const authenticator = await Authenticator.plugInto(bob)
  await addPasskey(bob, 'Test key')
  expect(await authenticator.passkeys()).toHaveLength(1)
  return { bob, authenticator }
}

test('a passkey signs in without a name or a password', async ({ browser, server }) => {
  const { bob } = await bobWithPasskey(browser, server)
  await expect(bob.getByText('never used')).toBeVisible()
  await signOut(bob)
  await bob.getByRole('button', { name: 'Sign in with a passkey' }).click()
  await expect(pill(bob)).toContainText('Live')
  await expect(bob.getByTestId('account')).toHaveAccessibleName('Account of Bob Ng')
  await bob.goto('/settings')
  await expect(bob.getByText('last used')).toBeVisible()
})

test('a passkey unlocks by the keyboard alone, and the draft is where it was', async ({
  browser,
  server,
}) => {
  const { bob } = await bobWithPasskey(browser, server)
  await bob.goto('/compose')
  await bob.getByLabel('Text').fill('Half a tho')
  const other = await server.signIn('ann')
  await other.call('post', '/users/bob/sessions/lock')
  await expect(bob.locator('[name=password]')).toBeFocused()
  const unlock = bob.getByRole('button', { name: 'Unlock with a passkey' })
  await expect(unlock).toBeVisible()
  await bob.keyboard.press('Tab')
  await bob.keyboard.press('Tab')
  await expect(unlock).toBeFocused()
  await bob.keyboard.press('Enter')
  await expect(bob.getByLabel('Text')).toHaveValue('Half a tho')
  await expect(bob.getByLabel('Text')).toBeFocused()
})

test('a passkey of somebody else is no way past the lock, and is counted', async ({
  browser,
  server,
}) => {
  const { bob: page, authenticator } = await bobWithPasskey(browser, server)
  const [ofBob] = await authenticator.passkeys()
  await signOut(page)
  await signIn(page, 'ann')
  await addPasskey(page, 'Key of Ann')
  await page.keyboard.press('l')
  await expect(page.getByRole('button', { name: 'Unlock with a passkey' })).toBeVisible()
  // The browser would offer hers alone; whoever is at the desk has a script.
  const refusal = await page.evaluate(async (id) => {
    const post = (path: string, body: object = {}) =>
      fetch(`/api/v1/session/unlock/passkey${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      })
    const { ceremony, options } = await (await post('/options')).json()
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON({
      ...options,
      allowCredentials: [{ type: 'public-key', id }],
    })
    const credential = (await navigator.credentials.get({ publicKey })) as PublicKeyCredential
    const answer = await post('', { ceremony, credential: credential.toJSON() })
    return { status: answer.status, body: await answer.json() }
  }, ofBob)
  expect(refusal).toMatchObject({ status: 401, body: { attempts_left: 4 } })
  const { state } = await (await page.request.get('/api/v1/session')).json()
  expect(state).toBe('locked')
  await page.getByRole('button', { name: 'Unlock with a passkey' }).click()
  await expect(page.getByRole('heading', { name: 'Settings' })).toBeVisible()
})

test('whom the authenticator does not recognize stays outside, and may try again', async ({
  browser,
  server,
}) => {
  const { bob, authenticator } = await bobWithPasskey(browser, server)
  await bob.keyboard.press('l')
  await authenticator.recognize(false)
  await bob.getByRole('button', { name: 'Unlock with a passkey' }).click()
  await expect(bob.getByText('No passkey was used.')).toBeVisible()
  await authenticator.recognize(true)
  await bob.getByRole('button', { name: 'Unlock with a passkey' }).click()
  await expect(bob.getByRole('heading', { name: 'Settings' })).toBeVisible()
})

test('a passkey confirms who it is, and what waited goes on', async ({ browser, server }) => {
  const { bob } = await bobWithPasskey(browser, server)
  await server.signIn('bob')
  await bob.getByRole('link', { name: 'Devices' }).click()
  await refuseOnce(bob)
  await bob.getByRole('button', { name: 'End all others' }).click()
  await bob.getByRole('button', { name: 'Confirm with a passkey' }).click()
  await expect(bob.getByRole('dialog')).toHaveCount(0)
  await expect(bob.getByRole('main').getByRole('listitem')).toHaveCount(1)
})

test('a passkey that was removed is refused', async ({ browser, server }) => {
  const { bob } = await bobWithPasskey(browser, server)
  await bob.getByRole('button', { name: 'Remove Test key' }).click()
  await bob.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
  await expect(bob.getByText('Test key was removed.')).toBeVisible()
  await expect(bob.getByRole('listitem').filter({ hasText: 'Test key' })).toHaveCount(0)
  await signOut(bob)
  await bob.getByRole('button', { name: 'Sign in with a passkey' }).click()
  await expect(bob.getByText('This passkey was not accepted.')).toBeVisible()
})
