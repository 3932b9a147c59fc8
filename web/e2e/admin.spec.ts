import { request } from '@playwright/test'
import { expect, lockField, row, test, unlock, visitAs } from './fixtures'

test('a key made on the page sends, and is refused once it is revoked there', async ({
  browser,
  server,
}) => {
  const ann = await visitAs(browser, server, 'ann')
  const bob = await visitAs(browser, server, 'bob')
  await ann.goto('/admin/keys')
  await expect(ann.getByText('No key yet.')).toBeVisible()
  await ann.getByRole('button', { name: 'New key' }).click()
  await ann.getByLabel('Name', { exact: true }).fill('monitor')
  await ann.getByRole('dialog').getByRole('combobox').first().fill('bob')
  await ann.getByRole('option', { name: 'Bob Ng' }).click()
  await ann.getByLabel('At most').fill('60/m')
  await ann.getByLabel('Valid').selectOption({ label: 'for 30 days' })
  await ann.getByRole('button', { name: 'Create' }).click()
  const key = await ann.getByRole('textbox', { name: 'Key' }).inputValue()
  expect(key).toMatch(/^bfk_/)
  await ann.getByRole('button', { name: 'Close' }).click()
  const made = ann.getByTestId('keys').getByRole('listitem').filter({ hasText: 'monitor' }).first()
  await expect(made).toContainText(/notices:write.*to bob · at most 60\/m · never used · until/)
  await expect(ann.getByText(key)).toHaveCount(0)

  const script = await request.newContext({ baseURL: server.url })
  const send = (title: string) =>
    script.post('/api/v1/notices', {
      headers: { Authorization: `Bearer ${key}` },
      data: { to: { users: ['bob'] }, title },
    })
  expect((await send('Disk at 91 %')).status()).toBe(201)
  await expect(row(bob, 'Disk at 91 %')).toBeVisible()

  await ann.getByRole('button', { name: 'Revoke the key monitor' }).click()
  await ann.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
  await expect(ann.getByText('No key yet.')).toBeVisible()
  expect((await send('Too late')).status()).toBe(401)
  await script.dispose()
})

test('an administrator locks somebody’s session, then ends it', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  const ann = await visitAs(browser, server, 'ann')
  await ann.getByRole('link', { name: 'Admin' }).click()
  await ann.getByRole('link', { name: 'Sessions' }).click()
  await ann.getByPlaceholder('Find by name').fill('bob')
  const sessions = ann.getByTestId('sessions').getByRole('listitem')
  await expect(sessions).toHaveCount(1)
  await ann.getByRole('button', { name: /^Lock the session of Bob Ng/ }).click()
  await expect(sessions.getByText('Locked')).toBeVisible()
  await expect(bob.getByText('Locked by an administrator')).toBeVisible()
  await unlock(bob)
  await expect(lockField(bob)).toHaveCount(0)
  await ann.getByRole('button', { name: /^End the session of Bob Ng/ }).click()
  await ann.getByRole('dialog').getByRole('button', { name: 'End session' }).click()
  await expect(ann.getByText('No session fits.')).toBeVisible()
  await expect(bob.getByRole('textbox', { name: 'User name' })).toBeVisible()
})

test('a group is made, filled, written to and deleted', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  const ann = await visitAs(browser, server, 'ann')
  await ann.goto('/admin/groups')
  await ann.getByRole('button', { name: 'New group' }).click()
  await ann.getByLabel('Name', { exact: true }).fill('oncall')
  await ann.getByLabel('Name shown').fill('On call')
  await ann.getByRole('button', { name: 'Create' }).click()
  await ann.getByRole('button', { name: 'On call', exact: true }).click()
  await ann.getByRole('combobox').fill('bob')
  await ann.getByRole('option', { name: 'Bob Ng' }).click()
  await ann.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(ann.getByText('oncall · 1 member')).toBeVisible()
  const device = await server.signIn('ann')
  await device.call('post', '/notices', { to: { groups: ['oncall'] }, title: 'Who is awake?' })
  await expect(row(bob, 'Who is awake?')).toBeVisible()
  await ann.getByRole('button', { name: 'Take bob out of On call' }).click()
  await expect(ann.getByText('oncall · no members')).toBeVisible()
  await ann.getByRole('button', { name: 'What can be done with On call' }).click()
  await ann.getByRole('menuitem', { name: 'Delete' }).click()
  await ann.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await expect(ann.getByText('There is no group yet.')).toBeVisible()
})
