import type { Page } from '@playwright/test'
import { totp } from './authenticator'
import { expect, pill, signIn, test, visit, visitAs } from './fixtures'

async function makeLink(ann: Page, name: string): Promise<string> {
  await ann.goto('/admin/users')
  await ann.getByRole('button', { name: `What can be done with ${name}` }).click()
  await ann.getByRole('menuitem', { name: 'Reset link' }).click()
  await ann.getByRole('button', { name: 'Make link' }).click()
  const link = await ann.getByRole('textbox', { name: 'Link' }).inputValue()
  await ann.getByRole('button', { name: 'Close' }).click()
  await expect(ann.getByRole('dialog')).toHaveCount(0)
  return link
}

async function choose(page: Page, password: string): Promise<void> {
  await page.getByLabel('New password', { exact: true }).fill(password)
  await page.getByLabel('New password again').fill(password)
  await page.getByRole('button', { name: 'Set password' }).click()
}

test('a reset link sets a new password once, and ends what was open', async ({
  browser,
  server,
}) => {
  const bob = await visitAs(browser, server, 'bob')
  const ann = await visitAs(browser, server, 'ann')
  const link = await makeLink(ann, 'Bob Ng')
  expect(link.startsWith(`${server.url}/reset#`)).toBe(true)

  const page = await visit(browser, server)
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url() + (request.postData() ?? '')))
  await page.goto(link)
  await expect(page).toHaveURL(`${server.url}/reset`)
  await choose(page, 'short')
  await expect(page.getByText('At least 8 characters.')).toBeVisible()
  await choose(page, 'a password chosen anew')
  await expect(page.getByRole('heading', { name: 'Your password is changed' })).toBeVisible()
  const token = new URL(link).hash.slice(1)
  expect(asked.filter((request) => request.includes(token))).toHaveLength(1)
  await expect(bob.getByText('The password was changed')).toBeVisible()

  await page.keyboard.press('Enter')
  await signIn(page, 'bob', 'a password chosen anew')

  const late = await visit(browser, server)
  await late.goto(link)
  await choose(late, 'the second time around')
  await expect(late.getByRole('alert')).toContainText('This link does not work')
  await expect(late.getByLabel('New password', { exact: true })).toHaveCount(0)
})

test('a newer link voids the older', async ({ browser, server }) => {
  const ann = await visitAs(browser, server, 'ann')
  const [older, newer] = [await makeLink(ann, 'Bob Ng'), await makeLink(ann, 'Bob Ng')]
  const page = await visit(browser, server)
  await page.goto(older)
  await choose(page, 'a password chosen anew')
  await expect(page.getByRole('alert')).toContainText('This link does not work')
  await page.goto('/')
  await page.goto(newer)
  await choose(page, 'a password chosen anew')
  await expect(page.getByRole('heading', { name: 'Your password is changed' })).toBeVisible()
})

test('an administrator helps someone who lost the authenticator app', async ({
  browser,
  server,
}) => {
  const bob = await server.signIn('bob')
  const { secret } = await bob.call<{ secret: string }>('post', '/totp')
  await bob.call('post', '/totp/confirm', { code: totp(secret) })
  const ann = await visitAs(browser, server, 'ann')
  await ann.goto('/admin/users')
  await ann.getByRole('button', { name: 'What can be done with Bob Ng' }).click()
  await ann.getByRole('menuitem', { name: 'Remove factors' }).click()
  await ann.getByRole('dialog').getByRole('button', { name: 'Remove factors' }).click()
  await expect(ann.getByText('Bob Ng signs in with the password alone now.')).toBeVisible()
  const page = await visit(browser, server)
  await signIn(page, 'bob')
  await expect(pill(page)).toContainText('Live')
})
