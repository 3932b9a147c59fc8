import { execFileSync } from 'node:child_process'
import { expect, row, test, toast, visitAs } from './fixtures'

test.use({ settings: { GOTIFY: 'true', NTFY: 'true' } })

/** What curl prints of a call; anything but a success fails the test. */
const curl = (...args: string[]) =>
  execFileSync('curl', ['-sS', '--fail-with-body', '-X', 'POST', ...args], { encoding: 'utf8' })

/** A call of Alertmanager's, version 4, about one alert. */
function alert(status: 'firing' | 'resolved', description: string): string {
  return JSON.stringify({
    version: '4',
    groupKey: '{}:{alertname="DiskFull"}',
    status,
    receiver: 'belfry',
    alerts: [
      {
        status,
        labels: { alertname: 'DiskFull', severity: 'critical', instance: 'db-1' },
        annotations: { summary: 'Disk of db-1', description },
        startsAt: '2026-11-22T05:00:00Z',
        generatorURL: 'http://prometheus.example/graph',
        fingerprint: 'c0ffee5eed',
      },
    ],
  })
}

test('what Alertmanager, Gotify and ntfy senders call shows in the inbox', async ({
  browser,
  server,
}) => {
  const ann = await server.signIn('ann')
  await ann.call('post', '/groups', { name: 'ops' })
  await ann.call('put', '/groups/ops/members/bob')
  const { key } = await ann.call<{ key: string }>('post', '/keys', {
    name: 'monitoring',
    scopes: ['notices:write'],
    to: { groups: ['ops'] },
  })
  const bob = await visitAs(browser, server, 'bob')
  const popups = () =>
    bob.evaluate(() => window.popups.map(({ title, body }) => `${title}: ${body}`))
  const alerts = [
    ...['-H', `Authorization: Bearer ${key}`, '-H', 'Content-Type: application/json'],
    `${server.url}/api/v1/hooks/alertmanager`,
  ]

  curl(...alerts, '-d', alert('firing', '99 % full'))
  await expect(toast(bob)).toContainText('Disk of db-1')
  await expect(row(bob, 'Disk of db-1')).toContainText('99 % full')
  await expect.poll(popups).toEqual(['Disk of db-1: 99 % full'])

  // Sent again because no answer came, it changes nothing; resolved, it is the same row.
  curl(...alerts, '-d', alert('firing', '99 % full'))
  curl(...alerts, '-d', alert('resolved', '60 % full'))
  await expect(row(bob, 'Disk of db-1')).toContainText('60 % full')
  await expect(row(bob, 'Disk of db-1')).toHaveCount(1)
  await expect.poll(popups).toEqual(['Disk of db-1: 99 % full', 'Disk of db-1: 60 % full'])

  const gotify = ['-F', 'title=Backup', '-F', 'message=done', '-F', 'priority=5']
  curl(`${server.url}/message`, '-H', `X-Gotify-Key: ${key}`, ...gotify)
  await expect(row(bob, 'Backup')).toContainText('done')

  const ntfy = ['-H', 'Title: Tests', '-H', 'Priority: high', '-d', '3 failed']
  curl(`${server.url}/ops`, '-H', `Authorization: Bearer ${key}`, ...ntfy)
  await expect(row(bob, 'Tests')).toContainText('3 failed')
  await expect(bob).toHaveTitle('(3) Inbox · Belfry')
})
