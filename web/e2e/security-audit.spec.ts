import { readFileSync } from 'node:fs'
import { expect, test, visitAs } from './fixtures'

test('the audit log shows who did what, narrowed and taken away', async ({ browser, server }) => {
  const refused = server.signIn('bob', 'a wrong password')
  await expect(refused).rejects.toThrow('401')
  const bob = await server.signIn('bob')
  await bob.call('post', '/session/lock')
  const ann = await visitAs(browser, server, 'ann')
  await ann.getByRole('link', { name: 'Admin' }).click()
  await ann.getByRole('link', { name: 'Audit' }).click()
  const rows = ann.getByTestId('audit').getByRole('listitem')
  await expect(rows.filter({ hasText: 'Session locked · bob' })).toContainText('by bob')
  await expect(rows.filter({ hasText: 'Sign-in failed · bob' })).toContainText('not signed in')
  await expect(ann.getByTestId('audit')).not.toContainText('a wrong password')

  await ann.getByLabel('What happened').selectOption('session.locked')
  await expect(rows).toHaveCount(1)
  await ann.getByLabel('What happened').selectOption('session.')
  await ann.getByLabel('About').fill('ann')
  await ann.keyboard.press('Enter')
  await expect(rows).toHaveCount(1)
  await expect(rows).toContainText('Signed in · ann')

  const download = ann.waitForEvent('download')
  await ann.getByRole('link', { name: 'Export' }).click()
  const lines = readFileSync(await (await download).path(), 'utf8')
    .trim()
    .split('\n')
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { action: 'session.started', user: 'ann' },
  ])

  await ann.getByLabel('From').fill('2001-01-01')
  await ann.getByLabel('Until the end of').fill('2001-12-31')
  await expect(ann.getByText('Nothing was recorded that matches.')).toBeVisible()
})

test('nobody else is shown the audit log', async ({ browser, server }) => {
  const bob = await visitAs(browser, server, 'bob')
  await expect(bob.getByRole('link', { name: 'Admin' })).toHaveCount(0)
  await bob.goto('/admin/audit')
  await expect(bob).toHaveURL(/\/inbox$/)
  const answer = await bob.request.get('/api/v1/audit')
  expect(answer.status()).toBe(403)
})
