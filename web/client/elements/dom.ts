type Child = Node | string

/** What a custom element is derived from. A server that renders pages has none, and has to be able to load this all the same. */
export const HtmlElement = globalThis.HTMLElement ?? (Object as unknown as typeof HTMLElement)

/** Makes an element. Text stays text: nothing here is ever read as HTML. */
export function h<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Record<string, string> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...children)
  return element
}

/** A drawing of 24 × 24 in lines, not read out. */
export function icon(...paths: string[]): SVGSVGElement {
  const space = 'http://www.w3.org/2000/svg'
  const svg = document.createElementNS(space, 'svg')
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', 'aria-hidden': 'true' }))
    svg.setAttribute(key, value)
  for (const d of paths) {
    const path = document.createElementNS(space, 'path')
    path.setAttribute('d', d)
    svg.append(path)
  }
  return svg
}

/** Writes only what differs: a text written anew loses the reader's selection, and is read out again. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Sets an attribute, or takes it away for null. */
export function attribute(element: Element, name: string, value: string | null): void {
  if (value === null) element.removeAttribute(name)
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value)
}

export const ICONS = {
  bell: [
    'M12 4.5c-3 0-4.8 2.3-4.8 5.3v3.1L5.6 15.6c-.3.6.1 1.2.8 1.2h11.2c.7 0 1.1-.6.8-1.2l-1.6-2.7V9.8c0-3-1.8-5.3-4.8-5.3Z',
    'M9.8 19.2c.4.8 1.2 1.2 2.2 1.2s1.8-.4 2.2-1.2',
  ],
  read: ['m5 12.5 4.5 4.5L19 7.5'],
  unread: ['M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8Z'],
  archive: ['M4 5h16v4H4Z', 'M5.5 9v10h13V9', 'M10 13h4'],
  info: ['M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z', 'M12 11v5', 'M12 8v.01'],
  success: ['M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18Z', 'm8 12.2 2.8 2.8L16 9.5'],
  warning: ['M12 4 2.8 20h18.4Z', 'M12 10v4.5', 'M12 17.2v.01'],
  critical: ['M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3Z', 'M12 8v5', 'M12 16v.01'],
} as const
