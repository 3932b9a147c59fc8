/**
 * Whether a link of a notice may be followed: a web address, or a path of this site. The server
 * refuses any other; this is for what stands in a text, which it does not read.
 */
export function isSafeLink(url: string): boolean {
  // Browsers drop tabs and line ends from an address, and take a backslash for a slash.
  if ([...url].some((letter) => letter <= ' ' || letter === '\\' || letter === '\x7f')) return false
  // Two slashes would lead to another site.
  if (url.startsWith('/')) return !url.startsWith('//')
  return /^https?:\/\/[^/]/i.test(url) && URL.canParse(url)
}

/** The host that a link leads to; null where it stays on this site. */
export function linkHost(url: string): string | null {
  return url.startsWith('/') ? null : (URL.parse(url)?.host ?? null)
}
