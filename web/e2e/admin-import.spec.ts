import { createHmac } from 'node:crypto'
import { request } from '@playwright/test'
import { expect, expectAccessible, test, visitAs } from './fixtures'

const TABLE = `username,display_name,role,groups
carl,Carl Ito,,ops
bob,,admin,
dora,,king,
eve,,,none
`

test('a table of people is tried, then imported, and who is new gets a link', async ({
  browser,
  server,
}) => {
  const device = await server.signIn('ann')
  await device.call('post', '/groups', { name: 'ops' })
  const page = await visitAs(browser, server, 'ann')
  await page.goto('/admin/users')
  await page.getByRole('button', { name: 'Import' }).click()
  await expect(page.getByRole('heading', { name: 'Import users' })).toBeFocused()
  await page.getByLabel('Choose a file').setInputFiles({
    name: 'people.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(TABLE),
  })
  const line = (name: string) =>
    page.getByTestId('people').getByRole('row').filter({ hasText: name })
  await expect(line('eve')).toContainText('There is no group none.')
  await expect(line('carl')).toContainText('To be added: groups')
  await expect(line('bob')).toContainText('To be changed: role')
  await expect(line('dora')).toContainText('The role is neither user nor admin.')
  await expectAccessible(page)
  const people = () => device.call<{ items: object[] }>('get', '/users')
  expect((await people()).items).toHaveLength(2)

  await page.getByRole('button', { name: 'Import 2 people' }).click()
  await expect(line('carl')).toContainText('Added: groups')
  await page.getByRole('button', { name: 'Make 1 link' }).click()
  const downloading = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Download the links' }).click()
  const links = await (await downloading).createReadStream().then((file) => file.toArray())
  expect(links.join('')).toMatch(/^username,link\ncarl,http:\/\/localhost:\d+\/reset#\S+\n$/)
  await page.getByRole('button', { name: 'Back to the users' }).click()
  await expect(page.getByTestId('users').getByRole('listitem')).toHaveCount(3)
  expect((await people()).items).toContainEqual(
    expect.objectContaining({ username: 'bob', role: 'admin' }),
  )
})

test('a key for GitHub is entered there, and what it signs arrives', async ({
  browser,
  server,
}) => {
  const page = await visitAs(browser, server, 'ann')
  await page.goto('/admin/keys')
  await page.getByRole('button', { name: 'New key' }).click()
  await page.getByLabel('Name', { exact: true }).fill('github')
  await page.getByRole('button', { name: 'Everyone' }).click()
  await page.getByLabel('Also called by').selectOption({ label: 'GitHub, Gitea or Forgejo' })
  await page.getByRole('button', { name: 'Create' }).click()
  const shown = (label: string) =>
    page.getByRole('dialog').getByRole('textbox', { name: label }).inputValue()
  const [address, secret] = [await shown('Address'), await shown('Secret')]
  await expectAccessible(page)
  await page.getByRole('button', { name: 'Close' }).click()
  await expect(page.getByText(secret)).toHaveCount(0)
  await page.getByText('Called by GitHub').click()
  await expect(page.getByText(address)).toBeVisible()

  const body = JSON.stringify({ zen: 'Keep it logically awesome.', hook_id: 1 })
  const github = await request.newContext()
  const answer = await github.post(address, {
    headers: {
      'Content-Type': 'application/json',
      'X-GitHub-Event': 'ping',
      'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    },
    data: body,
  })
  expect(answer.ok(), await answer.text()).toBe(true)
  await github.dispose()
  await page.goto('/inbox')
  await expect(page.getByTestId('list').getByRole('link')).toHaveCount(1)
})

test('a mapping is mended line by line, and reads a call', async ({ browser, server }) => {
  const page = await visitAs(browser, server, 'ann')
  await page.goto('/admin/keys')
  await page.getByRole('button', { name: 'New key' }).click()
  await page.getByLabel('Name', { exact: true }).fill('ci')
  await page.getByRole('button', { name: 'Everyone' }).click()
  await page.getByLabel('Also called by').selectOption({ label: 'any other system, by a mapping' })
  await page.getByLabel('Mapping').fill('{\n  "title": "$.jobs[*]"\n}')
  await page.getByRole('button', { name: 'Create' }).click()
  await expect(page.getByRole('alert')).toContainText('Line 2: A path of RFC 9535 to one value')
  await expectAccessible(page)
  await page.getByLabel('Mapping').fill('{\n  "title": "$.jobs[0].name"\n}')
  await page.getByRole('button', { name: 'Create' }).click()
  const shown = (label: string) =>
    page.getByRole('dialog').getByRole('textbox', { name: label, exact: true }).inputValue()
  const ci = await request.newContext()
  const answer = await ci.post(await shown('Address'), {
    headers: { Authorization: `Bearer ${await shown('Key')}` },
    data: { jobs: [{ name: 'Build 7 failed' }] },
  })
  expect(answer.ok(), await answer.text()).toBe(true)
  await ci.dispose()
  await page.goto('/inbox')
  await expect(page.getByTestId('list').getByRole('link', { name: 'Build 7 failed' })).toBeVisible()
})
