import { defineConfig } from '@playwright/test'

/** Debian's own browser; a downloaded one is not needed. */
const executablePath = process.env.BELFRY_CHROMIUM ?? '/usr/bin/chromium'

/** What has to hold behind a proxy and without one. */
const both = /e2e\/(connection|lock|shared-tabs)\.spec/

/** What has to hold behind a proxy, and holds without one where it does. */
const proxied = /e2e\/(reset|security-sign-on|traps-(canary|lock))\.spec/

const viaNginx = process.env.BELFRY_E2E_VIA === 'nginx'

export default defineConfig({
  testDir: 'e2e',
  // All the rest a proxy cannot change. Passkeys could not even be tried behind this one: no browser trusts its certificate.
  ...(viaNginx ? { testMatch: [both, proxied] } : { testIgnore: proxied }),
  globalSetup: './e2e/setup.ts',
  fullyParallel: true,
  forbidOnly: Boolean(process.env.CI),
  // Once more where a busy machine may have been at fault; the suite names what passed only then.
  retries: process.env.CI ? 1 : 0,
  // More than there are processors: a test mostly waits, for a lock to fall due or a page to paint. Behind nginx the suite
  // breaks nodes at the same time.
  workers: viaNginx ? 3 : 4,
  // Not what a page may take, but when to give up: a machine with other work is many times slower, and is not at fault.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  reporter: 'list',
  use: {
    browserName: 'chromium',
    locale: 'en-GB',
    timezoneId: 'UTC',
    ignoreHTTPSErrors: true,
    permissions: ['notifications'],
    // Playwright cannot hold up or change what passes a worker. What it does has tests of its own, which let it.
    serviceWorkers: 'block',
    // Pictures of every step take half as long as the steps: --trace on, where one fails.
    trace: 'off',
    launchOptions: {
      executablePath,
      chromiumSandbox: false,
      args: [
        '--disable-gpu',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
})
