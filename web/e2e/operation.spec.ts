import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import type { Page } from '@playwright/test'
import { expect, test, visitAs } from './fixtures'
import type { Server } from './server'

/** Opens a stream as a client without a browser does. */
async function openStream(server: Server, ticket: string): Promise<Socket> {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
  socket.write(`GET /sse/stream?token=${ticket} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  await new Promise((resolve) => socket.once('data', resolve))
  return socket
}

const figure = (page: Page, label: string) =>
  page.getByTestId('figures').locator('div').filter({ hasText: label }).locator('dd')
const chart = (page: Page, title: string) =>
  page.getByTestId('charts').getByRole('img', { name: title })

test('the overview moves by itself, with what happens elsewhere', async ({ browser, server }) => {
  const ann = await visitAs(browser, server, 'ann')
  await ann.goto('/admin/overview')
  await expect(ann.getByText('As of this second, of all nodes.')).toBeVisible()
  await expect(figure(ann, 'Nodes')).toHaveText('1')
  // Her messages and these figures.
  await expect(figure(ann, 'Open streams')).toHaveText('2')
  await expect(chart(ann, 'Open streams').locator('canvas')).toBeVisible()

  await visitAs(browser, server, 'bob')
  await expect(figure(ann, 'Open streams')).toHaveText('3')
  await expect(chart(ann, 'Open streams')).toHaveAccessibleName(/^Open streams: \S+ 3$/)
  await expect(chart(ann, 'Messages published')).toHaveAccessibleName(/ 0\/s$/)
  const device = await server.signIn('ann')
  await device.sendMany(
    'bob',
    Array.from({ length: 20 }, (_, n) => `Number ${n}`),
  )
  await expect(chart(ann, 'Messages published')).toHaveAccessibleName(/ [1-9]\S*\/s$/)

  await ann.getByRole('button', { name: 'Refresh' }).click()
  const account = ann.getByTestId('account').locator('div')
  await expect(account.filter({ hasText: 'Messages stored' }).locator('dd')).toHaveText('20')
})

test('streams are listed with who has them, where, and who was cut', async ({
  browser,
  server,
}) => {
  const admin = await server.signIn('ann')
  const cleo = { username: 'cleo', display_name: 'Cleo', password: 'a password of her own' }
  await admin.call('post', '/users', { ...cleo, role: 'user' })
  const device = await server.signIn('cleo', cleo.password)
  const { token } = await device.call<{ token: string }>('post', '/stream-tickets')
  const ann = await visitAs(browser, server, 'ann')
  await visitAs(browser, server, 'bob')

  await ann.getByRole('link', { name: 'Admin' }).click()
  await ann.getByRole('link', { name: 'Streams', exact: true }).click()
  const streams = ann.getByTestId('streams').getByRole('listitem')
  // The list is as it was when it was read, and a busy machine may still have had a third just then.
  await expect(async () => {
    await ann.getByRole('button', { name: 'Refresh' }).click()
    await expect(streams).toHaveCount(2, { timeout: 1_000 })
  }).toPass()
  const bobs = streams.filter({ hasText: 'bob' })
  await expect(bobs).toContainText(`:${new URL(server.url).port} · open since`)
  await expect(bobs).toContainText('Messages')
  await expect(bobs).toContainText('Keeps up')
  await expect(bobs).toContainText('cut 0 times')

  // One that does not read is cut, once more waits for it than a node keeps.
  const slow = await openStream(server, token)
  slow.pause()
  const cut = () => admin.call<{ delivered: { evicted: number } }>('get', '/stats')
  await expect(async () => {
    await admin.sendMany('cleo', Array<string>(200).fill('x'), { body: 'x'.repeat(15_000) })
    expect((await cut()).delivered.evicted).toBe(1)
  }).toPass()
  slow.destroy()
  const again = await openStream(server, token)
  again.resume()
  await ann.getByPlaceholder('A user name in full').fill('cleo')
  await expect(streams).toHaveCount(1)
  await expect(streams).toContainText('cut 1 times')
  again.destroy()
  await expect(async () => {
    await ann.getByRole('button', { name: 'Refresh' }).click()
    await expect(ann.getByText('No stream is open.').first()).toBeVisible({ timeout: 1_000 })
  }).toPass()
})

interface Call {
  headers: IncomingHttpHeaders
  body: string
}

/** A system that is told of sessions, and answers with what a test wants. */
async function receive() {
  const calls: Call[] = []
  const receiver = { calls, status: 204, url: '', close: () => server.close() }
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (piece: Buffer) => (body += piece.toString()))
    request.on('end', () => {
      calls.push({ headers: request.headers, body })
      response.writeHead(receiver.status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/told`
  return receiver
}

/** What a call is to be signed with, by Standard Webhooks. */
function signature(secret: string, { headers, body }: Call): string {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${body}`
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
}

test('a webhook made on the page calls, says how that went, and ends', async ({
  browser,
  server,
}) => {
  const receiver = await receive()
  const ann = await visitAs(browser, server, 'ann')
  await ann.goto('/admin/webhooks')
  await expect(ann.getByText('No webhook yet.')).toBeVisible()
  await ann.getByRole('button', { name: 'New webhook' }).click()
  await ann.getByLabel('Address').fill(receiver.url)
  for (const event of ['Session locked', 'Session unlocked', 'Session ended'])
    await ann.getByLabel(event).uncheck()
  await ann.getByRole('button', { name: 'Create' }).click()
  const secret = await ann.getByRole('textbox', { name: 'Secret' }).inputValue()
  await ann.getByRole('button', { name: 'Close' }).click()
  const hook = ann.getByTestId('webhooks').getByRole('listitem')
  await expect(hook).toContainText(receiver.url)
  await expect(hook).toContainText('Nothing to tell yet')
  expect(await ann.content()).not.toContain(secret)

  /** Waits until the outcome of a call is stored, for the list is of when it was loaded. */
  const outcome = async (member: 'last_delivery_at' | 'failing_since') => {
    type Hooks = { items: Record<typeof member, string | null>[] }
    await expect
      .poll(async () => (await device.call<Hooks>('get', '/webhooks')).items[0]?.[member])
      .toBeTruthy()
    await ann.reload()
  }
  const device = await server.signIn('ann')
  await outcome('last_delivery_at')
  await expect(hook).toContainText(/Delivered .*Session started/)
  const [call] = receiver.calls
  expect(call!.headers['webhook-signature']).toBe(signature(secret, call!))

  receiver.status = 500
  await server.signIn('bob')
  await outcome('failing_since')
  await expect(hook).toContainText('answered 500')

  await ann.getByRole('button', { name: /^Delete the webhook/ }).click()
  await ann.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await expect(ann.getByText('No webhook yet.')).toBeVisible()
  receiver.close()
})
