/** What the page tells the worker, which cannot read the page's dictionaries: how to say things. */
export interface Words {
  locale: string
  waiting: string
  offline: string
  offlineHint: string
  tryAgain: string
}

/** Before any page has told: in English, as everywhere. */
export const ENGLISH: Words = {
  locale: 'en',
  waiting: 'Something waits for you',
  offline: 'No connection to the server',
  offlineHint: 'This page comes back by itself as soon as there is one.',
  tryAgain: 'Try again',
}

/** The files that the page of this name needs, kept by the worker. Nothing of a person is. */
export const SHELL = ['/offline.css', '/offline.js'] as const

/** As strict as what the server sends with its pages. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const escaped = (text: string) =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** The page that is shown where the server cannot be reached. */
export function offlinePage(words: Words): Response {
  const { locale, offline, offlineHint, tryAgain } = words
  const html = `<!doctype html>
<html lang="${escaped(locale)}">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>Belfry</title>
    <link rel="stylesheet" href="/offline.css" />
  </head>
  <body>
    <main>
      <h1>${escaped(offline)}</h1>
      <p role="status">${escaped(offlineHint)}</p>
      <button type="button">${escaped(tryAgain)}</button>
    </main>
    <script src="/offline.js"></script>
  </body>
</html>
`
  return new Response(html, {
    status: 503,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Security-Policy': POLICY,
    },
  })
}
